"""Compare published figures with computed ones: the ledger, or the part of it that is wanted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from cnnstat.errors import unknown
from cnnstat.ir.tensor import TensorSpec
from cnnstat.zoo.card import ModelCard
from cnnstat.zoo.catalog import family_of, find

if TYPE_CHECKING:
    from cnnstat.count.report import Report
    from cnnstat.ledger.claim import Claim, Published, Quoted
    from cnnstat.ledger.figure import Printed


def claims(
    *models: str, verdict: str | None = None, source: str | None = None
) -> tuple[Claim, ...]:
    """Return the published figures of these models, or of all, with values computed now.

    ``verdict`` and ``source`` choose among them. Raises ``UsageError`` for an unknown one.
    """
    from cnnstat.ledger.claim import claim
    from cnnstat.ledger.figure import VERDICTS
    from cnnstat.ledger.load import figures
    from cnnstat.ledger.reports import Reports
    from cnnstat.ledger.sources import SOURCES

    if verdict is not None and verdict not in VERDICTS:
        raise unknown("verdict", verdict, VERDICTS)
    if source is not None and source not in SOURCES:
        raise unknown("source", source, SOURCES)
    names = {find(model).name for model in models}
    families = dict.fromkeys(family_of(model).module for model in models)
    reports = Reports()
    computed = [
        claim(figure, reports)
        for figure in figures(*families)
        if (not names or figure.model in names) and source in (None, figure.source)
    ]
    return tuple([claim for claim in computed if verdict in (None, claim.verdict)])


def published(report: Report, card: ModelCard) -> tuple[Published, ...]:
    """Return a model's own published figures with those of its report.

    None on another input, batch, dtype or number of classes than it was published with.
    """
    if not as_published(report, card):
        return ()
    from cnnstat.ledger.claim import claim, shown
    from cnnstat.ledger.load import headlines
    from cnnstat.ledger.reports import Reports

    reports = Reports({card.name: report})
    own = [f for f in headlines(family_of(card.name).module) if f.model == card.name]
    return tuple([shown(claim(figure, reports)) for figure in own])


def number_of(card: ModelCard) -> int:
    """Return how many published figures of a model the ledger has."""
    from cnnstat.ledger.load import figures

    return sum(figure.model == card.name for figure in figures(family_of(card.name).module))


def quoted(models: Iterable[str]) -> tuple[Quoted, ...]:
    """Return the published ratios between these models of the zoo, computed now."""
    from cnnstat.ledger.claim import Quoted, claim, shown
    from cnnstat.ledger.load import headlines
    from cnnstat.ledger.reports import Reports

    names = dict.fromkeys(models)
    families = dict.fromkeys(family_of(name).module for name in names)
    ratios = [f for family in families for f in headlines(family) if f.unit == "ratio"]
    reports = Reports()
    return tuple(
        [Quoted(f.models, shown(claim(f, reports))) for f in ratios if set(f.models) <= set(names)]
    )


def printed_macs(report: Report, card: ModelCard) -> Printed | None:
    """Return the multiply-accumulates that a paper prints of a model, its own paper first.

    None where no paper prints any, and on another input than it was published with.
    """
    if not as_published(report, card):
        return None
    from cnnstat.ledger.figure import Printed
    from cnnstat.ledger.load import figures
    from cnnstat.ledger.sources import is_paper

    for figure in figures(family_of(card.name).module):
        whole = figure.model == card.name and not figure.layer
        if whole and figure.quantity == "MACs" and is_paper(figure.source):
            return figure.value if isinstance(figure.value, Printed) else None
    return None


def as_published(report: Report, card: ModelCard) -> bool:
    """Return whether a report is of the input and the classes that the model was published with."""
    return report.input == TensorSpec((1, *card.input_shape)) and _classes(report) == card.classes


def _classes(report: Report) -> int:
    """Return the units of the classifier; 0 where an image leaves (a building block)."""
    leaves = report.shaped.spec(report.shaped.graph.outputs[0])
    return leaves.shape[1] if leaves.rank == 2 else 0
