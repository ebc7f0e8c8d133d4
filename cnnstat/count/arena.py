"""The tensors that are alive at the peak of an ideal allocator, and where an arena would put them.

The peak is that of ``storage.live_bytes``. The plan is greedy by size, as TensorFlow Lite makes it:
the largest tensor first, each at the lowest offset where it touches no tensor that is alive at the
same time. Its extent is at least the peak and may be more: gaps between tensors are lost.
"""

from __future__ import annotations

from bisect import insort
from operator import attrgetter
from typing import NamedTuple

from cnnstat.count.storage import Placement, last_uses, live_bytes, owned_bytes
from cnnstat.ir.graph import ShapedGraph, Value

MOST = 4096
"""Tensors of the largest plan that is made: the time grows with their square."""


class ArenaTensor(NamedTuple):
    """A tensor: its node, its bytes, the nodes at which its life begins and ends, its offset."""

    node: int
    bytes: int
    first: int
    last: int
    offset: int


def arena(shaped: ShapedGraph, placement: Placement) -> tuple[ArenaTensor, ...] | None:
    """Return the plan of all tensors in the order of execution; None for more than ``MOST``."""
    sizes, last = owned_bytes(shaped, placement), last_uses(shaped.graph, placement)
    owners = [index for index, size in enumerate(sizes) if size]
    if len(owners) > MOST:
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
