"""The ledger: published figures beside those that the engine computes when it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cnnstat.api.models import Model, default_inputs
from cnnstat.api.reports import analyze
from cnnstat.engine.report import Report
from cnnstat.errors import UsageError, unknown
from cnnstat.importers.reference import form_of
from cnnstat.ir.graph import Graph
from cnnstat.ir.tensor import TensorSpec
from cnnstat.zoo.card import ModelCard
from cnnstat.zoo.catalog import family_of, find

if TYPE_CHECKING:
    from cnnstat.engine.claims import Claim, Published
    from cnnstat.zoo.figure import Figure


def published(report: Report, card: ModelCard) -> tuple[Published, ...]:
    """Return a model's own published figures beside those of its report.

    None on another input, batch, dtype or number of classes than it was published with.
    """
    if not as_published(report, card):
        return ()
    from cnnstat.engine.claims import shown
    from cnnstat.zoo.figures import headlines
    from cnnstat.zoo.figures.sources import citation

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
    from cnnstat.engine.claims import VERDICTS
    from cnnstat.zoo.figures import figures
    from cnnstat.zoo.figures.sources import SOURCES

    if verdict is not None and verdict not in VERDICTS:
        raise unknown("verdict", verdict, VERDICTS)
    if source is not None and source not in SOURCES:
        raise unknown("source", source, SOURCES)
    for model in models:
        if form_of(model) != "zoo":
            raise UsageError(f"{model}: published figures are kept for models of the zoo alone")
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
            return analyze(Model(model.name, default_inputs(model), model), input=input)
        key = (model, input)
        if key not in self._reports:
            self._reports[key] = analyze(model, input=input)
        return self._reports[key]


def claim(figure: Figure, ask: Asked) -> Claim[Figure]:
    """Return one entry with its computed values and its verdict."""
    from cnnstat.engine.claims import settle

    others = [(other.name, other.compute(ask)) for other in figure.otherwise]
    return settle(figure, figure.compute(ask), others)
