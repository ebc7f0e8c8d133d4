"""How operators change the elements of one input axis that a tensor's elements read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import prod

from cnnstat.count.receptive.lines import Interval, hull, intervals, slid, taps
from cnnstat.count.receptive.positions import (
    MOST_ENTRIES,
    Along,
    Answers,
    Either,
    Fixed,
    Folded,
    State,
    Table,
    aligned,
    fixed,
    is_point,
    moved_table,
    simple,
    spread,
    union,
)
from cnnstat.ir.reach import Fold, Pick, Placed, Shape, Slide


def moved(state: State, answers: Answers, before: Shape, after: Shape) -> State:
    """Return the state of a result, from that of an input whose axes are read as ``answers`` say.

    ``before`` and ``after`` are the shapes of the input and of the result.
    """
    if isinstance(state, Along):
        return _moved_along(state, answers, before, after)
    if isinstance(state, Table):
        table = moved_table(state, answers, before, after, hull)
        return simple(table) if isinstance(table, Table) else table
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
    both = aligned(table, Table((axis,), (after[axis],), tuple(inside)))
    if both is None:
        return "unknown"
    pairs = zip(both[0].entries, both[1].entries, strict=True)
    return simple(both[0]._replace(entries=tuple([e if there else None for e, there in pairs])))


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


def _moved_along(state: Along, answers: Answers, before: Shape, after: Shape) -> State:
    answer, line = answers[state.axis], state.line
    if isinstance(answer, Slide):
        if is_point(answer) and after[answer.axis] == line.extent:
            return state if answer.axis == state.axis else Along(answer.axis, line)
        made = slid(line, answer.window, after[answer.axis], transposed=answer.transposed)
        return "unknown" if made is None else Along(answer.axis, made)
    if answer == "whole":
        return fixed(line.hull())
    if isinstance(answer, Pick):
        return fixed(intervals(line, (answer.position,))[0])
    if isinstance(answer, Fold):
        return _folded(state, answer, before, after)
    return moved(listed(state), answers, before, after) if answer != "unknown" else "unknown"


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
    table = spread(
        inner, (*other, *state.sources), dict(zip(state.sources, state.extents, strict=True))
    )
    if table is None:
        return "unknown"
    front = table.extents[: len(other)]
    return simple(Table((*other, *state.axes), (*front, *state.result), table.entries))


def _folded(state: State, fold: Fold, before: Shape, after: Shape) -> State:
    extents = tuple(before[axis] for axis in fold.sources)
    return Folded(state, fold.sources, extents, fold.axes, tuple(after[axis] for axis in fold.axes))


def _moved_folded(state: Folded, answers: Answers, before: Shape, after: Shape) -> State:
    if not state.axes:  # a single position, as before a map of 1x1 was flattened
        return fixed(whole(state)) if "whole" in answers else state
    theirs = [answers[axis] for axis in state.axes]
    if all(answer == "whole" for answer in theirs):
        return fixed(whole(state))
    if all(is_point(answer) for answer in theirs):
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
    which = moved_table(state.which, answers, before, after, union)
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
    if not merged:  # of a tensor without elements
        return "nothing"
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
    both = aligned(left, right)
    if both is None:
        return "unknown"
    left, right = both
    entries = tuple(map(hull, left.entries, right.entries))
    return simple(left._replace(entries=entries))


def _joined_parts(one: State, other: State) -> State:
    if not isinstance(one, Either):
        one = Either(Table((), (), (frozenset((0,)),)), (one,))
    if not isinstance(other, Either):
        other = Either(Table((), (), (frozenset((0,)),)), (other,))
    both = aligned(one.which, other.which)
    if both is None:
        return "unknown"
    left, right = both
    count = len(one.parts)
    later = {each: frozenset(i + count for i in each or ()) for each in set(right.entries)}
    entries = tuple([union(a, later[b]) for a, b in zip(left.entries, right.entries, strict=True)])
    return _chosen(left._replace(entries=entries), (*one.parts, *other.parts))


def _table(state: State) -> State:
    if isinstance(state, Fixed):
        return Table((), (), (tuple(state),))
    return listed(state) if isinstance(state, Along | Folded) else state
