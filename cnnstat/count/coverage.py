"""The elements of one input axis that a tensor's elements read, and how operators change them.

A state describes one tensor and one input axis. ``Along`` is the regular one: the position along an
axis of the tensor slides over the input (``lines``). ``Table`` lists the elements read, position by
position; ``Folded`` is a state behind a reshaping, ``Either`` one that differs between parts of an
axis (a concatenation), ``Fixed`` the same for every position. What is too large to list is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from math import prod
from typing import Any, Literal, NamedTuple

from cnnstat.count.lines import Interval, Line, hull, intervals, slid, taps
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


def moved(state: State, answers: Answers, before: Shape, after: Shape) -> State:
    """Return the state of a result, from that of an input whose axes are read as ``answers`` say.

    ``before`` and ``after`` are the shapes of the input and of the result.
    """
    if isinstance(state, Along):
        return _moved_along(state, answers, before, after)
    if isinstance(state, Table):
        table = _moved_table(state, answers, before, after, hull)
        return _simple(table) if isinstance(table, Table) else table
    if isinstance(state, Folded):
        return _moved_folded(state, answers, before, after)
    if isinstance(state, Either):
        return _moved_either(state, answers, before, after)
    return _spaced(state, answers, before, after) if isinstance(state, Fixed) else state


def _spaced(state: Fixed, answers: Answers, before: Shape, after: Shape) -> State:
    """Return a state that reads nothing where all taps of a window miss the tensor."""
    for n, answer in zip(before, answers, strict=True):
        if not isinstance(answer, Slide) or not _can_miss(answer):
            continue
        made = after[answer.axis]
        if made > MOST_ENTRIES:
            continue
        reached = [taps(answer.window, p, n, transposed=answer.transposed) for p in range(made)]
        if not all(reached):
            entries = [(state.low, state.high) if each else None for each in reached]
            return Table((answer.axis,), (made,), tuple(entries)) if any(reached) else "nothing"
    return state


def _can_miss(slide: Slide) -> bool:
    """Return whether a window can fall between the elements or lie in the padding alone."""
    window = slide.window
    beyond = max(window.before, window.after) >= window.extent
    return slide.transposed or window.dilation > 1 or beyond


def concatenated(
    states: Sequence[State], answers: Sequence[Answers], shapes: Sequence[Shape], after: Shape
) -> State:
    """Return the state of inputs that stand side by side along one axis, as ``Placed`` says."""
    axis = next(answer.axis for answer in answers[0] if isinstance(answer, Placed))
    entered = [
        moved(state, read, before, after)
        for state, read, before in zip(states, answers, shapes, strict=True)
    ]
    if "unknown" in entered:
        return "unknown"
    if any(axis in axes_of(part) and not _is_split(part, axis) for part in entered):
        sides = zip(entered, shapes, answers, strict=True)
        return _all_of([_bounded(part, axis, before, read, after) for part, before, read in sides])
    which: list[frozenset[int]] = []
    parts: list[State] = []
    for state, part, before in zip(states, entered, shapes, strict=True):
        if isinstance(state, Either) and state.which.axes == (axis,):
            which += [frozenset(i + len(parts) for i in each or ()) for each in state.which.entries]
            parts += state.parts
        else:
            which += [frozenset((len(parts),))] * before[axis]
            parts.append(part)
    return _chosen(Table((axis,), (len(which),), tuple(which)), tuple(parts))


def _bounded(state: State, axis: int, before: Shape, read: Answers, after: Shape) -> State:
    """Return a state that reads nothing outside its place along an axis."""
    if isinstance(state, Either):
        parts = tuple(_bounded(part, axis, before, read, after) for part in state.parts)
        return Either(state.which, parts)
    table = _table(state)
    start = next(answer.start for answer in read if isinstance(answer, Placed))
    if not isinstance(table, Table) or axis in table.axes:
        return table
    if after[axis] > MOST_ENTRIES:
        return "unknown"
    inside = [start <= position < start + before[axis] for position in range(after[axis])]
    both = _aligned(table, Table((axis,), (after[axis],), tuple(inside)))
    if both is None:
        return "unknown"
    pairs = zip(both[0].entries, both[1].entries, strict=True)
    return _simple(both[0]._replace(entries=tuple([e if there else None for e, there in pairs])))


def _is_split(state: State, axis: int) -> bool:
    """Return whether a state differs between parts of this axis, and by nothing else there."""
    if not isinstance(state, Either) or state.which.axes != (axis,):
        return False
    return all(axis not in axes_of(part) for part in state.parts)


def axes_of(state: State) -> set[int]:
    """Return the axes of the tensor whose position matters."""
    if isinstance(state, Along):
        return {state.axis}
    if isinstance(state, Table | Folded):
        return set(state.axes)
    if isinstance(state, Either):
        return set(state.which.axes).union(*map(axes_of, state.parts))
    return set()


def _is_point(answer: AxisReach) -> bool:
    return isinstance(answer, Slide) and answer.window == Window(1) and not answer.transposed


def _moved_along(state: Along, answers: Answers, before: Shape, after: Shape) -> State:
    answer, line = answers[state.axis], state.line
    if isinstance(answer, Slide):
        if _is_point(answer) and after[answer.axis] == line.extent:
            return state if answer.axis == state.axis else Along(answer.axis, line)
        window = slid(line, answer.window, after[answer.axis], transposed=answer.transposed)
        return Along(answer.axis, window)
    if answer == "whole":
        return fixed(line.hull())
    if isinstance(answer, Pick):
        return fixed(intervals(line, (answer.position,))[0])
    if isinstance(answer, Fold):
        return _folded(state, answer, before, after)
    return moved(listed(state), answers, before, after) if answer != "unknown" else "unknown"


def fixed(interval: Interval | None) -> State:
    """Return the state of a tensor whose every element reads this."""
    return "nothing" if interval is None else Fixed(*interval)


def listed(state: Along | Folded) -> State:
    """Return a state as a table."""
    if isinstance(state, Along):
        line = state.line
        if line.extent > MOST_ENTRIES:
            return "unknown"
        entries = tuple(intervals(line, range(line.extent)))
        return Table((state.axis,), (line.extent,), entries)
    inner = listed(state.inner) if isinstance(state.inner, Along | Folded) else state.inner
    if not isinstance(inner, Table):
        return inner
    if prod(state.extents) > MOST_ENTRIES:
        return "unknown"
    other = [axis for axis in inner.axes if axis not in state.sources]
    spread = _spread(
        inner, (*other, *state.sources), dict(zip(state.sources, state.extents, strict=True))
    )
    if spread is None:
        return "unknown"
    front = spread.extents[: len(other)]
    return _simple(Table((*other, *state.axes), (*front, *state.result), spread.entries))


def _folded(state: State, fold: Fold, before: Shape, after: Shape) -> State:
    extents = tuple(before[axis] for axis in fold.sources)
    return Folded(state, fold.sources, extents, fold.axes, tuple(after[axis] for axis in fold.axes))


def _moved_folded(state: Folded, answers: Answers, before: Shape, after: Shape) -> State:
    if not state.axes:  # a single position, as before a map of 1x1 was flattened
        return fixed(whole(state)) if "whole" in answers else state
    theirs = [answers[axis] for axis in state.axes]
    if all(answer == "whole" for answer in theirs):
        return fixed(whole(state))
    if all(_is_point(answer) for answer in theirs):
        axes = tuple(answer.axis for answer in theirs if isinstance(answer, Slide))
        if tuple(after[axis] for axis in axes) == state.result:
            return state._replace(axes=axes)
    first = theirs[0]
    if isinstance(first, Fold) and first.sources == state.axes:
        if tuple(after[axis] for axis in first.axes) == state.extents:
            return renamed(state.inner, dict(zip(state.sources, first.axes, strict=True)))
        return state._replace(axes=first.axes, result=tuple(after[axis] for axis in first.axes))
    return moved(listed(state), answers, before, after)


def renamed(state: State, names: dict[int, int]) -> State:
    """Return a state with other axes."""
    if isinstance(state, Along):
        return Along(names[state.axis], state.line)
    if isinstance(state, Table | Folded):
        return state._replace(axes=tuple(names[axis] for axis in state.axes))
    if isinstance(state, Either):
        which = state.which._replace(axes=tuple(names[axis] for axis in state.which.axes))
        return Either(which, tuple(renamed(part, names) for part in state.parts))
    return state


def whole(state: State) -> Interval | None:
    """Return what all elements together read, the unlistable excepted."""
    if isinstance(state, Along):
        return state.line.hull()
    if isinstance(state, Fixed):
        return state.low, state.high
    if isinstance(state, Table):
        return reduce(hull, state.entries, None)
    if isinstance(state, Folded):
        return whole(state.inner)
    return None


def _moved_either(state: Either, answers: Answers, before: Shape, after: Shape) -> State:
    which = _moved_table(state.which, answers, before, after, _union)
    parts = tuple(moved(part, answers, before, after) for part in state.parts)
    if which == "unknown":
        same = all(part == parts[0] for part in parts[1:])
        return parts[0] if same else "unknown"
    return _chosen(which, parts) if isinstance(which, Table) else "nothing"


def _chosen(which: Table, parts: tuple[State, ...]) -> State:
    """Return the state of parts by position; the parts alone where all positions agree."""
    sets = list(dict.fromkeys(which.entries))
    merged = [_all_of([parts[i] for i in sorted(each or ())]) for each in sets]
    if "unknown" in merged:
        return "unknown"
    if all(state == merged[0] for state in merged[1:]):
        return merged[0]
    places = {each: frozenset((index,)) for index, each in enumerate(sets)}
    return Either(
        which._replace(entries=tuple(places[each] for each in which.entries)), tuple(merged)
    )


def _all_of(states: list[State]) -> State:
    """Return the state of elements that read all of these."""
    result: State = "nothing"
    for state in states:
        result = joined(result, state)
    return result


def _union(one: frozenset[int] | None, other: frozenset[int] | None) -> frozenset[int] | None:
    return (one or frozenset()) | (other or frozenset())


def joined(one: State, other: State) -> State:
    """Return the state of a tensor whose elements read both."""
    if one is other or other == "nothing":
        return one
    if one == "nothing":
        return other
    if one == "unknown" or other == "unknown":
        return "unknown"
    if one == other:
        return one
    if isinstance(one, Either) or isinstance(other, Either):
        return _joined_parts(one, other)
    if isinstance(one, Along) and isinstance(other, Along) and one.axis == other.axis:
        line = one.line.joined(other.line)
        if line is not None:
            return Along(one.axis, line)
    for each, wide in ((one, other), (other, one)):
        if isinstance(wide, Fixed):
            inside = whole(each)
            if inside is None or hull(inside, (wide.low, wide.high)) == (wide.low, wide.high):
                return wide
    left, right = _table(one), _table(other)
    if not isinstance(left, Table) or not isinstance(right, Table):
        return "unknown"
    both = _aligned(left, right)
    if both is None:
        return "unknown"
    left, right = both
    entries = tuple(map(hull, left.entries, right.entries))
    return _simple(left._replace(entries=entries))


def _joined_parts(one: State, other: State) -> State:
    if not isinstance(one, Either):
        one = Either(Table((), (), (frozenset((0,)),)), (one,))
    if not isinstance(other, Either):
        other = Either(Table((), (), (frozenset((0,)),)), (other,))
    both = _aligned(one.which, other.which)
    if both is None:
        return "unknown"
    left, right = both
    count = len(one.parts)
    later = {each: frozenset(i + count for i in each or ()) for each in set(right.entries)}
    entries = tuple([_union(a, later[b]) for a, b in zip(left.entries, right.entries, strict=True)])
    return _chosen(left._replace(entries=entries), (*one.parts, *other.parts))


def _table(state: State) -> State:
    if isinstance(state, Fixed):
        return Table((), (), (tuple(state),))
    return listed(state) if isinstance(state, Along | Folded) else state


def _aligned(one: Table, other: Table) -> tuple[Table, Table] | None:
    """Return two tables on the same axes; None where they would be too large."""
    extents = dict(zip(one.axes, one.extents, strict=True))
    extents |= dict(zip(other.axes, other.extents, strict=True))
    axes = tuple(sorted(extents))
    left, right = _spread(one, axes, extents), _spread(other, axes, extents)
    return None if left is None or right is None else (left, right)


def _spread(table: Table, axes: tuple[int, ...], extents: dict[int, int]) -> Table | None:
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


def _simple(table: Table) -> State:
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


def _moved_table(
    table: Table, answers: Answers, before: Shape, after: Shape, combine: Combine
) -> Table | Nobody:
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
    if _is_point(answer) and after[answer.axis] == n:
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
    """Return a table behind a reshaping, whose other axes keep their place."""
    read = [answers[axis] for axis in table.axes]
    groups = dict.fromkeys(answer for answer in read if isinstance(answer, Fold))
    names: list[int] = []
    order = [axis for axis in table.axes if not isinstance(answers[axis], Fold)]
    sources = [axis for fold in groups for axis in fold.sources]
    current = _spread(table, (*order, *sources), {axis: before[axis] for axis in sources})
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
