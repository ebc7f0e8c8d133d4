"""Plain reads of a report by name, each with its unit: the ``read`` of a figure's record.

``SUMS`` are of a row (a layer) or of a whole model, ``ROWS`` of a row, ``GRAPH`` and ``MODEL`` of a
model.
Extents are in the order that sources print them: ``hwc`` is height x width x channels.
"""

from __future__ import annotations

from collections.abc import Callable

from cnnstat.count.figures import Figures
from cnnstat.count.layer import Layer
from cnnstat.count.paths import depth_of, paths_of
from cnnstat.count.report import Report
from cnnstat.ir.graph import Node, NodeFacts, ShapedGraph
from cnnstat.ir.op import Op
from cnnstat.ir.reach import Sliding
from cnnstat.ir.tensor import DTYPE_BYTES, TensorSpec
from cnnstat.ledger.figure import Computed
from cnnstat.ops import ConnectedConv2d, Conv2d, Linear, ReLU, Subsampling

SUMS: dict[str, str] = {
    "weights": "weights",
    "biases": "biases",
    "params": "parameters",
    "buffers": "buffers",
    "macs": "MACs",
    "activation_bytes": "bytes",
    "cached_activation_bytes": "bytes",
}
"""Quantities of rows and of models that add up, with their units."""


OUTLINED = frozenset({"weights", "biases", "params", "buffers", "macs", "depth"})
"""Quantities of models that need no bytes of tensors."""


def row(report: Report, name: str) -> Layer:
    """Return the row of this name; raise ``LookupError`` if the model has none."""
    layer = report.layer(name)
    if layer is None:
        raise LookupError(f"{report.name} has no layer {name!r}")
    return layer


def node(report: Report, name: str) -> tuple[Node, NodeFacts]:
    """Return a node of the graph and its facts; raise ``LookupError`` if there is none."""
    for candidate, facts in zip(report.shaped.nodes, report.shaped.facts, strict=True):
        if candidate.name == name:
            return candidate, facts
    raise LookupError(f"{report.name} has no node {name!r}")


def ops(shaped: ShapedGraph, *kinds: type[Op]) -> list[Op]:
    """Return the operators of these classes in order."""
    return [n.op for n in shaped.nodes if isinstance(n.op, kinds)]


def hwc(spec: TensorSpec) -> Computed:
    """Return height, width, channels of an image; the number of features of a vector."""
    _, c, *spatial = spec.shape
    return (*spatial, c) if spatial else c


def chw(spec: TensorSpec) -> Computed:
    """Return channels, height, width of an image; the number of features of a vector."""
    _, *rest = spec.shape
    return tuple(rest) if len(rest) > 1 else rest[0]


def window(report: Report, name: str) -> tuple[int, int, int]:
    """Return kernel, stride and padding of a layer with a window, along its height."""
    _, facts = node(report, name)
    if not isinstance(facts.reach, Sliding):
        raise LookupError(f"{report.name} has no layer {name!r} with a window")
    first = facts.reach.windows[0]
    return first.kernel, first.stride, first.before


def groups(report: Report, name: str) -> int:
    """Return the groups of a layer's channels; 1 where the operator has none."""
    return int(getattr(node(report, name)[0].op, "groups", 1))


def values(report: Report, size_bytes: int) -> int:
    """Return how many values of the model's dtype take this many bytes."""
    return size_bytes // DTYPE_BYTES[report.input.dtype]


def kernel_weights(report: Report, name: str) -> int:
    """Return the weights of one operator alone, without the batch norm in its row."""
    return sum(weight.numel for weight in node(report, name)[1].weights if weight.role == "weight")


def _counted(*kinds: type[Op]) -> Callable[[ShapedGraph], Computed]:
    return lambda shaped: len(ops(shaped, *kinds))


def _convolution_macs(report: Report) -> Computed:
    return sum(layer.macs or 0 for layer in report.layers if layer.type == "Conv2d")


ROWS: dict[str, tuple[str, Callable[[Report, str], Computed]]] = {
    "hwc": ("height x width x channels", lambda report, at: hwc(row(report, at).output)),
    "chw": ("maps x height x width", lambda report, at: chw(row(report, at).output)),
    "hw": ("height x width", lambda report, at: tuple(row(report, at).output.shape[2:])),
    "height": ("rows", lambda report, at: row(report, at).output.shape[2]),
    "channels": ("channels", lambda report, at: row(report, at).output.shape[1]),
    "values": ("values", lambda report, at: row(report, at).output.numel),
    "kernel": ("kernel", lambda report, at: window(report, at)[0]),
    "stride": ("stride", lambda report, at: window(report, at)[1]),
    "kernel_stride": ("kernel, stride", lambda report, at: window(report, at)[:2]),
    "window": ("kernel, stride, padding", window),
    "kernel_weights": ("weights", kernel_weights),
}
"""Reads of one row, with their units."""

GRAPH: dict[str, tuple[str, Callable[[ShapedGraph], Computed]]] = {
    "depth": ("layers", depth_of),
    "paths": ("paths", paths_of),
    "convolutions": ("convolutions", _counted(Conv2d, ConnectedConv2d)),
    "linears": ("fully connected layers", _counted(Linear)),
    "subsamplings": ("subsamplings", _counted(Subsampling)),
    "relus": ("ReLUs", _counted(ReLU)),
}
"""Reads of a graph with shapes, with their units."""

MODEL: dict[str, tuple[str, Callable[[Report], Computed]]] = {
    "param_bytes": ("bytes", lambda report: report.totals.param_bytes),
    "values": (
        "values",
        lambda report: values(report, summed(report.totals_figures, "activation_bytes")),
    ),
    "cached_values": (
        "values",
        lambda report: values(report, report.totals.cached_activation_bytes),
    ),
    "input_hwc": ("height x width x channels", lambda report: hwc(report.input)),
    "convolution_macs": ("MACs", _convolution_macs),
}
"""Reads of a whole model, with their units."""


def unit_of(read: str, at: str) -> str:
    """Return the unit of a read of a layer, or of the model where ``at`` is empty."""
    if read in SUMS:
        return SUMS[read]
    if at and read in ROWS:
        return ROWS[read][0]
    return GRAPH[read][0] if read in GRAPH else MODEL[read][0]


def read_model(report: Report, read: str) -> Computed:
    """Return a quantity of the whole model."""
    if read in GRAPH:
        return GRAPH[read][1](report.shaped)
    return MODEL[read][1](report) if read in MODEL else summed(report.totals_figures, read)


def summed(sums: Figures, read: str) -> int:
    """Return one of ``SUMS`` from the sums of a model."""
    if read == "macs":
        return sums.work.macs
    if read == "cached_activation_bytes":
        return sums.activation_bytes + sums.cached_bytes
    return int(getattr(sums, read))


def read_row(report: Report, read: str, at: str) -> Computed:
    """Return a quantity of one row."""
    return int(getattr(row(report, at), read)) if read in SUMS else ROWS[read][1](report, at)


def read_module(report: Report, read: str, under: str) -> Computed:
    """Return a sum over the rows whose names begin with ``under``."""
    return sum(int(getattr(r, read)) for r in report.layers if r.name.startswith(under))
