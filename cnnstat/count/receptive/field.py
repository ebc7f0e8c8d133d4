"""Receptive field over the graph: the input elements that one element of a tensor can depend on.

It is what the gradient of one element shows on an input with generic weights, the most of any
element. Each axis of each input is followed by itself through the axes of the tensors
(``coverage``). Where an operator's reach is unknown, the field is.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from cnnstat.count.receptive.coverage import concatenated, joined, moved
from cnnstat.count.receptive.lines import Line, start, taps
from cnnstat.count.receptive.positions import Along, Either, Fixed, Folded, State, Table
from cnnstat.ir.graph import Node, NodeFacts, ShapedGraph, Value
from cnnstat.ir.reach import (
    LISTED,
    AxisReach,
    ByAxis,
    Placed,
    Reach,
    Shape,
    Slide,
    Sliding,
    aligned,
    listed,
)

Field = tuple[State, ...]
"""One state for each followed input axis: those after batch and channels, input by input."""

Answers = tuple[AxisReach, ...] | None


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """``size`` in input elements per spatial axis, ``jump`` in input elements between neighbours.

    ``jump`` is None where neighbours have no common distance; ``everywhere`` where every element
    reads the same, as after a global pooling or a fully connected layer.
    """

    size: tuple[int, ...]
    jump: tuple[Fraction, ...] | None
    everywhere: bool = False


class Fields:
    """The coverage of every result of a graph."""

    def __init__(self, shaped: ShapedGraph) -> None:
        self.shaped = shaped
        self.inputs: dict[int, int] = {}  # node of an input -> its spatial axes
        for index, (node, facts) in enumerate(zip(shaped.nodes, shaped.facts, strict=True)):
            if node.op.is_input:
                self.inputs[index] = max(facts.outputs[0].rank - 2, 0)
        self._nothing: Field = tuple(["nothing" for _ in range(sum(self.inputs.values()))])
        self._lines: dict[int, Line] = {}
        self._others: dict[Value, Field] = {}
        self._steps: dict[tuple[object, ...], Field] = {}
        self._firsts: list[Field] = []
        for index in range(len(shaped.nodes)):
            self._firsts.append(self._field(index, 0))

    def of(self, value: Value) -> Field:
        """Return the coverage of one result."""
        if value.result == 0:
            return self._firsts[value.node]
        known = self._others.get(value)
        if known is None:
            known = self._others[value] = self._field(value.node, value.result)
        return known

    def receptive_field(self, value: Value) -> ReceptiveField | None:
        """Return size and jump of what an element reads of the inputs; None where unknown.

        Of several inputs the most counts, along each axis; None too where it reads no input.
        """
        field = self.of(value)
        if "unknown" in field:
            return None
        if not field:
            return ReceptiveField((), None, everywhere=True)
        first = next(axes for axes in self.inputs.values())
        groups = []
        at = 0
        for axes in self.inputs.values():
            states = field[at : at + axes]
            at += axes
            if axes == first and any(state != "nothing" for state in states):
                groups.append(states)
        if not groups:
            return None
        sizes = [tuple(map(size_of, states)) for states in groups]
        return ReceptiveField(
            tuple([max(axis) for axis in zip(*sizes, strict=True)]),
            _jump(max(groups, key=lambda states: [size_of(state) for state in states])),
            all(_is_fixed(state) for states in groups for state in states),
        )

    def is_unknown(self, value: Value) -> bool:
        """Return whether it is unknown what an element reads of the inputs."""
        return "unknown" in self.of(value)

    def _field(self, index: int, result: int) -> Field:
        node, facts = self.shaped.nodes[index], self.shaped.facts[index]
        if not node.inputs:
            return self._entering(index, facts) if node.op.is_input else self._nothing
        fields = [self.of(value) for value in node.inputs]
        if all(field is self._nothing for field in fields):
            return self._nothing
        reach = facts.reach if result == 0 else node.op.reach_of_result(facts.inputs, result)
        after = facts.outputs[result].shape
        if result:
            return self._step(node, facts, reach, after, fields)
        key = (id(reach), after, facts.inputs, *map(id, fields))
        known = self._steps.get(key)
        if known is None:
            known = self._steps[key] = self._step(node, facts, reach, after, fields)
        return known

    def _read(self, states: list[State]) -> Field:
        """Return the states of a tensor; what reads no position along one axis reads nothing."""
        at = 0
        for axes in self.inputs.values():
            if any(_is_empty(state) for state in states[at : at + axes]):
                states[at : at + axes] = ["nothing" for _ in range(axes)]
            at += axes
        return tuple(states)

    def _entering(self, index: int, facts: NodeFacts) -> Field:
        states: list[State] = []
        for node, axes in self.inputs.items():
            for axis in range(2, axes + 2):
                if node == index:
                    extent = facts.outputs[0].shape[axis]
                    if extent not in self._lines:
                        self._lines[extent] = start(extent)
                    states.append(Along(axis, self._lines[extent]))
                else:
                    states.append("nothing")
        return tuple(states)

    def _step(
        self, node: Node, facts: NodeFacts, reach: Reach, after: Shape, fields: list[Field]
    ) -> Field:
        answers = _answers(node, facts, reach, after)
        shapes = [spec.shape for spec in facts.inputs]
        axes = list(zip(*fields, strict=True))
        if answers is None:
            reads = [any(state != "nothing" for state in states) for states in axes]
            return tuple(["unknown" if read else "nothing" for read in reads])
        if all(read is not None and any(isinstance(e, Placed) for e in read) for read in answers):
            placed = [read or () for read in answers]
            return tuple([concatenated(states, placed, shapes, after) for states in axes])
        result = self._nothing
        for field, read, before in zip(fields, answers, shapes, strict=True):
            if read is None or field is self._nothing or _is_beside(read, before, after):
                continue
            entered = self._read([moved(state, read, before, after) for state in field])
            result = entered if result is self._nothing else tuple(map(joined, result, entered))
        return result


def _is_empty(state: State) -> bool:
    return state == "nothing" or (isinstance(state, Along) and not state.line.span.extent)


def _is_beside(read: tuple[AxisReach, ...], before: Shape, after: Shape) -> bool:
    """Return whether the windows along some axis all lie in its padding."""
    for n, answer in zip(before, read, strict=True):
        if not isinstance(answer, Slide) or not answer.window.before:
            continue
        window, transposed = answer.window, answer.transposed
        if window.dilation > 1 or window.before >= window.extent:  # taps can miss a short axis
            positions = range(after[answer.axis])
            if len(positions) > LISTED:
                continue
            if not any(taps(window, p, n, transposed=transposed) for p in positions):
                return True
    return False


def _answers(node: Node, facts: NodeFacts, reach: Reach, after: Shape) -> list[Answers] | None:
    """Return what is read of each axis of each input; None where unknown.

    Inputs beyond those that the operator reads are weights that were computed: all of them is read.
    """
    shapes = [spec.shape for spec in facts.inputs]
    if reach == "unknown":
        return None
    if reach == "elementwise":
        return [aligned(shape, after) for shape in shapes]
    answers: list[Answers]
    if isinstance(reach, ByAxis):
        answers = list(reach.inputs)
    else:
        answers = [_windows(reach, shapes[0], after)]
        most = node.op.reads[1] or 1
        answers += [None] * (min(most, len(shapes)) - 1)
    rest: list[Answers] = [tuple(["whole" for _ in s]) for s in shapes[len(answers) :]]
    return answers + rest


def _windows(reach: Sliding, before: Shape, after: Shape) -> tuple[AxisReach, ...]:
    spatial = [
        Slide(axis, window, reach.transposed) for axis, window in enumerate(reach.windows, 2)
    ]
    return (Slide(0), _channels(reach.groups, before[1], after[1]), *spatial)


def _channels(groups: int | None, c: int, made: int) -> AxisReach:
    if groups is None:
        return Slide(1)
    if groups == 1:
        return "whole"
    per, each = c // groups, max(made // groups, 1)
    return listed(1, made, lambda made: (made // each * per, made // each * per + per - 1))


def _is_fixed(state: State) -> bool:
    """Return whether the elements read the same, whatever their position on a map."""
    if isinstance(state, Either):
        return all(_is_fixed(part) or part == "nothing" for part in state.parts)
    return isinstance(state, Fixed)


def size_of(state: State) -> int:
    """Return the input elements that one element reads, the most of any."""
    if isinstance(state, Along):
        return state.line.span.extent
    if isinstance(state, Fixed):
        return state.high - state.low + 1
    if isinstance(state, Table):
        return max([entry[1] - entry[0] + 1 for entry in state.entries if entry], default=0)
    if isinstance(state, Folded):
        return size_of(state.inner)
    return max(map(size_of, state.parts)) if isinstance(state, Either) else 0


def _jump(states: Field) -> tuple[Fraction, ...] | None:
    jumps = [_jump_of(state) for state in states]
    known = tuple([jump for jump in jumps if jump is not None])
    return known if len(known) == len(jumps) and known else None


def _jump_of(state: State) -> Fraction | None:
    if isinstance(state, Along):
        return Fraction(state.line.span.jump, len(state.line.span.low))
    if isinstance(state, Folded):
        return _jump_of(state.inner)
    if isinstance(state, Either):
        jumps = {_jump_of(part) for part in state.parts}
        return jumps.pop() if len(jumps) == 1 else None
    return None
