"""Memory of a forward pass and of a training step, in eager PyTorch and under an ideal allocator.

Eager PyTorch makes a tensor for every operator that does not write over its input, frees it when
its last reader is done, and keeps the caller's inputs; operators that are composed of others hold
intermediate results while they run (``WORKING``). Held against storage tracking by tests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Literal

from cnnstat.engine.autograd import roots, saved
from cnnstat.engine.storage import live_bytes, place
from cnnstat.errors import unknown
from cnnstat.ir.graph import Node, NodeFacts, ShapedGraph
from cnnstat.ir.op import Sliding
from cnnstat.ir.tensor import DTYPE_BYTES

Mode = Literal["inference", "training"]

OPTIMIZERS: dict[str, int] = {"sgd": 0, "momentum": 1, "adam": 2, "adamw": 2}
"""Copies of the parameters that an optimiser keeps as its state."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Live bytes while each node runs: its inputs, its results, what it holds meanwhile."""

    bytes: tuple[int, ...]

    @property
    def peak(self) -> int:
        """The largest entry."""
        return max(self.bytes)

    @property
    def peak_node(self) -> int:
        """The first node at which the peak occurs."""
        return self.bytes.index(self.peak)


def eager_inference(shaped: ShapedGraph) -> Timeline:
    """Return the live bytes of an inference pass in eager PyTorch, weights not included."""
    graph = shaped.graph
    root = roots(shaped, training=False)
    count = len(graph.nodes)
    running = [i for i, node in enumerate(graph.nodes) if not node.training_only]
    last: dict[tuple[int, int], int] = {}
    for index in running:
        for value in graph.nodes[index].inputs:
            last[_storage(root, value)] = index
    for value in graph.outputs:
        last[_storage(root, value)] = count
    dying: dict[int, int] = {}
    alive = 0
    timeline = [0] * count
    for index in running:
        node, facts = graph.nodes[index], shaped.facts[index]
        made = _made(root, index, facts, last)
        if node.op.is_input:
            alive += made
            timeline[index] = alive
            continue
        during = WORKING.get(node.op.type_name, _results)(node, facts) if made else 0
        timeline[index] = alive + max(during, made)
        alive += made
        for number, spec in enumerate(facts.outputs):
            storage = (index, number)
            if number or root[index] == index:
                end = last.get(storage, index)
                dying[end] = dying.get(end, 0) + spec.nbytes
        alive -= dying.pop(index, 0)
    return Timeline(tuple(timeline))


def ideal_inference(shaped: ShapedGraph) -> Timeline:
    """Return the live bytes under an ideal allocator, which works in place wherever it can."""
    return Timeline(tuple(live_bytes(shaped, place(shaped))))


def _made(root: list[int], index: int, facts: NodeFacts, last: dict[tuple[int, int], int]) -> int:
    first = 0 if root[index] == index else 1
    return sum(spec.nbytes for spec in facts.outputs[first:])


def _storage(root: list[int], value: tuple[int, int]) -> tuple[int, int]:
    node, number = value
    return (root[node], 0) if number == 0 else (node, number)


Working = Callable[[Node, NodeFacts], int]


def _results(node: Node, facts: NodeFacts) -> int:
    return sum(spec.nbytes for spec in facts.outputs)


def _twice(node: Node, facts: NodeFacts) -> int:
    """Return twice the result: an intermediate one of its size stands beside the next."""
    return 2 * facts.outputs[0].nbytes


def _thrice(node: Node, facts: NodeFacts) -> int:
    """Return the sums, their product with the coefficient, and the result with the bias."""
    return 3 * facts.outputs[0].nbytes


def _max_pool(node: Node, facts: NodeFacts) -> int:
    """Return result and int64 indices, which PyTorch makes even where nobody asks for them."""
    numel = facts.outputs[0].numel
    return facts.outputs[0].nbytes + numel * DTYPE_BYTES["int64"] + _padded(facts)


def _windowed(node: Node, facts: NodeFacts) -> int:
    """Return the result, and a padded copy where the two sides of an axis differ."""
    return facts.outputs[0].nbytes + _padded(facts)


def _padded(facts: NodeFacts) -> int:
    if not isinstance(facts.reach, Sliding):
        return 0
    if all(w.before == w.after for w in facts.reach.windows):
        return 0
    n, c, *extents = facts.inputs[0].shape
    spread = [e + w.before + w.after for e, w in zip(extents, facts.reach.windows, strict=True)]
    return n * c * prod(spread) * DTYPE_BYTES[facts.inputs[0].dtype]


def _local_response_norm(node: Node, facts: NodeFacts) -> int:
    """Return the squares and their padded copy, or three steps of the power, whichever is more."""
    n, c, *extents = facts.inputs[0].shape
    whole = facts.inputs[0].nbytes
    padded = n * (c + getattr(node.op, "size", 1) - 1) * prod(extents)
    return max(whole + padded * DTYPE_BYTES[facts.inputs[0].dtype], 3 * whole)


def _rbf(node: Node, facts: NodeFacts) -> int:
    """Return all differences and their squares."""
    terms = facts.outputs[0].nbytes * facts.inputs[0].shape[-1]
    return 2 * terms


def _connected(node: Node, facts: NodeFacts) -> int:
    """Return the most of the groups by fan-in, one by one, and of putting them in order."""
    table: tuple[tuple[int, ...], ...] = getattr(node.op, "connections", ())
    size = DTYPE_BYTES[facts.outputs[0].dtype]
    taps = prod(facts.weights[0].shape[1:])
    n, _, *given = facts.inputs[0].shape
    _, _, *made = facts.outputs[0].shape
    peak = parts = kernels = 0
    for fan_in in sorted(set(map(len, table))):
        rows = sum(1 for row in table if len(row) == fan_in)
        before, kernels = kernels, rows * fan_in * taps
        peak = max(peak, parts + before + kernels)
        group = n * rows * prod(made)
        gathered = n * rows * fan_in * prod(given)
        peak = max(peak, parts + kernels + gathered + rows + group)
        parts += group
    return size * max(peak, 2 * parts + kernels, 3 * parts + kernels)


WORKING: dict[str, Working] = {
    "MaxPool2d": _max_pool,
    "AdaptiveMaxPool2d": _max_pool,
    "Conv1d": _windowed,
    "Conv2d": _windowed,
    "Conv3d": _windowed,
    "AvgPool2d": _windowed,
    "LocalResponseNorm": _local_response_norm,
    "ScaledTanh": _twice,
    "FractalJoin": _twice,
    "Subsampling": _thrice,
    "RBF": _rbf,
    "ConnectedConv2d": _connected,
}
"""Operator's name -> bytes that it holds while it runs, without its inputs; else its results."""


def optimizer_copies(name: str) -> int:
    """Return how many copies of the parameters an optimiser keeps; raise ``UsageError``."""
    if name not in OPTIMIZERS:
        raise unknown("optimizer", name, OPTIMIZERS)
    return OPTIMIZERS[name]


def saved_bytes(shaped: ShapedGraph) -> int:
    """Return what autograd keeps of a training forward pass."""
    return saved(shaped).total
