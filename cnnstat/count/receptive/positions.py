"""The elements of one input axis that a tensor's elements read, listed position by position.

A state describes one tensor and one input axis. ``Along`` is the regular one: the position along an
axis of the tensor slides over the input (``lines``). ``Table`` lists the elements read, position by
position; ``Folded`` is a state after a reshaping, ``Either`` one that differs between parts of an
axis (a concatenation), ``Fixed`` the same for every position. A table that would be too large is
unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from math import prod
from typing import Any, Literal, NamedTuple

from cnnstat.count.receptive.lines import Interval, Line, taps
from cnnstat.ir.reach import AxisReach, Fold, Pick, Placed, Ranges, Shape, Slide
from cnnstat.ir.window import Window

MOST_ENTRIES = 1 << 16
"""Entries of a table; larger ones are unknown."""


class Fixed(NamedTuple):
    """The same elements for every position: first and last."""

    low: int
    high: int


class Along(NamedTuple):
    """The elements that a line reads at the position along ``axis``."""

    axis: int
    line: Line


class Table(NamedTuple):
    """An entry for each position along ``axes``, row by row."""

    axes: tuple[int, ...]
    extents: Shape
    entries: tuple[Any, ...]


class Folded(NamedTuple):
    """``inner`` on axes of ``extents`` that a reshaping turned into ``axes`` of ``result``."""

    inner: State
    sources: tuple[int, ...]
    extents: Shape
    axes: tuple[int, ...]
    result: Shape


class Either(NamedTuple):
    """``parts`` by position: each entry of ``which`` is the set of parts that are read there."""

    which: Table
    parts: tuple[State, ...]


Nobody = Literal["nothing", "unknown"]
State = Fixed | Along | Table | Folded | Either | Nobody
Answers = tuple[AxisReach, ...]
Combine = Callable[[Any, Any], Any]


def fixed(interval: Interval | None) -> State:
    """Return the state of a tensor whose every element reads this."""
    return "nothing" if interval is None else Fixed(*interval)


def is_point(answer: AxisReach) -> bool:
    """Return whether each position reads the element at that position."""
    return isinstance(answer, Slide) and answer.window == Window(1) and not answer.transposed


def union(one: frozenset[int] | None, other: frozenset[int] | None) -> frozenset[int] | None:
    """Return the parts that either set names."""
    return (one or frozenset()) | (other or frozenset())


def aligned(one: Table, other: Table) -> tuple[Table, Table] | None:
    """Return two tables on the same axes; None where they would be too large."""
    extents = dict(zip(one.axes, one.extents, strict=True))
    extents |= dict(zip(other.axes, other.extents, strict=True))
    axes = tuple(sorted(extents))
    left, right = spread(one, axes, extents), spread(other, axes, extents)
    return None if left is None or right is None else (left, right)


def spread(table: Table, axes: tuple[int, ...], extents: dict[int, int]) -> Table | None:
    """Return a table on these axes in this order, the same along those that it lacks."""
    known = dict(zip(table.axes, table.extents, strict=True))
    shape = tuple(known.get(axis, extents.get(axis, 1)) for axis in axes)
    if prod(shape) > MOST_ENTRIES:
        return None
    if axes == table.axes:
        return table
    steps = dict.fromkeys(axes, 0)
    step = 1
    for axis, n in reversed(list(zip(table.axes, table.extents, strict=True))):
        steps[axis] = step
        step *= n
    places = [0]
    for axis, n in zip(axes, shape, strict=True):
        places = [place + position * steps[axis] for place in places for position in range(n)]
    return Table(axes, shape, tuple([table.entries[place] for place in places]))


def simple(table: Table) -> State:
    """Return a table of intervals without the axes along which nothing changes."""
    axes, extents, entries = table
    if not entries:
        return "unknown"  # a tensor without elements
    for axis in axes:
        at = axes.index(axis)
        inner, n = prod(extents[at + 1 :]), extents[at]
        block = inner * n
        first = [entries[i : i + inner] for i in range(0, len(entries), block)]
        if all(
            entries[i + k * inner : i + (k + 1) * inner] == first[i // block]
            for i in range(0, len(entries), block)
            for k in range(1, n)
        ):
            axes, extents = (*axes[:at], *axes[at + 1 :]), (*extents[:at], *extents[at + 1 :])
            entries = tuple([entry for part in first for entry in part])
    return fixed(entries[0]) if not axes else Table(axes, extents, entries)


def moved_table(
    table: Table, answers: Answers, before: Shape, after: Shape, combine: Combine
) -> Table | Nobody:
    """Return a table as a result has it; ``combine`` joins what several positions read."""
    if not table.entries or not prod(after):
        return "unknown"  # a tensor without elements
    axes: list[int | None] = []
    extents, entries = list(table.extents), table.entries
    folds = [answers[axis] for axis in table.axes if isinstance(answers[axis], Fold)]
    if folds:
        return _moved_fold(table, answers, before, after, combine)
    for place, axis in enumerate(table.axes):
        answer = answers[axis]
        if answer == "unknown":
            return "unknown"
        if isinstance(answer, Placed | Slide) and after[answer.axis] > MOST_ENTRIES:
            return "unknown"
        reached, target = _taps(answer, extents[place], after)
        if reached is not None:
            entries = _along(entries, extents, place, reached, combine)
            extents[place] = len(reached)
        axes.append(target)
    left = [(axis, n) for axis, n in zip(axes, extents, strict=True) if axis is not None]
    names = tuple(axis for axis, _ in left)
    if len(set(names)) < len(names) or prod(extents) > MOST_ENTRIES:
        return "unknown"
    return Table(names, tuple(n for _, n in left), entries)


def _taps(answer: AxisReach, n: int, after: Shape) -> tuple[list[Sequence[int]] | None, int | None]:
    """Return the old positions of each new one (None: unchanged), and the axis of the result."""
    if answer == "whole":
        return [range(n)], None
    if isinstance(answer, Pick):
        return [(answer.position,)], None
    if isinstance(answer, Placed):
        positions = range(after[answer.axis])
        return [
            (p - answer.start,) if 0 <= p - answer.start < n else () for p in positions
        ], answer.axis
    if isinstance(answer, Ranges):
        return [range(r[0], r[1] + 1) if r else () for r in answer.ranges], answer.axis
    if not isinstance(answer, Slide):
        raise TypeError(answer)
    if is_point(answer) and after[answer.axis] == n:
        return None, answer.axis
    made = range(after[answer.axis])
    return [taps(answer.window, p, n, transposed=answer.transposed) for p in made], answer.axis


def _along(
    entries: tuple[Any, ...],
    extents: list[int],
    place: int,
    taps: list[Sequence[int]],
    combine: Combine,
) -> tuple[Any, ...]:
    """Return entries with one axis read at other positions."""
    n, inner = extents[place], prod(extents[place + 1 :])
    made: list[Any] = []
    for start in range(0, len(entries), n * inner):
        rows = [entries[start + k * inner : start + (k + 1) * inner] for k in range(n)]
        for positions in taps:
            if len(positions) == 1:
                made += rows[positions[0]]
            elif not positions:
                made += [None] * inner
            else:
                chosen = [rows[p] for p in positions]
                made += [reduce(combine, column) for column in zip(*chosen, strict=True)]
    return tuple(made)


def _moved_fold(
    table: Table, answers: Answers, before: Shape, after: Shape, combine: Combine
) -> Table | Nobody:
    """Return a table after a reshaping, whose other axes keep their place."""
    read = [answers[axis] for axis in table.axes]
    groups = dict.fromkeys(answer for answer in read if isinstance(answer, Fold))
    names: list[int] = []
    order = [axis for axis in table.axes if not isinstance(answers[axis], Fold)]
    sources = [axis for fold in groups for axis in fold.sources]
    current = spread(table, (*order, *sources), {axis: before[axis] for axis in sources})
    if current is None:
        return "unknown"
    for axis in order:
        answer = answers[axis]
        if not isinstance(answer, Slide):
            return "unknown"
        names.append(answer.axis)
    extents = list(current.extents[: len(order)])
    for fold in groups:
        names += fold.axes
        extents += [after[axis] for axis in fold.axes]
    return Table(tuple(names), tuple(extents), current.entries)
