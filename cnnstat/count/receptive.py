"""Receptive field over the graph: the input elements that one element of a tensor reads.

Where branches meet it is the maximum over them.

Along one input axis, output o = q*period + r covers the input elements q*jump + low[r] ... q*jump +
high[r]. Without transposed windows the period is 1 and a window of extent e, stride s, b padded
elements before gives low' = low - b*jump, high' = high + (e - 1 - b)*jump, jump' = s*jump. A
transposed window has one interval per phase. Maps are mostly square: steps are cached, so that both
axes are one computation.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import lcm
from typing import Literal, NamedTuple

from cnnstat.ir.graph import ShapedGraph
from cnnstat.ir.op import Sliding
from cnnstat.ir.window import Window


class Span(NamedTuple):
    """Coverage along one axis; one ``low`` and ``high`` for each of ``len(low)`` phases."""

    jump: int
    low: tuple[int, ...]
    high: tuple[int, ...]

    @property
    def extent(self) -> int:
        """Input elements that one output element reads, the largest of the phases."""
        if len(self.low) == 1:
            return self.high[0] - self.low[0] + 1
        return max([h - lo + 1 for lo, h in zip(self.low, self.high, strict=True)])


Field = tuple[Span, ...] | Literal["everything", "nothing"] | None
"""One span per input axis; the whole input; nothing of it (a stored tensor); None where unknown."""

_START = Span(1, (0,), (0,))


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """``size`` in input elements per spatial axis, ``jump`` in input elements between neighbours.

    After a global pooling or a fully connected layer ``size`` is the input's own extent and
    ``jump`` is None.
    """

    size: tuple[int, ...]
    jump: tuple[Fraction, ...] | None


def fields(shaped: ShapedGraph) -> list[Field]:
    """Return the coverage of every node's first result."""
    found: list[Field] = []
    steps: dict[tuple[int, int], Field] = {}
    for node, facts in zip(shaped.nodes, shaped.facts, strict=True):
        if not node.inputs:
            entering = (_START,) * (facts.outputs[0].rank - 2)
            found.append(entering if node.op.is_input else "nothing")
            continue
        before = found[node.inputs[0].node]
        reach = facts.reach
        if reach == "elementwise":
            for value in node.inputs[1:]:
                before = _merge(before, found[value.node])
        elif before == "nothing":
            pass
        elif reach == "unknown" or before is None:
            before = None
        elif reach == "everything" or before == "everything":
            before = "everything"
        else:
            key = (id(reach), id(before))
            if key not in steps:
                steps[key] = _slide(before, reach)
            before = steps[key]
        found.append(before)
    return found


@lru_cache(maxsize=1024)
def receptive_field(field: Field, extents: tuple[int, ...]) -> ReceptiveField | None:
    """Return size and jump of a coverage on an input of these extents; None where unknown."""
    if field is None or field == "nothing":
        return None
    if field == "everything":
        return ReceptiveField(extents, None)
    return ReceptiveField(
        tuple([span.extent for span in field]),
        tuple([Fraction(span.jump, len(span.low)) for span in field]),
    )


def _slide(before: tuple[Span, ...], reach: Sliding) -> Field:
    if len(before) != len(reach.windows):
        return None
    step = _transposed if reach.transposed else _forward
    return tuple([step(span, w) for span, w in zip(before, reach.windows, strict=True)])


def _at(span: Span, position: int) -> tuple[int, int]:
    turns, phase = divmod(position, len(span.low))
    return turns * span.jump + span.low[phase], turns * span.jump + span.high[phase]


@lru_cache(maxsize=1024)
def _forward(span: Span, window: Window) -> Span:
    reach = window.extent - 1 - window.before
    if len(span.low) == 1:
        return Span(
            span.jump * window.stride,
            (span.low[0] - window.before * span.jump,),
            (span.high[0] + reach * span.jump,),
        )
    period = len(span.low)
    phases = lcm(period, window.stride) // window.stride
    low, high = [], []
    for phase in range(phases):
        taps = [
            _at(span, phase * window.stride - window.before + tap * window.dilation)
            for tap in range(window.kernel)
        ]
        low.append(min(tap[0] for tap in taps))
        high.append(max(tap[1] for tap in taps))
    return Span(phases * window.stride // period * span.jump, tuple(low), tuple(high))


@lru_cache(maxsize=1024)
def _transposed(span: Span, window: Window) -> Span:
    """Output o reads input i wherever o = i*stride - before + tap*dilation."""
    period = len(span.low) * window.stride
    low, high = [], []
    for phase in range(period):
        taps = [
            _at(span, (phase + window.before - tap * window.dilation) // window.stride)
            for tap in range(window.kernel)
            if (phase + window.before - tap * window.dilation) % window.stride == 0
        ]
        if taps:
            low.append(min(tap[0] for tap in taps))
            high.append(max(tap[1] for tap in taps))
        else:  # no tap falls on this phase: it reads nothing, and takes its neighbour's place
            near = _at(span, (phase + window.before) // window.stride)
            low.append(near[0])
            high.append(near[0])
    return Span(span.jump, tuple(low), tuple(high))


def _merge(one: Field, other: Field) -> Field:
    if one is other:
        return one
    if one == "nothing" or other == "nothing":
        return other if one == "nothing" else one
    if one is None or other is None:
        return None
    if one == "everything" or other == "everything":
        return "everything"
    if len(one) != len(other):
        return None
    return tuple([_merge_spans(a, b) for a, b in zip(one, other, strict=True)])


@lru_cache(maxsize=1024)
def _merge_spans(a: Span, b: Span) -> Span:
    if a.jump * len(b.low) != b.jump * len(a.low):  # rates differ: the wider one stands for both
        return a if a.extent >= b.extent else b
    if len(a.low) == len(b.low) == 1:
        return Span(a.jump, (min(a.low[0], b.low[0]),), (max(a.high[0], b.high[0]),))
    phases = lcm(len(a.low), len(b.low))
    both = [(_at(a, phase), _at(b, phase)) for phase in range(phases)]
    return Span(
        a.jump * phases // len(a.low),
        tuple([min(x[0], y[0]) for x, y in both]),
        tuple([max(x[1], y[1]) for x, y in both]),
    )
