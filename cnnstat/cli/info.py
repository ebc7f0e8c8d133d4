"""``cnnstat info MODEL``: a model's card: paper, training, results, errors in the sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnstat.cli.optionblocks import Result
from cnnstat.cli.options import argument
from cnnstat.cli.output import emit
from cnnstat.errors import UsageError

if TYPE_CHECKING:
    from cnnstat.render.document import Document
    from cnnstat.zoo.card import ModelCard

OPTIONS = {"model": argument("MODEL", "A name of 'cnnstat list'.")}
EXAMPLES = ("cnnstat info resnet50",)


def info(model: str, *, result: Result) -> None:
    """Describe a model: paper, ideas, training, accuracy with its source, corrections."""
    from cnnstat.importers.reference import form_of
    from cnnstat.zoo.catalog import find

    to = result.destination()
    if form_of(model) != "zoo":
        raise UsageError(f"{model}: only models of 'cnnstat list' have a card")
    emit(card_document(find(model), figures=True), to)


def card_document(card: ModelCard, *, figures: bool = False) -> Document:
    """Return the document of a card, with the other names of the model and its training step.

    With ``figures``, also the published figures that a summary shows, and how many there are.
    """
    from cnnstat import api
    from cnnstat.count.expected import expected
    from cnnstat.ledger.claims import number_of
    from cnnstat.render.info import info_document
    from cnnstat.zoo.catalog import ALIASES

    analysis = api.analyze(card.name)
    return info_document(
        card,
        aliases=[alias for alias, name in ALIASES.items() if name == card.name],
        average=expected(analysis.report.shaped),
        published=analysis.published if figures else (),
        known=number_of(card) if figures else None,
    )
