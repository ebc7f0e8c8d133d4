"""How far one element of a result reads back into the inputs, axis by axis.

An operator answers for each axis of each input which elements along it one element of the result
reads: a window around its own position, listed elements, all of them, or unknown. ``count``
follows these answers through a graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod
from types import MappingProxyType
from typing import Literal, NamedTuple

from cnnstat.ir.window import Window

Shape = tuple[int, ...]

POINT = Window(1)
"""The window of one element at the result's own position."""


class Slide(NamedTuple):
    """A window around the position along ``axis`` of the result."""

    axis: int
    window: Window = POINT
    transposed: bool = False


class Ranges(NamedTuple):
    """First and last element for each position along ``axis`` of the result; None: no element."""

    axis: int
    ranges: tuple[tuple[int, int] | None, ...]


LISTED = 2**16
"""Most positions that are listed one by one: an extent is a number in a file, of any size."""


def listed(
    axis: int, length: int, read: Callable[[int], tuple[int, int] | int | None]
) -> AxisReach:
    """Return the elements that each of ``length`` positions reads: first and last, one, or none.

    Unknown on a very long axis, which is not listed.
    """
    if length > LISTED:
        return "unknown"
    entries = [read(position) for position in range(length)]
    return Ranges(axis, tuple([(e, e) if isinstance(e, int) else e for e in entries]))


def so_far(axis: int, length: int) -> AxisReach:
    """Return the reach of positions that read all before them."""
    return listed(axis, length, lambda end: (0, end))


def own(rank: int, others: Mapping[int, AxisReach] = MappingProxyType({})) -> tuple[AxisReach, ...]:
    """Return the own position along every axis but the ``others``."""
    return tuple([others.get(axis) or Slide(axis) for axis in range(rank)])


class Placed(NamedTuple):
    """The input stands at ``start`` along ``axis`` of the result, which reads nothing elsewhere."""

    axis: int
    start: int


class Fold(NamedTuple):
    """One element: the position on the ``sources`` axes is that on ``axes``, both row by row."""

    sources: tuple[int, ...]
    axes: tuple[int, ...]


class Pick(NamedTuple):
    """The same element for every position of the result."""

    position: int


AxisReach = Slide | Ranges | Placed | Fold | Pick | Literal["whole", "unknown"]


class Sliding(NamedTuple):
    """A window of each spatial axis (after batch and channels) of the first input.

    ``groups`` of channels are read by themselves; None: each channel is.
    """

    windows: tuple[Window, ...]
    transposed: bool = False
    groups: int | None = None


class ByAxis(NamedTuple):
    """The reach along each axis of each input; None: nothing of this input but its shape."""

    inputs: tuple[tuple[AxisReach, ...] | None, ...]


Reach = Sliding | ByAxis | Literal["elementwise", "unknown"]
"""The reach of one element of a result: windows, an answer for each axis, its own position in every
input (``elementwise``, inputs are broadcast), or unknown."""


def aligned(shape: Shape, result: Shape) -> tuple[AxisReach, ...]:
    """Return what an elementwise operator reads of a tensor that is broadcast to ``result``."""
    missing = len(result) - len(shape)
    return tuple(
        [
            Pick(0) if n == 1 < result[axis + missing] else Slide(axis + missing)
            for axis, n in enumerate(shape)
        ]
    )


def without(rank: int, axes: Iterable[int], *, keepdim: bool) -> tuple[AxisReach, ...]:
    """Return the reach of a reduction: all elements of ``axes``, its own position elsewhere."""
    reduced = {axis % rank for axis in axes}
    answers: list[AxisReach] = []
    position = 0
    for axis in range(rank):
        answers.append("whole" if axis in reduced else Slide(position))
        position += keepdim or axis not in reduced
    return tuple(answers)


def normalised(shape: Shape, axes: Iterable[int]) -> ByAxis:
    """Return the reach of a normalisation over ``axes``; a single element becomes a constant."""
    over = [axis % len(shape) for axis in axes]
    if prod(shape[axis] for axis in over) == 1:
        return ByAxis((None,))
    return ByAxis((without(len(shape), over, keepdim=True),))


def permuted(order: Sequence[int]) -> tuple[AxisReach, ...]:
    """Return the reach of a permutation: axis ``order[i]`` becomes axis i."""
    rank = len(order)
    return tuple(Slide([each % rank for each in order].index(axis)) for axis in range(rank))


def regrouped(before: Shape, after: Shape) -> tuple[AxisReach, ...]:
    """Return the reach of a reshaping: axes with the same elements in the same order belong."""
    answers: list[AxisReach] = [Fold((axis,), ()) for axis in range(len(before))]
    sources = [axis for axis, n in enumerate(before) if n != 1]
    targets = [axis for axis, n in enumerate(after) if n != 1]
    while sources and targets:
        left, right = [sources.pop(0)], [targets.pop(0)]
        while (a := prod(before[i] for i in left)) != (b := prod(after[i] for i in right)):
            rest, taken = (sources, left) if a < b else (targets, right)
            if not rest:
                return tuple(["unknown" for _ in before])
            taken.append(rest.pop(0))
        alone = len(left) == len(right) == 1
        for axis in left:
            answers[axis] = Slide(right[0]) if alone else Fold(tuple(left), tuple(right))
    return tuple(answers)
