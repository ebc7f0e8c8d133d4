"""Nodes that together are one operator, which an exporter had to split.

A fully connected layer's product and bias, activations and normalisations that an opset lacks,
attention, LeNet's trained pooling and scaled tanh; each only where nothing else reads what lies
between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from math import inf, isclose, sqrt
from typing import Any, NamedTuple

from onnx import helper

from cnnstat.importers.onnx.call import Stored
from cnnstat.ir.tensor import TensorSpec


class Fused(NamedTuple):
    """One operator made of ``nodes``: inputs and results by name, and further attributes."""

    op_type: str
    inputs: tuple[str, ...]
    nodes: tuple[Any, ...]
    attributes: Mapping[str, Any] = {}

    @property
    def results(self) -> tuple[str, ...]:
        """The results of the last node."""
        return tuple(self.nodes[-1].output)


class Around(NamedTuple):
    """Facts about a node's surroundings.

    ``readers`` are the nodes that read a tensor, by its name; None stands for one that leaves the
    graph. ``known`` are the elements of tensors, ``spec`` tells what is known of one by name.
    """

    readers: Mapping[str, Sequence[Any]]
    stored: Mapping[str, Stored]
    known: Mapping[str, Any]
    spec: Callable[[str], TensorSpec | None]

    def behind(self, node: Any, kind: str) -> Any:
        """Return the only node that reads a node's result, if it is of that kind."""
        readers = self.readers.get(node.output[0], ())
        only = readers[0] if len(readers) == 1 else None
        return only if only is not None and only.op_type == kind else None

    def chain(self, node: Any, *kinds: str) -> tuple[Any, ...]:
        """Return a node and those after it, one of each kind; nothing if any is missing."""
        chain = [node]
        for kind in kinds:
            following = self.behind(chain[-1], kind)
            if following is None:
                return ()
            chain.append(following)
        return tuple(chain)

    def weight(self, node: Any, name: str) -> Stored | None:
        """Return the stored weight that a node combines a tensor with."""
        others = [each for each in node.input if each != name]
        tensor = self.stored.get(others[0]) if len(others) == 1 else None
        return tensor if tensor is not None and tensor.is_weight else None

    def number(self, name: str) -> float | None:
        """Return the number that a tensor is, if it is one and known."""
        value = self.known.get(name)
        return float(value.reshape(-1)[0]) if value is not None and value.size == 1 else None

    def combines(self, node: Any, name: str, value: float) -> bool:
        """Return whether a node combines a tensor with that number, as exact as a half has it."""
        others = [self.number(each) for each in node.input if each != name]
        return (
            len(others) == 1 and others[0] is not None and isclose(others[0], value, rel_tol=1e-3)
        )

    def is_shape(self, name: str, of: str, spec: TensorSpec) -> bool:
        """Return whether a tensor is the shape of another, known or still to be computed."""
        if name in self.known:
            return tuple(self.known[name].reshape(-1).tolist()) == spec.shape
        readers = [each for each in self.readers.get(of, ()) if each is not None]
        return any(
            each.op_type == "Shape" and each.output[0] == name and not each.attribute
            for each in readers
        )

    def filled(self, name: str, value: float) -> bool:
        """Return whether all elements of a tensor are known to be that number."""
        elements = self.known.get(name)
        return elements is not None and bool((elements == value).all())


def fused(node: Any, around: Around) -> Fused | None:
    """Return what a node and those after it make together, if anything."""
    if node.domain not in ("", "ai.onnx"):
        return None
    for rule in _BEGINNINGS.get(node.op_type, ()):
        fusion = rule(node, around)
        if fusion is not None and all(around.spec(name) is not None for name in fusion.inputs):
            return fusion
    return None


def _attributes_of(node: Any) -> dict[str, Any]:
    return {each.name: helper.get_attribute_value(each) for each in node.attribute}


def _layer(node: Any, around: Around) -> Fused | None:
    weight = around.stored.get(node.input[1])
    behind = around.behind(node, "Add")
    if weight is None or weight.spec.rank != 2 or node.input[0] in around.stored or behind is None:
        return None
    bias = around.weight(behind, node.output[0])
    columns = weight.spec.shape[1]
    if bias is None or bias.spec.numel != columns or bias.spec.shape[-1] != columns:
        return None
    return Fused("MatMul", (*node.input, bias.name), (node, behind))


# -- activations -----------------------------------------------------------------------------------


def _swish(node: Any, around: Around) -> Fused | None:
    behind = around.behind(node, "Mul")
    if behind is None or set(behind.input) != {node.input[0], node.output[0]}:
        return None
    return Fused("Swish", tuple(node.input), (node, behind))


def _gelu(node: Any, around: Around) -> Fused | None:
    """Find x / sqrt(2), erf, + 1, * x, * 0.5."""
    nodes = around.chain(node, "Erf", "Add", "Mul", "Mul")
    if not nodes:
        return None
    x, (inner, erf, shifted, gated, halved) = node.input[0], nodes
    plain = (
        around.combines(inner, x, sqrt(2))
        and around.combines(shifted, erf.output[0], 1)
        and set(gated.input) == {x, shifted.output[0]}
        and around.combines(halved, gated.output[0], 0.5)
    )
    return Fused("Gelu", (x,), nodes) if plain else None


def _mish(node: Any, around: Around) -> Fused | None:
    nodes = around.chain(node, "Tanh", "Mul")
    if not nodes or set(nodes[-1].input) != {node.input[0], nodes[1].output[0]}:
        return None
    return Fused("Mish", (node.input[0],), nodes)


def _log_sigmoid(node: Any, around: Around) -> Fused | None:
    nodes = around.chain(node, "Softplus", "Neg")
    return Fused("LogSigmoid", (node.input[0],), nodes) if nodes else None


def _scaled_tanh(node: Any, around: Around) -> Fused | None:
    nodes = around.chain(node, "Tanh", "Mul")
    if not nodes:
        return None
    slope, amplitude = _lone(node, around), _lone(nodes[-1], around)
    entering = [each for each in node.input if each != slope]
    if not slope or not amplitude or len(entering) != 1:
        return None
    return Fused("ScaledTanh", (entering[0], amplitude, slope), nodes)


def _lone(node: Any, around: Around) -> str:
    """Return the name of the lone stored number that a node combines a tensor with, if any."""
    stored_names = [name for name in node.input if name in around.stored]
    scalars = [name for name in stored_names if not around.stored[name].spec.rank]
    known = [name for name in scalars if around.stored[name].values is not None]
    return known[0] if len(known) == 1 else ""


# -- normalisations and pooling --------------------------------------------------------------------


def _rms_norm(node: Any, around: Around) -> Fused | None:
    """Find x * x, mean over the last axes, + epsilon, root, x / root, and * scale if any."""
    nodes = around.chain(node, "ReduceMean", "Add", "Sqrt", "Div")
    x = node.input[0]
    if not nodes or set(node.input) != {x} or list(nodes[-1].input) != [x, nodes[-2].output[0]]:
        return None
    attributes = _attributes_of(nodes[1])
    axes = sorted(attributes.get("axes", ()))
    last = axes == list(range(-len(axes), 0))
    epsilon = [around.number(each) for each in nodes[2].input if each != nodes[1].output[0]]
    if not axes or not last or attributes.get("keepdims", 1) != 1 or epsilon in ([], [None]):
        return None
    attributes = {"axis": axes[0], "epsilon": epsilon[0]}
    scaled = around.behind(nodes[-1], "Mul")
    scale = None if scaled is None else around.weight(scaled, nodes[-1].output[0])
    spec = around.spec(x)
    if scale is None or spec is None or scale.spec.shape != spec.shape[-len(axes) :]:
        return Fused("RMSNormalization", (x,), nodes, attributes)
    return Fused("RMSNormalization", (x, scale.name), (*nodes, scaled), attributes)


def _group_norm(node: Any, around: Around) -> Fused | None:
    """Find maps of a group each, normalised, channels again, and * scale, + shift if any."""
    nodes = around.chain(node, "InstanceNormalization", "Reshape")
    spec, wanted = around.spec(node.input[0]), around.known.get(node.input[1])
    if not nodes or spec is None or wanted is None or wanted.size != 3 or spec.rank < 2:
        return None
    front, groups, _ = wanted.tolist()
    back = around.is_shape(nodes[-1].input[1], node.input[0], spec)
    if not back or front not in (0, spec.shape[0]):
        return None
    plain = around.filled(nodes[1].input[1], 1) and around.filled(nodes[1].input[2], 0)
    if not plain or groups < 1 or spec.shape[1] % groups:
        return None
    attributes = {"num_groups": groups, "epsilon": _attributes_of(nodes[1]).get("epsilon", 1e-5)}
    both = around.chain(nodes[-1], "Mul", "Add")
    if both:
        weights = [around.weight(n, m.output[0]) for m, n in pairwise(both)]
        per_map = [each.name for each in weights if each is not None and _per_map(each, spec.rank)]
        if len(per_map) == 2 and all(around.stored[n].spec.numel == spec.shape[1] for n in per_map):
            inputs = (node.input[0], *per_map)
            return Fused("GroupNormalization", inputs, (*nodes, *both[1:]), attributes)
    return Fused("GroupNormalization", (node.input[0],), nodes, attributes)


def _subsampling(node: Any, around: Around) -> Fused | None:
    attributes = _attributes_of(node)
    kernel, stride = attributes.get("kernel_shape", []), attributes.get("strides", [])
    others = set(attributes) - {"kernel_shape", "strides", "count_include_pad"}
    nodes = around.chain(node, "Mul", "Add")
    if others or len(kernel) != 2 or kernel != stride or not nodes:
        return None
    scale = around.weight(nodes[1], node.output[0])
    shift = around.weight(nodes[2], nodes[1].output[0])
    if scale is None or shift is None or not (_per_map(scale, 4) and _per_map(shift, 4)):
        return None
    if scale.spec.numel != shift.spec.numel:
        return None
    return Fused("Subsampling", (node.input[0], scale.name, shift.name), nodes)


def _per_map(stored: Stored, rank: int) -> bool:
    """Return whether a tensor has one element per map: (c, 1, 1) or (1, c, 1, 1) of rank 4."""
    shape, back = stored.spec.shape, rank - 2
    ones = len(shape) > back and set(shape[len(shape) - back :]) <= {1}
    return ones and stored.spec.numel == shape[-back - 1]


# -- attention -------------------------------------------------------------------------------------


def _attention(node: Any, around: Around) -> Fused | None:
    """Find q k^T, / sqrt(d), + mask if any, softmax, * v."""
    scaled = around.chain(node, "MatMul", "Mul")
    keys = around.spec(node.input[0])
    if not scaled or keys is None or list(scaled[1].input)[1:] != list(node.output):
        return None
    order = list(_attributes_of(node).get("perm", ()))
    turned = [*range(keys.rank - 2), keys.rank - 1, keys.rank - 2]
    if order != turned or not around.combines(
        scaled[2], scaled[1].output[0], 1 / sqrt(keys.shape[-1])
    ):
        return None
    nodes, mask = _masked(scaled, around)
    ending = around.chain(nodes[-1], "Softmax", "MatMul")
    if not ending or _attributes_of(ending[1]).get("axis") not in (-1, keys.rank - 1):
        return None
    q, v = scaled[1].input[0], ending[2].input[1]
    fronts = {None if s is None else s.shape[:-2] for s in map(around.spec, (q, node.input[0], v))}
    if ending[2].input[0] != ending[1].output[0] or len(fronts) > 1:
        return None
    return Fused("ScaledAttention", (q, node.input[0], v, *mask), (*nodes, *ending[1:]))


def _masked(nodes: tuple[Any, ...], around: Around) -> tuple[tuple[Any, ...], list[str]]:
    scores = nodes[-1].output[0]
    added, chosen = around.behind(nodes[-1], "Add"), around.behind(nodes[-1], "Where")
    if added is not None:
        return (*nodes, added), [each for each in added.input if each != scores]
    if chosen is not None and chosen.input[1] == scores and around.filled(chosen.input[2], -inf):
        return (*nodes, chosen), [chosen.input[0]]
    return nodes, []


_BEGINNINGS: dict[str, tuple[Callable[[Any, Around], Fused | None], ...]] = {
    "MatMul": (_layer,),
    "Transpose": (_attention,),
    "Sigmoid": (_swish,),
    "Softplus": (_mish,),
    "Neg": (_log_sigmoid,),
    "Div": (_gelu,),
    "Reshape": (_group_norm,),
    "AveragePool": (_subsampling,),
    "Mul": (_scaled_tanh, _rms_norm),
}
"""The operator that comes first, and what may follow it."""
