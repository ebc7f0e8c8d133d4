"""The zoo as a list, and what is published about its models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cnnstat.errors import UsageError
from cnnstat.importers.reference import form_of
from cnnstat.ledger.claims import as_published
from cnnstat.ledger.claims import claims as ledger_claims
from cnnstat.ledger.reports import Reports
from cnnstat.zoo.card import ModelCard
from cnnstat.zoo.catalog import FAMILIES, find, find_family

if TYPE_CHECKING:
    from cnnstat.count.counted import Outline
    from cnnstat.ledger.claim import Claim

__all__ = ["as_published", "claims", "zoo"]


def claims(
    *models: str, verdict: str | None = None, source: str | None = None
) -> tuple[Claim, ...]:
    """Return the published figures of these models, or of all, with the computed ones.

    ``verdict`` and ``source`` choose among them. Raises ``UsageError`` for an unknown one, and for
    a model that is not in the zoo.
    """
    for model in models:
        if form_of(model) != "zoo":
            raise UsageError(f"{model}: only models of 'cnnstat list' have published figures")
    return ledger_claims(*models, verdict=verdict, source=source)


def zoo(family: str | None = None) -> Iterator[tuple[ModelCard, Outline]]:
    """Yield the card and the sums of every listed model, family by family; one ``family`` alone.

    Raises ``UsageError`` with the nearest families where there is none of that name.
    """
    reports = Reports()
    for group in FAMILIES if family is None else (find_family(family),):
        for name in group.names:
            yield find(name), reports.outline(name)
