"""Nodes that together are one operator: what an exporter had to split is put together again.

A fully connected layer's product and bias, x * sigmoid(x), LeNet's trained pooling and scaled tanh;
each only where nothing else reads what lies between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cnnstat.importers.onnx_file.call import Stored

Readers = Mapping[str, Sequence[Any]]
"""The nodes that read a tensor, by its name; None stands for one that leaves the graph."""


class Fused(NamedTuple):
    """One operator made of ``nodes``: inputs and results by name."""

    op_type: str
    inputs: tuple[str, ...]
    results: tuple[str, ...]
    nodes: tuple[Any, ...]


def fused(node: Any, readers: Readers, stored: Mapping[str, Stored]) -> Fused | None:
    """Return what a node and those behind it make together, if anything."""
    if node.domain not in ("", "ai.onnx"):
        return None
    found = _BEGINNINGS.get(node.op_type)
    return None if found is None else found(node, readers, stored)


def _behind(name: str, kind: str, readers: Readers) -> Any:
    """Return the only node that reads a tensor, if it is of that kind."""
    found = readers.get(name, ())
    only = found[0] if len(found) == 1 else None
    return only if only is not None and only.op_type == kind else None


def _other(node: Any, name: str, stored: Mapping[str, Stored]) -> Stored | None:
    """Return the stored weight that a node combines with a tensor."""
    others = [each for each in node.input if each != name]
    found = stored.get(others[0]) if len(others) == 1 else None
    return found if found is not None and found.is_weight else None


def _layer(node: Any, readers: Readers, stored: Mapping[str, Stored]) -> Fused | None:
    weight = stored.get(node.input[1])
    behind = _behind(node.output[0], "Add", readers)
    if weight is None or weight.spec.rank != 2 or node.input[0] in stored or behind is None:
        return None
    bias = _other(behind, node.output[0], stored)
    columns = weight.spec.shape[1]
    if bias is None or bias.spec.numel != columns or bias.spec.shape[-1] != columns:
        return None
    return Fused("MatMul", (*node.input, bias.name), tuple(behind.output), (node, behind))


def _swish(node: Any, readers: Readers, stored: Mapping[str, Stored]) -> Fused | None:
    behind = _behind(node.output[0], "Mul", readers)
    if behind is None or set(behind.input) != {node.input[0], node.output[0]}:
        return None
    return Fused("Swish", tuple(node.input), tuple(behind.output), (node, behind))


def _subsampling(node: Any, readers: Readers, stored: Mapping[str, Stored]) -> Fused | None:
    settings = {each.name: each for each in node.attribute}
    kernel = list(settings["kernel_shape"].ints) if "kernel_shape" in settings else []
    stride = list(settings["strides"].ints) if "strides" in settings else []
    others = set(settings) - {"kernel_shape", "strides", "count_include_pad"}
    scaled = _behind(node.output[0], "Mul", readers)
    if others or len(kernel) != 2 or kernel != stride or scaled is None:
        return None
    shifted = _behind(scaled.output[0], "Add", readers)
    if shifted is None:
        return None
    scale = _other(scaled, node.output[0], stored)
    shift = _other(shifted, scaled.output[0], stored)
    if scale is None or shift is None or not (_per_map(scale) and _per_map(shift)):
        return None
    if scale.spec.numel != shift.spec.numel:
        return None
    inputs = (node.input[0], scale.name, shift.name)
    return Fused("Subsampling", inputs, tuple(shifted.output), (node, scaled, shifted))


def _per_map(stored: Stored) -> bool:
    """Return whether a tensor has one element per map: (c, 1, 1) or (1, c, 1, 1)."""
    shape = stored.spec.shape
    return len(shape) >= 3 and shape[-2:] == (1, 1) and stored.spec.numel == shape[-3]


def _scaled_tanh(node: Any, readers: Readers, stored: Mapping[str, Stored]) -> Fused | None:
    bent = _behind(node.output[0], "Tanh", readers)
    scaled = None if bent is None else _behind(bent.output[0], "Mul", readers)
    if scaled is None:
        return None
    slope, amplitude = _number(node, stored), _number(scaled, stored)
    entering = [each for each in node.input if each != slope]
    if not slope or not amplitude or len(entering) != 1:
        return None
    inputs = (entering[0], amplitude, slope)
    return Fused("ScaledTanh", inputs, tuple(scaled.output), (node, bent, scaled))


def _number(node: Any, stored: Mapping[str, Stored]) -> str:
    """Return the name of the lone number that a node combines a tensor with, if any."""
    found = [name for name in node.input if name in stored and not stored[name].spec.rank]
    known = [name for name in found if stored[name].values is not None]
    return known[0] if len(known) == 1 else ""


_BEGINNINGS = {
    "MatMul": _layer,
    "Sigmoid": _swish,
    "AveragePool": _subsampling,
    "Mul": _scaled_tanh,
}
"""The operator that comes first, and what may follow it."""
