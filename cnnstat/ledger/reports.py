"""Reports of the zoo's models on demand, each computed once."""

from __future__ import annotations

from collections.abc import Mapping

from cnnstat.count.report import Report, analyze
from cnnstat.ir.graph import Graph
from cnnstat.ir.shapes import FactTable, infer_shapes
from cnnstat.ir.tensor import TensorSpec
from cnnstat.zoo.catalog import find


class Reports:
    """The report of a model by its name, or of a graph that a source argues with."""

    def __init__(self, known: Mapping[str, Report] | None = None) -> None:
        self._reports: dict[tuple[str, tuple[int, ...] | None], Report] = {
            (name, None): report for name, report in (known or {}).items()
        }
        self._facts = FactTable()

    def __call__(self, model: str | Graph, input: tuple[int, ...] | None = None) -> Report:
        """Return the report on the model's own input, or on one of this shape without the batch."""
        if isinstance(model, Graph):
            return self._analyzed(model, input)
        key = (model, input)
        if key not in self._reports:
            card = find(model)
            self._reports[key] = self._analyzed(card.build(card.classes), input)
        return self._reports[key]

    def _analyzed(self, graph: Graph, input: tuple[int, ...] | None) -> Report:
        """Return the report of a graph; operators answer once for all graphs."""
        inputs = {}
        if input is not None:
            first = next(node.name for node in graph.nodes if node.op.is_input)
            inputs = {first: TensorSpec((1, *input))}
        return analyze(infer_shapes(graph, inputs, self._facts))
