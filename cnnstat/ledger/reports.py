"""Reports of the zoo's models on demand, each computed once.

Most published figures are sums of weights or MACs. Those need no report: they are added up from the
facts of the operators, which answer once for all models.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from cnnstat.count.conventions import PAPER
from cnnstat.count.figures import Figures, figures_of, total_of
from cnnstat.count.report import Report, analyze
from cnnstat.ir.graph import Graph, ShapedGraph
from cnnstat.ir.shapes import FactTable, infer_shapes
from cnnstat.ir.tensor import TensorSpec
from cnnstat.zoo.catalog import find

Extents = tuple[int, ...]


class Reports:
    """The report of a model by its name, or of a graph that a source argues with."""

    def __init__(self, known: Mapping[str, Report] | None = None) -> None:
        self._reports: dict[tuple[str, Extents | None], Report] = {
            (name, None): report for name, report in (known or {}).items()
        }
        self._shaped: dict[tuple[str, Extents | None], ShapedGraph] = {}
        self._sums: dict[tuple[str, Extents | None], Figures] = {}
        self._facts = FactTable()
        self._figures: dict[tuple[int, bool], Figures] = {}
        """Figures by the identity of facts, which live as long as the shaped graphs."""

    def __call__(self, model: str | Graph, input: Extents | None = None) -> Report:
        """Return the report on the model's own input, or on one of this shape without the batch."""
        if isinstance(model, Graph):
            return analyze(infer_shapes(model, {}, self._facts))
        key = (model, input)
        if key not in self._reports:
            self._reports[key] = analyze(self.shaped(model, input))
        return self._reports[key]

    def sums(self, model: str, input: Extents | None = None) -> Figures:
        """Return the sums of stored values and of work, those of a report; no bytes of tensors."""
        key = (model, input)
        if key in self._reports:
            return self._reports[key].totals_figures
        if key not in self._sums:
            self._sums[key] = self._added(self.shaped(model, input))
        return self._sums[key]

    def shaped(self, model: str, input: Extents | None = None) -> ShapedGraph:
        """Return the graph with shapes: all that depths, paths and kinds of layers take."""
        key = (model, input)
        if key not in self._shaped:
            card = find(model)
            graph = card.build(card.classes)
            first = next(node.name for node in graph.nodes if node.op.is_input)
            inputs = {} if input is None else {first: TensorSpec((1, *input))}
            self._shaped[key] = infer_shapes(graph, inputs, self._facts)
        return self._shaped[key]

    def _added(self, shaped: ShapedGraph) -> Figures:
        keys = [
            (id(facts), node.tied_to is not None)
            for node, facts in zip(shaped.nodes, shaped.facts, strict=True)
        ]
        known = self._figures
        for key, node, facts in zip(keys, shaped.nodes, shaped.facts, strict=True):
            if key not in known:
                known[key] = figures_of(node.op, facts, PAPER, 0, tied=key[1], owns=False)
        return total_of([(known[key], count) for key, count in Counter(keys).items()])
