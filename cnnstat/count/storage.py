"""Which results live in memory of their own, which operators share a row, what is alive when.

An in-place operator (normalisation, activation, dropout) writes over its input as long as nothing
else reads that; then it also shares its layer's row. A view never takes memory; it shares the row
of its only reader, or of what it is a view of. Everything else owns its results. What is made of
stored tensors and constants alone, element by element (masks, ranges, anchors), shares the row of
its first reader. Rows and bytes follow from this one rule, so their sums agree in every view of the
table.

An arena is a plan of the tensors under an ideal allocator, greedy by size as TensorFlow Lite makes
it: the largest first, each at the lowest offset where it touches no tensor that is alive at that
time. Its extent is at least the peak and may be more: gaps between tensors are lost.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import attrgetter, sub
from typing import NamedTuple

from cnnstat.ir.graph import Graph, Node, ShapedGraph, Value
from cnnstat.ir.op import Elementwise, NoWeights, NoWork, Op, Specs


@dataclass(frozen=True, slots=True)
class Placement:
    """Per node, in the graph's order: where its first result lives and which row it belongs to.

    ``owns`` tells memory of its own, ``root`` is the node whose memory it is, ``row`` the node
    after which the row is named: the layer that the node belongs to. ``prepared`` nodes read
    nothing that enters the model.
    """

    owns: tuple[bool, ...]
    root: tuple[int, ...]
    row: tuple[int, ...]
    prepared: frozenset[int] = frozenset()


def place(graph: Graph) -> Placement:
    """Return where every node's first result lives and which row it belongs to."""
    nodes = graph.nodes
    count = len(nodes)
    readers = graph.consumers()
    leaving = {v.node for v in (*graph.outputs, *graph.training_outputs)}
    owns = [True] * count
    root = list(range(count))
    row = list(range(count))
    forward = [False] * count  # belongs to the row of its only reader
    alone = [not node.op.is_input for node in nodes]  # no other tensor shows this memory
    for index, node in enumerate(nodes):
        storage = node.op.storage
        if storage == "own":
            continue
        only_reader = len(readers[index]) == 1 and index not in leaving
        if not node.inputs:  # a stored tensor: its memory is that of the weights
            owns[index], forward[index], alone[index] = False, only_reader, False
            continue
        producer = node.inputs[0].node
        free = len(readers[producer]) == 1 and producer not in leaving and alone[producer]
        if storage == "view":
            owns[index], root[index], alone[index] = False, root[producer], free
            forward[index] = only_reader
            if not only_reader:  # read here and there, or nowhere: it shows its producer's row
                row[index] = _row_behind_views(nodes, forward, row, producer)
        elif free:
            owns[index], root[index] = False, root[producer]
            if forward[producer]:
                forward[index] = only_reader
            else:
                row[index] = row[producer]
    prepared = _prepared(nodes)
    tied: dict[int, int] = {}  # a stored tensor -> the first layer whose weight it is
    for index, node in enumerate(nodes):
        if node.tied_to in prepared:
            tied.setdefault(node.tied_to, index)
    for index in range(count - 1, -1, -1):
        users = [*readers[index][:1], *([tied[index]] if index in tied else [])]
        if users and (forward[index] or (index in prepared and index not in leaving)):
            row[index] = row[min(users)]
    _place_named(nodes, row)
    return Placement(tuple(owns), tuple(root), tuple(row), prepared)


def _prepared(nodes: tuple[Node, ...]) -> frozenset[int]:
    """Return the nodes that are the same whatever enters, and cheap: nothing there multiplies."""
    prepared: set[int] = set()
    for index, node in enumerate(nodes):
        op = node.op
        cheap = isinstance(op, NoWork) or (
            isinstance(op, NoWeights) and isinstance(op, Elementwise)
        )
        free = isinstance(op, NoWeights) or node.is_stored
        if cheap and free and not op.is_input and all(v.node in prepared for v in node.inputs):
            prepared.add(index)
    return frozenset(prepared)


def _place_named(nodes: tuple[Node, ...], row: list[int]) -> None:
    """Put nodes that name their row into it: after its main node, or after the first one there."""
    anchors: dict[str, int] = {}
    for index, node in enumerate(nodes):
        if node.row and (node.row not in anchors or node.name == node.row):
            anchors[node.row] = index
    for index, node in enumerate(nodes):
        if node.row:
            row[index] = anchors[node.row]


def _row_behind_views(
    nodes: tuple[Node, ...], forward: list[bool], row: list[int], producer: int
) -> int:
    """Return the row of what a chain of views shows; a stored tensor at its start stays there."""
    while forward[producer] and nodes[producer].inputs:
        producer = nodes[producer].inputs[0].node
    forward[producer] = False
    return row[producer]


def owned_bytes(shaped: ShapedGraph, placement: Placement) -> list[int]:
    """Return the bytes that each node adds to memory: its results, less those that live elsewhere.

    In place, the first result lives elsewhere; of a view, all do.
    """
    rows = zip(shaped.nodes, shaped.facts, placement.owns, strict=True)
    return [allocated_bytes(node.op, facts.outputs, owns=owns) for node, facts, owns in rows]


def allocated_bytes(op: Op, outputs: Specs, *, owns: bool) -> int:
    """Return the bytes that an operator adds to memory; ``owns``: its first result is its own."""
    elsewhere = 0
    if not owns:
        elsewhere = len(outputs) if op.storage == "view" else 1
    return sum([spec.nbytes for spec in outputs[elsewhere:]])


def last_uses(graph: Graph, placement: Placement) -> list[int]:
    """Return for each node the last node that reads it or a view of it, at least itself.

    A result that leaves the graph lives to its end: the number of nodes.
    """
    count = len(graph.nodes)
    last = list(range(count))
    root = placement.root
    for index, node in enumerate(graph.nodes):
        for value in node[2]:
            last[root[value[0]]] = index
            last[value[0]] = index
    for value in (*graph.outputs, *graph.training_outputs):
        last[root[value.node]] = count
        last[value.node] = count
    return last


def alive(sizes: Sequence[int], last: Sequence[int]) -> list[int]:
    """Return the bytes alive while each node runs, from what each adds and its last use."""
    dying = [0] * (len(sizes) + 2)
    for size, end in zip(sizes, last, strict=True):
        dying[end + 1] += size  # gone when the node after its last reader runs
    return list(accumulate(map(sub, sizes, dying)))


def live_bytes(shaped: ShapedGraph, placement: Placement) -> list[int]:
    """Return what is alive while each node runs, its inputs and results included.

    An ideal allocator: each tensor is freed after the last node that reads it or a view of it;
    inputs live until their last use, outputs to the end. Weights are not part of it.
    """
    return alive(owned_bytes(shaped, placement), last_uses(shaped.graph, placement))


def peak_bytes(shaped: ShapedGraph, placement: Placement) -> tuple[int, int]:
    """Return the largest entry of ``live_bytes`` and the node at which it occurs first."""
    timeline = live_bytes(shaped, placement)
    peak = max(timeline)
    return peak, timeline.index(peak)


MOST_PLANNED = 4096
"""Tensors of the largest plan that is made: the time grows with their square."""


class ArenaTensor(NamedTuple):
    """A tensor: its node, its bytes, the nodes at which its life begins and ends, its offset."""

    node: int
    bytes: int
    first: int
    last: int
    offset: int


def arena(shaped: ShapedGraph, placement: Placement) -> tuple[ArenaTensor, ...] | None:
    """Return the plan of the tensors in the order of execution; None of over ``MOST_PLANNED``."""
    sizes, last = owned_bytes(shaped, placement), last_uses(shaped.graph, placement)
    owners = [index for index, size in enumerate(sizes) if size]
    if len(owners) > MOST_PLANNED:
        return None
    placed: list[ArenaTensor] = []  # by offset
    for index in sorted(owners, key=lambda index: (-sizes[index], index)):
        offset = 0
        end = last[index]
        for other in placed:
            if other.first > end or index > other.last:
                continue
            if other.offset >= offset + sizes[index]:
                break
            offset = max(offset, other.offset + other.bytes)
        made = ArenaTensor(index, sizes[index], index, last[index], offset)
        insort(placed, made, key=attrgetter("offset"))
    return tuple(sorted(placed, key=lambda tensor: tensor.node))


def extent(plan: tuple[ArenaTensor, ...]) -> int:
    """Return the bytes of the arena."""
    return max((tensor.offset + tensor.bytes for tensor in plan), default=0)


def at_peak(shaped: ShapedGraph, placement: Placement) -> tuple[tuple[int, int], ...]:
    """Return the nodes whose tensors are alive at the peak, with their bytes, in order."""
    sizes, last = owned_bytes(shaped, placement), last_uses(shaped.graph, placement)
    timeline = live_bytes(shaped, placement)
    peak = timeline.index(max(timeline))
    return tuple(
        (index, size) for index, size in enumerate(sizes) if size and index <= peak <= last[index]
    )


def shape_of(shaped: ShapedGraph, node: int) -> tuple[int, ...]:
    """Return the shape of a node's first result as it is shown."""
    return shaped.shown(Value(node)).shape
