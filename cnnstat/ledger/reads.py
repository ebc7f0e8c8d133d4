"""Plain reads of a report by name, each with its unit: the ``read`` of a figure's record.

``SUMS`` are of a row (a layer) or of a whole model, ``ROWS`` of a row, ``GRAPH`` and ``MODEL`` of a
model. Extents are in the order that sources print them: ``hwc`` is height x width x channels.
"""

from __future__ import annotations

from collections.abc import Callable

from cnnstat.count.layer import Layer
from cnnstat.count.paths import depth_of, paths_of
from cnnstat.count.report import Report
from cnnstat.ir.graph import Node, NodeFacts, ShapedGraph
from cnnstat.ir.op import Op
from cnnstat.ir.reach import Sliding
from cnnstat.ir.tensor import DTYPE_BYTES, TensorSpec
from cnnstat.ledger.figure import Computed
from cnnstat.ledger.reports import Extents, Reports
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


def _values(report: Report, size_bytes: int) -> int:
    """Return how many values of the model's dtype take this many bytes."""
    return size_bytes // DTYPE_BYTES[report.input.dtype]


def _norm_size(report: Report, name: str) -> int:
    """Return the channels that a response normalisation adds up."""
    return int(getattr(node(report, name)[0].op, "size", 1))


def kernel_weights(report: Report, name: str) -> int:
    """Return the weights of one operator alone, without the batch norm in its row."""
    return sum(weight.numel for weight in node(report, name)[1].weights if weight.role == "weight")


def _counted(*kinds: type[Op]) -> Callable[[ShapedGraph], Computed]:
    return lambda shaped: len(ops(shaped, *kinds))


def _cached(report: Report) -> int:
    return report.totals_figures.activation_bytes + report.totals_figures.cached_bytes


def _field(report: Report) -> int:
    """Return the receptive field of the output along one axis."""
    field = report.layers[-1].receptive_field
    return field.size[0] if field else 0


def _convolution_macs(report: Report) -> Computed:
    return sum(layer.macs or 0 for layer in report.layers if layer.type == "Conv2d")


ROWS: dict[str, tuple[str, Callable[[Report, str], Computed]]] = {
    "hwc": ("height x width x channels", lambda report, at: hwc(row(report, at).output)),
    "chw": ("maps x height x width", lambda report, at: chw(row(report, at).output)),
    "hw": ("height x width", lambda report, at: tuple(row(report, at).output.shape[2:])),
    "height": ("rows", lambda report, at: row(report, at).output.shape[2]),
    "channels": ("channels", lambda report, at: row(report, at).output.shape[1]),
    "values": ("values", lambda report, at: row(report, at).output.numel),
    "input_values": ("values", lambda report, at: row(report, at).inputs[0].numel),
    "groups": ("groups", groups),
    "norm_size": ("channels", _norm_size),
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
    "values": ("values", lambda report: _values(report, report.totals_figures.activation_bytes)),
    "cached_values": (
        "values",
        lambda report: _values(report, _cached(report)),
    ),
    "activation_bytes": ("bytes", lambda report: report.totals_figures.activation_bytes),
    "cached_activation_bytes": ("bytes", _cached),
    "input_hwc": ("height x width x channels", lambda report: hwc(report.input)),
    "input_channels": ("channels", lambda report: report.input.shape[1]),
    "output_hwc": ("height x width x channels", lambda report: hwc(report.layers[-1].output)),
    "receptive_field": ("input elements", _field),
    "convolution_macs": ("MACs", _convolution_macs),
}
"""Reads of a whole model, with their units."""


def unit_of(read: str, *, at: bool = False) -> str | None:
    """Return the unit of a read of a model, or of a row ``at`` a name; None for no read."""
    tables = (ROWS, GRAPH, MODEL) if at else (GRAPH, MODEL, ROWS)
    units = [table[read][0] for table in tables if read in table]
    return SUMS.get(read) or (units[0] if units else None)


def read_of(reports: Reports, model: str, read: str, input: Extents | None) -> Computed:
    """Return a quantity of a whole model, on its own input or on one of this shape."""
    if read in OUTLINED:
        outline = reports.outline(model, input)
        return outline.depth if read == "depth" else int(getattr(outline.totals, read))
    if read in GRAPH:
        return GRAPH[read][1](reports.shaped(model, input))
    report = reports(model, input)
    return MODEL[read][1](report)


def read_row(report: Report, read: str, at: str) -> Computed:
    """Return a quantity of one row."""
    return int(getattr(row(report, at), read)) if read in SUMS else ROWS[read][1](report, at)
