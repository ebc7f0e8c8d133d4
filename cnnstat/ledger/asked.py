"""The ledger: published figures beside those that the engine computes when it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cnnstat.count.report import Report, analyze
from cnnstat.errors import unknown
from cnnstat.ir.graph import Graph
from cnnstat.ir.shapes import infer_shapes
from cnnstat.ir.tensor import TensorSpec
from cnnstat.zoo.card import ModelCard
from cnnstat.zoo.catalog import family_of, find

if TYPE_CHECKING:
    from cnnstat.ledger.claims import Claim, Published
    from cnnstat.ledger.figure import Figure


def published(report: Report, card: ModelCard) -> tuple[Published, ...]:
    """Return a model's own published figures beside those of its report.

    None on another input, batch, dtype or number of classes than it was published with.
    """
    if not as_published(report, card):
        return ()
    from cnnstat.ledger.claims import shown
    from cnnstat.ledger.figures import headlines
    from cnnstat.ledger.figures.sources import citation

    ask = Asked({card.name: report})
    mine = [f for f in headlines(family_of(card.name).module) if f.model == card.name]
    return tuple([shown(claim(f, ask), citation(f.source, f.place)) for f in mine])


def as_published(report: Report, card: ModelCard) -> bool:
    """Return whether a report is of the input and the classes that the model was published with."""
    return report.input == TensorSpec((1, *card.input_shape)) and _classes(report) == card.classes


def _classes(report: Report) -> int:
    """Return the units of the classifier; 0 where an image leaves (a building block)."""
    leaves = report.shaped.spec(report.shaped.graph.outputs[0])
    return leaves.shape[1] if leaves.rank == 2 else 0


def claims(
    *models: str, verdict: str | None = None, source: str | None = None
) -> tuple[Claim[Figure], ...]:
    """Return the ledger of published figures, computed now: of these models, or of all.

    ``verdict`` and ``source`` choose among them. Raises ``UsageError`` for an unknown one.
    """
    from cnnstat.ledger.claims import VERDICTS
    from cnnstat.ledger.figures import figures
    from cnnstat.ledger.figures.sources import SOURCES

    if verdict is not None and verdict not in VERDICTS:
        raise unknown("verdict", verdict, VERDICTS)
    if source is not None and source not in SOURCES:
        raise unknown("source", source, SOURCES)
    wanted = {find(model).name for model in models}
    entries = figures(*dict.fromkeys(family_of(model).module for model in models))
    chosen = [
        entry
        for entry in entries
        if (not wanted or entry.model in wanted) and source in (None, entry.source)
    ]
    ask = Asked()
    found = [claim(entry, ask) for entry in chosen]
    return tuple([claim for claim in found if verdict in (None, claim.verdict)])


class Asked:
    """Models of the zoo, each analysed when the ledger first asks for it."""

    def __init__(self, known: Mapping[str, Report] | None = None) -> None:
        self._reports: dict[tuple[str, tuple[int, ...] | None], Report] = {
            (name, None): report for name, report in (known or {}).items()
        }

    def __call__(self, model: str | Graph, *, input: tuple[int, ...] | None = None) -> Report:
        """Return the report of a named model, or of a graph that a source argues with."""
        if isinstance(model, Graph):
            return _analyzed(model, input)
        key = (model, input)
        if key not in self._reports:
            card = find(model)
            self._reports[key] = _analyzed(card.build(card.classes), input)
        return self._reports[key]


def _analyzed(graph: Graph, input: tuple[int, ...] | None) -> Report:
    """Return the report of a graph with one input; ``input`` is a shape without the batch."""
    if input is None:
        return analyze(infer_shapes(graph, {}))
    first = next(node.name for node in graph.nodes if node.op.is_input)
    return analyze(infer_shapes(graph, {first: TensorSpec((1, *input))}))


def claim(figure: Figure, ask: Asked) -> Claim[Figure]:
    """Return one entry with its computed values and its verdict."""
    from cnnstat.ledger.claims import settle

    others = [(other.name, other.compute(ask)) for other in figure.otherwise]
    return settle(figure, figure.compute(ask), others)
