"""The figures of one shaped graph, each computed when it is first asked for.

They are those of ``count.report``, from the same functions. What a row of the sum takes
(``figures_of`` of an operator) is remembered over models: the same convolution on the same shape
comes back thousands of times.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from operator import itemgetter
from typing import NamedTuple

from cnnstat.count.conventions import PAPER
from cnnstat.count.figures import figures_of
from cnnstat.count.paths import is_weighted, longest_path, paths_of, sources_of
from cnnstat.count.report import Report, analyze
from cnnstat.count.storage import alive, allocated_bytes, last_uses, place
from cnnstat.ir.graph import Graph, Node, NodeFacts, ShapedGraph
from cnnstat.ir.shapes import FactTable, infer_shapes
from cnnstat.ir.tensor import TensorSpec


class Sums(NamedTuple):
    """Figures of one operator that add up, in one line."""

    weights: int
    biases: int
    buffers: int
    macs: int
    flops: int
    unknown: int
    activation_bytes: int
    cached_bytes: int
    weighted: bool
    """Whether the operator counts for the depth."""


class Structure(NamedTuple):
    """What depends on the connections of a graph alone.

    Whose memory is its own, until when it is read, and what each node reads.
    """

    owns: tuple[bool, ...]
    last: list[int]
    sources: list[int | tuple[int, ...]]


MAX_STRUCTURES = 256


class Memory:
    """Answers of operators, their figures, and structures, while a sweep lasts; all bounded."""

    def __init__(self) -> None:
        self.table = FactTable()
        self._generation = 0
        self._sums: dict[int, Sums] = {}
        self._structures: dict[object, Structure] = {}

    def shape(self, graph: Graph, inputs: Mapping[str, TensorSpec]) -> ShapedGraph:
        """Return the graph with shapes; errors are those of ``infer_shapes``."""
        shaped = infer_shapes(graph, inputs, self.table)
        if self.table.generation != self._generation:  # identities are those of forgotten facts
            self._generation = self.table.generation
            self._sums.clear()
        return shaped

    def structure(self, shaped: ShapedGraph) -> Structure:
        """Return the structure of a graph, worked out once for all graphs of the same."""
        graph = shaped.graph
        nodes = graph.nodes
        storages = tuple([node[1].storage for node in nodes])
        values = tuple([node[2] for node in nodes])
        key = (values, storages, graph.outputs, graph.training_outputs)
        structure = self._structures.get(key)
        if structure is None:
            if len(self._structures) >= MAX_STRUCTURES:
                self._structures.clear()
            placement = place(shaped)
            last = last_uses(graph, placement)
            structure = Structure(placement.owns, last, sources_of(graph))
            self._structures[key] = structure
        return structure

    def rows(self, shaped: ShapedGraph, structure: Structure) -> list[Sums]:
        """Return the figures of each node of a graph that ``shape`` returned."""
        known, rows = self._sums, []
        for node, facts, owns in zip(shaped.nodes, shaped.facts, structure.owns, strict=True):
            if node[3] is None:
                key = id(facts) if owns else -id(facts)
                row = known.get(key)
                if row is None:
                    row = known[key] = _sums_of(node, facts, owns=owns)
            else:
                row = _sums_of(node, facts, owns=owns)
            rows.append(row)
        return rows


def _sums_of(node: Node, facts: NodeFacts, *, owns: bool) -> Sums:
    size = allocated_bytes(node.op, facts, owns=owns)
    tied = node.tied_to is not None
    figures = figures_of(node.op, facts, PAPER, size, tied=tied, owns=owns)
    work = figures.work
    return Sums(
        *figures[:3],
        work.macs,
        work.flops,
        figures.unknown,
        size,
        figures.cached_bytes,
        is_weighted(node, facts),
    )


class Counted:
    """One model's figures, each worked out when it is first read."""

    def __init__(self, memory: Memory, shaped: ShapedGraph, frozen_params: int = 0) -> None:
        self.shaped = shaped
        self.frozen_params: int = frozen_params
        self._memory = memory

    @cached_property
    def _structure(self) -> Structure:
        return self._memory.structure(self.shaped)

    @cached_property
    def _rows(self) -> list[Sums]:
        return self._memory.rows(self.shaped, self._structure)

    def total(self, key: str) -> int:
        """Return the sum of one field of ``Sums`` over all operators."""
        return sum(map(itemgetter(Sums._fields.index(key)), self._rows))

    @property
    def params(self) -> int:
        """Weights and biases."""
        return self.total("weights") + self.total("biases")

    @property
    def complete(self) -> bool:
        """Whether every operator has a rule; else ``macs`` and ``flops`` are lower bounds."""
        return not self.total("unknown")

    @cached_property
    def report(self) -> Report:
        """The whole report, for what only it answers."""
        return analyze(self.shaped, frozen_params=self.frozen_params)

    @property
    def param_bytes(self) -> int:
        """Bytes of the parameters."""
        return self.report.totals.param_bytes

    @property
    def peak_activation_bytes(self) -> int:
        """The most alive at once in the forward pass."""
        sizes = [row.activation_bytes for row in self._rows]
        return max(alive(sizes, self._structure.last))

    @property
    def depth(self) -> int:
        """Weighted layers on the longest path."""
        return longest_path(self._structure.sources, [row.weighted for row in self._rows])

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
