"""Positions along one axis of a tensor, and the elements of an input axis that each reads.

A ``Line`` is regular: output o = q*period + r covers the input elements q*jump + low[r] ...
q*jump + high[r]. Without transposed windows the period is 1 and a window of extent e, stride s, b
padded elements before gives low' = low - b*jump, high' = high + (e - 1 - b)*jump, jump' = s*jump. A
transposed window has one interval per phase; a phase that no tap falls on reads nothing. Elements
beyond the border count in a ``Span``; ``intervals`` leaves out what is padding on the way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache, reduce
from heapq import heappop, heappush
from itertools import count
from math import lcm
from typing import NamedTuple

from cnnstat.ir.window import Window

Interval = tuple[int, int]
"""First and last element."""

_POINT = Window(1)


class Span(NamedTuple):
    """Coverage along one axis: ``low`` and ``high`` for each phase, None where it reads nothing."""

    jump: int
    low: tuple[int | None, ...]
    high: tuple[int | None, ...]

    @property
    def extent(self) -> int:
        """Input elements that one output element reads, the largest of the phases."""
        pairs = zip(self.low, self.high, strict=True)
        return max([h - lo + 1 for lo, h in pairs if lo is not None and h is not None], default=0)

    def at(self, position: int) -> Interval | None:
        """Return what an output element reads."""
        turns, phase = divmod(position, len(self.low))
        low, high = self.low[phase], self.high[phase]
        if low is None or high is None:
            return None
        return turns * self.jump + low, turns * self.jump + high


_numbers = count()


class Line:
    """``extent`` positions; ``parents`` are the lines that it reads, each through a window."""

    __slots__ = (
        *("_exact", "_hull", "_joined", "_slid"),
        *("extent", "number", "parents", "root", "span"),
    )

    def __init__(self, extent: int, span: Span, parents: tuple[Parent, ...] = ()) -> None:
        self.extent = extent
        self.span = span
        self.parents = parents
        self.root: int = parents[0].line.root if parents else extent  # of the input axis
        self.number = next(_numbers)
        self._exact: dict[int, Interval | None] = {}
        self._slid: dict[tuple[Window, int, bool], Line] = {}
        self._joined: dict[int, tuple[Line, Line]] = {}
        self._hull: tuple[Interval | None] | None = None

    def hull(self) -> Interval | None:
        """Return what all positions together read."""
        if self._hull is None:
            self._hull = (self._read_together(),)
        return self._hull[0]

    def _read_together(self) -> Interval | None:
        first, last = self.span.at(0), self.span.at(self.extent - 1)
        if len(self.span.low) == 1 and first and last:  # no position reads beyond these two
            ends = hull(*intervals(self, (0, self.extent - 1)))
            if ends == (max(first[0], 0), min(last[1], self.root - 1)):
                return ends
        return reduce(hull, intervals(self, range(self.extent)), None)

    def joined(self, other: Line) -> Line | None:
        """Return the line that reads both; None where their rates or extents differ."""
        a, b = self.span, other.span
        if self.extent != other.extent or a.jump * len(b.low) != b.jump * len(a.low):
            return None
        memory = self._joined.get(other.number)
        if memory is None:
            parents = (Parent(self, _POINT, False), Parent(other, _POINT, False))
            made = Line(self.extent, _merged(a, b), parents)
            memory = self._joined[other.number] = (made, other)  # the number stays taken
        return memory[0]


MOST_STEPS = 2**20
"""Most taps of all phases of a window that are looked at."""


class Parent(NamedTuple):
    """A line that another reads through a window."""

    line: Line
    window: Window
    transposed: bool


def start(extent: int) -> Line:
    """Return the line of an input axis: each position reads itself."""
    return Line(extent, Span(1, (0,), (0,)))


def slid(line: Line, window: Window, extent: int, *, transposed: bool) -> Line | None:
    """Return the line of what a window makes of a line; None where that takes too many steps.

    Each tap is looked at in each phase: of a stride of a million there are a million.
    """
    period = len(line.span.low)
    phases = period * window.stride if transposed else lcm(period, window.stride) // window.stride
    if phases > 1 and phases * window.kernel > MOST_STEPS:
        return None
    key = (window, extent, transposed)
    made = line._slid.get(key)
    if made is None:
        step = _transposed if transposed else _forward
        made = Line(extent, step(line.span, window), (Parent(line, window, transposed),))
        line._slid[key] = made
    return made


def taps(window: Window, position: int, n: int, *, transposed: bool) -> Sequence[int]:
    """Return the positions, of n, that a window reads at a position of its result."""
    if not transposed:
        first = position * window.stride - window.before
        reached = range(first, first + window.extent, window.dilation)
        return [p for p in reached if 0 <= p < n]
    read = []
    for tap in range(window.kernel):
        place, rest = divmod(position + window.before - tap * window.dilation, window.stride)
        if not rest and 0 <= place < n:
            read.append(place)
    return read


def intervals(line: Line, positions: Iterable[int]) -> list[Interval | None]:
    """Return what each position reads, padding on the way left out."""
    wanted = list(positions)
    needed: dict[int, tuple[Line, set[int]]] = {line.number: (line, set(wanted) - set(line._exact))}
    queue = [-line.number]
    order: list[int] = []
    while queue:  # the youngest first: what it needs of its parents is complete then
        number = -heappop(queue)
        order.append(number)
        current, missing = needed[number]
        for parent, window, transposed in current.parents:
            if parent.number not in needed:
                needed[parent.number] = (parent, set())
                heappush(queue, -parent.number)
            missed = needed[parent.number][1]
            for position in missing:
                for tap in taps(window, position, parent.extent, transposed=transposed):
                    if tap not in parent._exact:
                        missed.add(tap)
    for number in reversed(order):
        current, missing = needed[number]
        for position in missing:
            current._exact[position] = _read(current, position)
    return [line._exact[position] for position in wanted]


def _read(line: Line, position: int) -> Interval | None:
    if not line.parents:
        return position, position
    result: Interval | None = None
    for parent, window, transposed in line.parents:
        for tap in taps(window, position, parent.extent, transposed=transposed):
            result = hull(result, parent._exact[tap])
    return result


def hull(one: Interval | None, other: Interval | None = None) -> Interval | None:
    """Return the smallest interval that covers both."""
    if one is None or other is None:
        return one or other
    return min(one[0], other[0]), max(one[1], other[1])


def _over(reads: Iterable[Interval | None]) -> tuple[int | None, int | None]:
    return reduce(hull, reads, None) or (None, None)


def _from_phases(jump: int, phases: list[tuple[int | None, int | None]]) -> Span:
    return Span(jump, tuple([low for low, _ in phases]), tuple([high for _, high in phases]))


@lru_cache(maxsize=1024)
def _forward(span: Span, window: Window) -> Span:
    low, high = span.low[0], span.high[0]
    if len(span.low) == 1 and low is not None and high is not None:
        reach = window.extent - 1 - window.before
        return Span(
            span.jump * window.stride,
            (low - window.before * span.jump,),
            (high + reach * span.jump,),
        )
    period = len(span.low)
    phases = lcm(period, window.stride) // window.stride
    read = []
    for phase in range(phases):
        first = phase * window.stride - window.before
        reached = range(first, first + window.extent, window.dilation)
        read.append(_over(map(span.at, reached)))
    return _from_phases(phases * window.stride // period * span.jump, read)


@lru_cache(maxsize=1024)
def _transposed(span: Span, window: Window) -> Span:
    """Output o reads input i wherever o = i*stride - before + tap*dilation."""
    period = len(span.low) * window.stride
    read = []
    for phase in range(period):
        places = [
            (phase + window.before - tap * window.dilation) // window.stride
            for tap in range(window.kernel)
            if (phase + window.before - tap * window.dilation) % window.stride == 0
        ]
        read.append(_over(map(span.at, places)))
    return _from_phases(span.jump, read)


@lru_cache(maxsize=1024)
def _merged(a: Span, b: Span) -> Span:
    phases = lcm(len(a.low), len(b.low))
    read = [_over((a.at(phase), b.at(phase))) for phase in range(phases)]
    return _from_phases(a.jump * phases // len(a.low), read)
