"""Reports of the zoo's models on demand, each computed once.

Most published figures are sums of weights or MACs. Those need no report: they are added up from the
blocks of a graph, which are remembered over all models.
"""

from __future__ import annotations

from collections.abc import Mapping

from cnnstat.count.counted import Memory, Outline
from cnnstat.count.report import Report, analyze
from cnnstat.ir.graph import Graph, ShapedGraph
from cnnstat.ir.shapes import infer_shapes
from cnnstat.ir.tensor import TensorSpec
from cnnstat.zoo.catalog import find

Extents = tuple[int, ...]


class Reports:
    """The report of a model by its name, or of a graph that a source argues with."""

    def __init__(self, known: Mapping[str, Report] | None = None) -> None:
        self._reports: dict[tuple[str, Extents | None], Report] = {
            (name, None): report for name, report in (known or {}).items()
        }
        self._outlines: dict[tuple[str, Extents | None], Outline] = {}
        self._memory = Memory()

    def __call__(self, model: str | Graph, input: Extents | None = None) -> Report:
        """Return the report on the model's own input, or on one of this shape without the batch."""
        if isinstance(model, Graph):
            return analyze(infer_shapes(model, {}, self._memory.table))
        key = (model, input)
        if key not in self._reports:
            self._reports[key] = analyze(self.shaped(model, input))
        return self._reports[key]

    def outline(self, model: str, input: Extents | None = None) -> Outline:
        """Return stored values, work and depth, equal to those of a report."""
        key = (model, input)
        if key not in self._outlines:
            self._outlines[key] = Outline(self._memory, *self._graph(model, input))
        return self._outlines[key]

    def shaped(self, model: str, input: Extents | None = None) -> ShapedGraph:
        """Return the graph with shapes: all that paths and kinds of layers take."""
        known = self._reports.get((model, input))
        return self.outline(model, input).shaped if known is None else known.shaped

    def _graph(self, model: str, input: Extents | None) -> tuple[Graph, dict[str, TensorSpec]]:
        """Return the graph of a model, and the specs of inputs that are not the graph's own."""
        known = self._reports.get((model, input))
        if known is not None:
            return known.shaped.graph, known.entering
        card = find(model)
        graph = card.build(card.classes)
        if input is None:
            return graph, {}
        return graph, {graph.inputs[0].name: TensorSpec((1, *input))}
