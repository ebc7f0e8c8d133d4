"""The figures of one shaped graph, each computed when it is first asked for.

They are those of ``count.report``, from the same functions. What a row of the sum takes
(``figures_of`` of an operator) is remembered over models: the same convolution on the same shape
comes back thousands of times.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property

from cnnstat.count.conventions import PAPER
from cnnstat.count.figures import Figures, figures_of, total_of
from cnnstat.count.paths import depth_of, paths_of
from cnnstat.count.report import Report, analyze, param_bytes
from cnnstat.count.storage import Placement, allocated_bytes, peak_bytes, place
from cnnstat.ir.graph import Graph, NodeFacts, ShapedGraph
from cnnstat.ir.op import Op
from cnnstat.ir.shapes import FactTable, infer_shapes
from cnnstat.ir.tensor import TensorSpec


class Memory:
    """Answers of operators and their figures, for as long as a sweep lasts; bounded."""

    def __init__(self) -> None:
        self.table = FactTable()
        self._generation = 0
        self._sums: dict[tuple[int, bool, bool], Figures] = {}

    def shape(self, graph: Graph, inputs: dict[str, TensorSpec]) -> ShapedGraph:
        """Return the graph with shapes; errors are those of ``infer_shapes``."""
        shaped = infer_shapes(graph, inputs, self.table)
        if self.table.generation != self._generation:  # identities are those of forgotten facts
            self._generation = self.table.generation
            self._sums.clear()
        return shaped

    def sums(self, shaped: ShapedGraph, placement: Placement) -> Figures:
        """Return the sums over all operators of a graph that ``shape`` returned."""
        keys = [
            (id(facts), owns, node.tied_to is not None)
            for node, facts, owns in zip(shaped.nodes, shaped.facts, placement.owns, strict=True)
        ]
        counts = Counter(keys)
        known = self._sums
        if not known.keys() >= counts.keys():
            for key, node, facts in zip(keys, shaped.nodes, shaped.facts, strict=True):
                if key not in known:
                    known[key] = _figures(node.op, facts, owns=key[1], tied=key[2])
        return total_of([(known[key], count) for key, count in counts.items()])


def _figures(op: Op, facts: NodeFacts, *, owns: bool, tied: bool) -> Figures:
    size = allocated_bytes(op, facts, owns=owns)
    return figures_of(op.type_name, facts, PAPER, size, tied=tied, owns=owns)


class Counted:
    """One model's figures, each worked out when it is first read."""

    def __init__(self, memory: Memory, shaped: ShapedGraph, frozen_params: int = 0) -> None:
        self.shaped = shaped
        self.frozen_params = frozen_params
        self._memory = memory

    @cached_property
    def _placement(self) -> Placement:
        return place(self.shaped)

    @cached_property
    def sums(self) -> Figures:
        """What adds up over operators."""
        return self._memory.sums(self.shaped, self._placement)

    @property
    def params(self) -> int:
        """Weights and biases."""
        return self.sums.params

    @property
    def complete(self) -> bool:
        """Whether every operator has a rule; else ``macs`` and ``flops`` are lower bounds."""
        return not self.sums.unknown

    @cached_property
    def report(self) -> Report:
        """The whole report, for what only it answers."""
        return analyze(self.shaped, frozen_params=self.frozen_params)

    @property
    def param_bytes(self) -> int:
        """Bytes of the parameters."""
        nodes = zip(self.shaped.nodes, self.shaped.facts, strict=True)
        return param_bytes(
            self.sums, next(facts.outputs[0] for node, facts in nodes if node.op.is_input)
        )

    @property
    def peak_activation_bytes(self) -> int:
        """The most alive at once in the forward pass."""
        return peak_bytes(self.shaped, self._placement)[0]

    @property
    def depth(self) -> int:
        """Weighted layers on the longest path."""
        return depth_of(self.shaped)

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
