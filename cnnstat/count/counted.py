"""The figures of one graph on its inputs, each computed when it is first asked for.

They are those of ``count.report``, from the same functions. A piece of a graph (a block that a
builder copies, else a node) adds the same to every sum wherever it reads the same tensors in the
same structure: that is remembered over models, as the same block on the same shape comes back
thousands of times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

from cnnstat.count.figures import cached_bytes, stored_of
from cnnstat.count.liveness import alive, allocated_bytes, last_uses
from cnnstat.count.paths import is_weighted, paths_of
from cnnstat.count.placement import place
from cnnstat.count.report import Report, analyze, params_of_frozen
from cnnstat.errors import ShapeError
from cnnstat.ir.graph import Graph, Node, Piece, PlacedBlock, ShapedGraph, Value
from cnnstat.ir.op import Op, Specs
from cnnstat.ir.shapes import FactTable, answers, infer_shapes
from cnnstat.ir.tensor import TensorSpec

MAX_STRUCTURES = 256
MAX_GRAPHS = 1024
"""Graphs that are recognised by identity: points that differ in their input share one."""
MAX_PARTS = 40_000
"""Most pieces whose sums are remembered, some forty megabytes."""


OWNS, SHARES = b"\1", b"\0"
"""Whether the memory of a node's result is its own, as in ``Step.owns``."""


NOTHING = (0, 0, 0, 0)


class Sums(NamedTuple):
    """Figures of a piece that add up."""

    weights: int
    biases: int
    buffers: int
    param_bytes: int
    macs: int
    flops: int
    unknown: int
    activation_bytes: int
    cached_bytes: int

    @property
    def params(self) -> int:
        """Weights and biases."""
        return self.weights + self.biases


class Part(NamedTuple):
    """A piece on the shapes of its inputs.

    ``first`` holds the first of its ``outputs`` alone. ``through`` is the most weighted layers
    between its input and its result, ``deepest`` between its input and any of its nodes; ``sizes``
    are the bytes that each node adds to memory. ``subject`` is the operator or block: its identity
    stands in a key, so that it has to stay alive.
    """

    first: Specs
    outputs: Specs
    sums: Sums
    through: int
    deepest: int
    sizes: tuple[int, ...]
    subject: object


class Step(NamedTuple):
    """How a piece stands in a structure.

    ``only`` is the piece whose first result it reads, where that is all; -1 else. ``sources`` are
    the pieces that it reads and the numbers of their results; ``owns`` tells for each node whether
    its memory is its own, and ``tied`` whether it uses weights of another.
    """

    only: int
    sources: tuple[tuple[int, int], ...]
    owns: bytes
    tied: bool


class Structure(NamedTuple):
    """Facts of the connections of a graph; ``last`` is of nodes, as in ``liveness``.

    ``in_pieces`` says that the steps are those of the graph's pieces, not of its nodes; ``plain``
    that no weights are shared and first results alone leave: nothing else can be wrong about it.
    """

    steps: tuple[Step, ...]
    last: list[int]
    in_pieces: bool
    plain: bool


class Memory:
    """Answers of operators, sums of pieces, and structures, while a sweep lasts; all bounded."""

    def __init__(self) -> None:
        self.table = FactTable()
        self._structures: dict[object, Structure] = {}
        self._graphs: dict[int, tuple[Graph, Structure]] = {}
        self._parts: dict[object, Part] = {}
        self._specs: dict[Specs, Specs] = {}
        self._ops: dict[tuple[type[Op], str], Op] = {}

    def parts(
        self, graph: Graph, inputs: Mapping[str, TensorSpec], *, sized: bool = True
    ) -> tuple[list[Part], Structure]:
        """Return the pieces of a graph on these inputs; errors are those of ``infer_shapes``.

        Unless they are ``sized``, bytes of tensors are not theirs, and nodes need not be made.
        """
        self.table.begin()
        if max(len(self._parts), len(self._specs), len(self._ops)) > MAX_PARTS:
            for table in (self._parts, self._specs, self._ops):
                table.clear()
        structure = self._structure(graph) if sized else structure_of(graph, sized=False)
        if not structure.plain:
            infer_shapes(graph, inputs, self.table)
        try:
            return self._walk(graph, structure, inputs), structure
        except (ShapeError, IndexError):
            infer_shapes(graph, inputs, self.table)  # says which node it is
            raise

    def _walk(
        self, graph: Graph, structure: Structure, inputs: Mapping[str, TensorSpec]
    ) -> list[Part]:
        known = self._parts
        parts: list[Part] = []
        pieces = graph.pieces if structure.in_pieces else graph.nodes
        for piece, step in zip(pieces, structure.steps, strict=True):
            only, sources, owns, tied = step
            if only >= 0:
                specs = parts[only][0]
            else:
                specs = tuple([parts[source][1][number] for source, number in sources])
                if not specs and piece[0] in inputs:
                    specs = (inputs[piece[0]],)
                specs = self._specs.setdefault(specs, specs)
            part = known.get((id(piece[1]), id(specs), owns, tied))
            if part is None:
                if isinstance(piece, PlacedBlock):
                    part = self._block(graph, piece, owns, specs)
                else:
                    part = self._node(graph, piece[0], self._canonical(piece[1]), owns, tied, specs)
            parts.append(part)
        return parts

    def _canonical(self, op: Op) -> Op:
        """Return the operator that stands for all equal ones, so that a graph's own can go."""
        return self._ops.setdefault((type(op), repr(op)), op)

    def _node(self, graph: Graph, name: str, op: Op, owns: bytes, tied: bool, specs: Specs) -> Part:
        key = (id(op), id(specs), owns, tied)
        part = self._parts.get(key)
        if part is None:
            outputs, weights, work = answers(graph, name, op, specs)
            mine = owns == OWNS
            size = allocated_bytes(op, outputs, owns=mine)
            stored = stored_of(weights, specs) if weights else NOTHING
            cached = cached_bytes(specs, stored, owns=mine)
            macs, flops = (work.macs, work.flops) if work else (0, 0)
            sums = Sums(*(NOTHING if tied else stored), macs, flops, work is None, size, cached)
            weighted = int(is_weighted(op, weights))
            part = self._remember(key, outputs, sums, weighted, weighted, (size,), op)
        return part

    def _block(self, graph: Graph, piece: PlacedBlock, owns: bytes, specs: Specs) -> Part:
        path, block = piece[:2]
        firsts = [specs]  # of the block's input, then of each node: -1 and on
        parts, depths = [], [0]
        for (name, op, numbers, _), own in zip(block.nodes, owns, strict=True):
            read = firsts[numbers[0] + 1]
            before = depths[numbers[0] + 1]
            if len(numbers) > 1:
                read = tuple([firsts[number + 1][0] for number in numbers])
                read = self._specs.setdefault(read, read)
                before = max([depths[number + 1] for number in numbers])
            part = self._node(graph, path + name, op, OWNS if own else SHARES, False, read)
            parts.append(part)
            firsts.append(part.first)
            depths.append(before + part.through)
        end = block.result + 1
        return self._remember(
            (id(block), id(specs), owns, False),
            firsts[end],
            Sums._make(map(sum, zip(*[part.sums for part in parts], strict=True))),
            depths[end],
            max(depths),
            tuple([part.sizes[0] for part in parts]),
            block,
        )

    def _remember(self, key: object, outputs: Specs, *others: Any) -> Part:
        """Keep a part whose specs are one object where they are equal."""
        first = outputs = self._specs.setdefault(outputs, outputs)
        if len(outputs) != 1:
            first = self._specs.setdefault(outputs[:1], outputs[:1])
        part = self._parts[key] = Part(first, outputs, *others)
        return part

    def _structure(self, graph: Graph) -> Structure:
        """Return the structure of a graph, worked out once for all graphs of the same."""
        known = self._graphs.get(id(graph))
        if known is not None:
            return known[1]
        if len(self._graphs) >= MAX_GRAPHS:
            self._graphs.clear()
        structure = self._structure_of_form(graph)
        self._graphs[id(graph)] = graph, structure
        return structure

    def _structure_of_form(self, graph: Graph) -> Structure:
        form: list[object] = [graph.outputs, graph.training_outputs]
        for piece in graph.pieces:
            if isinstance(piece, PlacedBlock):
                form += (piece[1].form, piece[2])
            else:
                form += (piece[1].storage, piece[1].is_input, piece[2], piece[3])
        key = tuple(form)
        structure = self._structures.get(key)
        if structure is None:
            if len(self._structures) >= MAX_STRUCTURES:
                self._structures.clear()
            structure = self._structures[key] = structure_of(graph)
        return structure


def structure_of(graph: Graph, *, sized: bool = True) -> Structure:
    """Return the structure of a graph; in nodes where more than the pieces' results is read.

    Unless it is ``sized``, whose memory is its own, and until when, is left out.
    """
    count = sum(len(p.block.nodes) if isinstance(p, PlacedBlock) else 1 for p in graph.pieces)
    owns: Sequence[bool] = [False] * count
    last: list[int] = []
    if sized:
        placement = place(graph)
        owns, last = placement.owns, last_uses(graph, placement)
    try:
        steps, in_pieces = _steps(graph.pieces, owns), True
    except KeyError:
        steps, in_pieces = _steps(graph.nodes, owns), False
    leaving = (*graph.outputs, *graph.training_outputs)
    plain = not any(value.result for value in leaving) and not any(step.tied for step in steps)
    return Structure(steps, last, in_pieces, plain)


def _steps(pieces: Sequence[Piece], owns: Sequence[bool]) -> tuple[Step, ...]:
    """Return the steps of pieces; a ``KeyError`` where one reads what is not a piece's result."""
    steps: list[Step] = []
    place_of: dict[int, int] = {}
    begin = 0
    for index, piece in enumerate(pieces):
        if isinstance(piece, PlacedBlock):
            reads: tuple[Value, ...] = (piece.x,)
            end, result, tied = begin + len(piece.block.nodes), piece.block.result, False
        else:
            reads, end, result, tied = piece.inputs, begin + 1, 0, piece.tied_to is not None
        sources = tuple([(place_of[value.node], value.result) for value in reads])
        only = sources[0][0] if len(sources) == 1 and not sources[0][1] else -1
        steps.append(Step(only, sources, bytes(owns[begin:end]), tied))
        place_of[begin + result] = index
        begin = end
    return tuple(steps)


class Outline:
    """Sums over one model's operators, and its depth; nothing that takes bytes of tensors.

    Where an operator has no rule (``complete`` is False), its work is a lower bound.
    """

    def __init__(
        self,
        memory: Memory,
        graph: Graph,
        inputs: Mapping[str, TensorSpec],
        *,
        sized: bool = False,
    ) -> None:
        self._graph, self._inputs, self._memory = graph, inputs, memory
        self._parts, self._structure = memory.parts(graph, inputs, sized=sized)

    @cached_property
    def totals(self) -> Sums:
        """All that adds up over operators."""
        rows = [part[2] for part in self._parts]
        return Sums._make(map(sum, zip(*rows, strict=True)))

    @property
    def complete(self) -> bool:
        """Whether every operator has a rule."""
        return not self.totals.unknown

    @property
    def depth(self) -> int:
        """Weighted layers on the longest path."""
        ends: list[int] = []
        longest = 0
        for part, step in zip(self._parts, self._structure.steps, strict=True):
            only = step[0]
            if only >= 0:
                before = ends[only]
            else:
                before = max([ends[source] for source, _ in step[1]], default=0)
            ends.append(before + part[3])
            if before + part[4] > longest:
                longest = before + part[4]
        return longest

    @cached_property
    def shaped(self) -> ShapedGraph:
        """The graph with the facts of every node."""
        return infer_shapes(self._graph, self._inputs, self._memory.table)


class Counted(Outline):
    """One model's figures, each worked out when it is first read."""

    def __init__(
        self,
        memory: Memory,
        graph: Graph,
        inputs: Mapping[str, TensorSpec],
        frozen_params: int = 0,
    ) -> None:
        super().__init__(memory, graph, inputs, sized=True)
        self._frozen_params: int = frozen_params

    @cached_property
    def report(self) -> Report:
        """The report, for what only it answers."""
        return analyze(self.shaped, frozen_params=self._frozen_params)

    @cached_property
    def frozen_params(self) -> int:
        """Parameters that training leaves alone; a block has none."""
        pieces = self._graph.pieces
        frozen = any(piece.frozen for piece in pieces if isinstance(piece, Node))
        return self._frozen_params + (params_of_frozen(self.shaped) if frozen else 0)

    @property
    def peak_activation_bytes(self) -> int:
        """The most alive at once in the forward pass."""
        sizes = [*chain.from_iterable([part.sizes for part in self._parts])]
        return max(alive(sizes, self._structure.last))

    @property
    def paths(self) -> int:
        """Different ways from input to output."""
        return paths_of(self.shaped)

    @property
    def receptive_field(self) -> int | None:
        """Extent that an element of the last map reads, on the axis where it is largest."""
        layer = self.report.last_map
        field = None if layer is None else layer.receptive_field
        return None if field is None else max(field.size)
