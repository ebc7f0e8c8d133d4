"""What PyTorch's autograd keeps of a forward pass for the backward pass, operator by operator.

``SAVES`` is read off PyTorch 2.13 on the CPU (derivatives.yaml and the Python functions that are
composed of others) and held against saved-tensor hooks by tests. A storage is kept once, however
many operators keep it; parameters and buffers are there anyway and are not counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from cnnstat.engine.storage import place
from cnnstat.ir.graph import Node, NodeFacts, ShapedGraph
from cnnstat.ir.op import Sliding
from cnnstat.ir.tensor import DTYPE_BYTES

STATISTICS_BYTES = 4
"""Bytes per value of a batch norm's saved mean and deviation: float32 for every model."""


class Kept(NamedTuple):
    """What one operator keeps: its first input's memory, its result's, and bytes of its own."""

    input: bool = False
    output: bool = False
    results: tuple[int, ...] = ()
    """Numbers of further results (the indices of a max-pooling) or, of an unpooling, inputs."""
    own_bytes: int = 0
    """Tensors that nobody else holds: masks, statistics, intermediate results."""
    inputs: tuple[int, ...] = ()
    """Further inputs by position."""


Rule = Callable[[Node, NodeFacts], Kept]

NOTHING = Kept()


def _nothing(node: Node, facts: NodeFacts) -> Kept:
    return NOTHING


def _input(node: Node, facts: NodeFacts) -> Kept:
    return Kept(input=True)


def _output(node: Node, facts: NodeFacts) -> Kept:
    return Kept(output=True)


def _size(facts: NodeFacts) -> int:
    return DTYPE_BYTES[facts.outputs[0].dtype]


def _windowed(node: Node, facts: NodeFacts) -> Kept:
    """Keep the input, or its padded copy where the sides of an axis are padded differently."""
    padded = _padded_bytes(facts)
    return Kept(own_bytes=padded) if padded else Kept(input=True)


def _padded_bytes(facts: NodeFacts) -> int:
    if not isinstance(facts.reach, Sliding):
        return 0
    if all(w.before == w.after for w in facts.reach.windows):
        return 0
    n, c, *extents = facts.inputs[0].shape
    spread = [e + w.before + w.after for e, w in zip(extents, facts.reach.windows, strict=True)]
    return n * c * prod(spread) * _size(facts)


def _batch_norm(node: Node, facts: NodeFacts) -> Kept:
    """Keep the input, and mean and inverse deviation of the batch, one each per channel."""
    return Kept(input=True, own_bytes=2 * facts.inputs[0].shape[1] * STATISTICS_BYTES)


def _max_pool(node: Node, facts: NodeFacts) -> Kept:
    """Keep the input and the int64 indices, the second result where they are asked for."""
    if len(facts.outputs) > 1:
        return Kept(input=True, results=(1,))
    kept = _windowed(node, facts)
    return kept._replace(own_bytes=kept.own_bytes + facts.outputs[0].numel * DTYPE_BYTES["int64"])


def _adaptive_pool(node: Node, facts: NodeFacts) -> Kept:
    """Keep the input; to one element per map it is a mean, which keeps nothing."""
    return NOTHING if set(facts.outputs[0].shape[2:]) == {1} else Kept(input=True)


def _dropout(node: Node, facts: NodeFacts) -> Kept:
    """Keep the mask, which the CPU makes in the dtype of the input."""
    return Kept(own_bytes=facts.outputs[0].nbytes) if getattr(node.op, "p", 0) else NOTHING


def _drop_path(node: Node, facts: NodeFacts) -> Kept:
    """Keep the one draw of the mini-batch."""
    return Kept(own_bytes=_size(facts)) if node.op.survival < 1 else NOTHING


def _fractal_join(node: Node, facts: NodeFacts) -> Kept:
    """Keep the draws of the columns and their sum."""
    if not getattr(node.op, "drop_path", 0):
        return NOTHING
    return Kept(own_bytes=(len(facts.inputs) + 1) * _size(facts))


def _local_response_norm(node: Node, facts: NodeFacts) -> Kept:
    """Keep the input, the padded squares, and base and result of the power."""
    n, c, *extents = facts.inputs[0].shape
    padded = n * (c + getattr(node.op, "size", 1) - 1) * prod(extents)
    return Kept(input=True, own_bytes=(padded + 2 * facts.inputs[0].numel) * _size(facts))


def _scaled_tanh(node: Node, facts: NodeFacts) -> Kept:
    """Keep the tanh before it is scaled."""
    return Kept(own_bytes=facts.outputs[0].nbytes)


def _subsampling(node: Node, facts: NodeFacts) -> Kept:
    """Keep the input, and the sums that the coefficient multiplies."""
    return Kept(input=True, own_bytes=facts.outputs[0].nbytes)


def _rbf(node: Node, facts: NodeFacts) -> Kept:
    """Keep the differences that are squared."""
    return Kept(own_bytes=facts.outputs[0].numel * facts.inputs[0].shape[-1] * _size(facts))


def _connected(node: Node, facts: NodeFacts) -> Kept:
    """Keep the maps gathered for each connection, and the kernels in the order of use."""
    kernels = facts.weights[0].shape
    n, _, *extents = facts.inputs[0].shape
    return Kept(own_bytes=(n * kernels[0] * prod(extents) + prod(kernels)) * _size(facts))


def _unpool(node: Node, facts: NodeFacts) -> Kept:
    """Keep the switches."""
    return Kept(inputs=(1,))


SAVES: dict[str, Rule] = {
    "Input": _nothing,
    "Conv1d": _windowed,
    "Conv2d": _windowed,
    "Conv3d": _windowed,
    "ConnectedConv2d": _connected,
    "ConvTranspose2d": _input,
    "Linear": _input,
    "RBF": _rbf,
    "MaxPool2d": _max_pool,
    "AvgPool2d": _windowed,
    "Subsampling": _subsampling,
    "AdaptiveAvgPool2d": _adaptive_pool,
    "AdaptiveMaxPool2d": _max_pool,
    "GlobalAvgPool2d": _nothing,
    "MaxUnpool2d": _unpool,
    "BatchNorm2d": _batch_norm,
    "LocalResponseNorm": _local_response_norm,
    "ReLU": _output,
    "Tanh": _output,
    "ScaledTanh": _scaled_tanh,
    "Sigmoid": _output,
    "Softmax": _output,
    "Dropout": _dropout,
    "DropPath": _drop_path,
    "Add": _nothing,
    "FractalJoin": _fractal_join,
    "Concat": _nothing,
    "Flatten": _nothing,
    "ZeroPadShortcut": _nothing,
}
"""Operator's name -> what it keeps; an operator that is not here is unknown, never nothing."""

OVERWRITABLE = frozenset(
    {
        "Add",
        "BatchNorm2d",
        "Concat",
        "ConnectedConv2d",
        "Conv1d",
        "Conv2d",
        "Conv3d",
        "ConvTranspose2d",
        "Linear",
    }
)
"""Operators that make a tensor of their own which their backward pass does not read: a ReLU behind
one may write over it."""


def overwriting(shaped: ShapedGraph) -> list[int]:
    """Return the nodes that write over their input: a ReLU whose input nothing else reads."""
    owns = place(shaped).owns
    return [
        index
        for index, node in enumerate(shaped.nodes)
        if node.op.type_name == "ReLU"
        and not owns[index]
        and shaped.nodes[node.inputs[0].node].op.type_name in OVERWRITABLE
    ]


def passes_on(node: Node, *, training: bool) -> bool:
    """Return whether a node gives back its input's memory: a view, or what does not act now."""
    if node.op.storage == "view" and node.inputs:
        return True
    if node.op.type_name == "Dropout":
        return not training or not getattr(node.op, "p", 0)
    return node.op.type_name == "DropPath" and node.op.survival == 1


def roots(shaped: ShapedGraph, *, training: bool) -> list[int]:
    """Return for each node the node whose memory its first result lives in, in eager PyTorch."""
    written = set(overwriting(shaped))
    found: list[int] = []
    for index, node in enumerate(shaped.nodes):
        shared = index in written or passes_on(node, training=training)
        found.append(found[node.inputs[0].node] if shared else index)
    return found


@dataclass(frozen=True, slots=True)
class Saved:
    """Bytes that the backward pass needs, at the node that keeps them first.

    ``keeps`` are the storages that each node keeps, by the node and result that made them;
    ``unknown`` are nodes of which nobody knows what they keep.
    """

    bytes: tuple[int, ...]
    keeps: tuple[tuple[tuple[int, int], ...], ...]
    unknown: tuple[int, ...]

    @property
    def total(self) -> int:
        """Sum over all nodes, each storage once."""
        return sum(self.bytes)


def saved(shaped: ShapedGraph) -> Saved:
    """Return what a training forward pass keeps, each storage at the first node to keep it."""
    root = roots(shaped, training=True)
    learns = requires_grad(shaped)
    sizes: list[int] = []
    keeps: list[tuple[tuple[int, int], ...]] = []
    unknown: list[int] = []
    known: set[tuple[int, int]] = set()
    for index, (node, facts) in enumerate(zip(shaped.nodes, shaped.facts, strict=True)):
        rule = SAVES.get(node.op.type_name)
        if rule is None:
            unknown.append(index)
        kept = rule(node, facts) if rule is not None and learns[index] else NOTHING
        storages = []
        if kept.input:
            storages.append(_storage(root, node.inputs[0]))
        storages += [_storage(root, node.inputs[position]) for position in kept.inputs]
        if kept.output:
            storages.append((root[index], 0))
        storages += [(index, number) for number in kept.results]
        fresh = [storage for storage in dict.fromkeys(storages) if storage not in known]
        known.update(fresh)
        made = sum(shaped.facts[at].outputs[number].nbytes for at, number in fresh)
        sizes.append(made + kept.own_bytes)
        keeps.append(tuple(fresh))
    return Saved(tuple(sizes), tuple(keeps), tuple(unknown))


def requires_grad(shaped: ShapedGraph) -> list[bool]:
    """Return which nodes have a gradient: those with trained weights and all behind them."""
    found: list[bool] = []
    for node, facts in zip(shaped.nodes, shaped.facts, strict=True):
        trained = any(weight.role != "buffer" for weight in facts.weights)
        found.append(trained or any(found[value.node] for value in node.inputs))
    return found


def _storage(root: list[int], value: tuple[int, int]) -> tuple[int, int]:
    node, number = value
    return (root[node], 0) if number == 0 else (node, number)
