"""What is alive when: the bytes of results from the node that makes each to its last reader.

An arena is a plan of the tensors under an ideal allocator, greedy by size as TensorFlow Lite makes
it: the largest first, each at the lowest offset where it touches no tensor that is alive at that
time. Its extent is at least the peak and may be more: gaps between tensors are lost.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from itertools import accumulate
from operator import attrgetter, sub
from typing import NamedTuple

from cnnstat.count.placement import Placement
from cnnstat.ir.graph import Graph, ShapedGraph, Value
from cnnstat.ir.op import Op, Specs


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
