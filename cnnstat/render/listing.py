"""The zoo as a document: one row per name with its computed figures."""

from __future__ import annotations

from collections.abc import Iterable

from cnnstat.count.counted import Outline
from cnnstat.render.document import NEVER_DROPPED, Cell, Column, Document
from cnnstat.zoo.card import ModelCard

COLUMNS = (
    Column("family", "Family", "text", 4, "architecture family", group=True),
    Column("name", "Name", "text", NEVER_DROPPED, "name for MODEL"),
    Column("title", "Title", "text", 3, "full name of the model"),
    Column("year", "Year", "year", 5, "year of publication"),
    Column("input", "Input", "shape", 6, "default input, without the batch"),
    Column("params", "Parameters", "count", 8, "weights and biases", heat=True),
    Column("macs", "MACs", "count", 8, "multiply-accumulates, batch 1", heat=True),
)


def listing_document(zoo: Iterable[tuple[ModelCard, Outline]]) -> Document:
    """Return the document of ``cnnstat list``: cards with their sums, family by family."""
    rows = tuple(_row(card, sums) for card, sums in zoo)
    keys = [column.key for column in COLUMNS]
    return Document(
        title=f"{len(rows)} models",
        subtitle="cnnstat summary NAME shows every layer",
        columns=COLUMNS,
        rows=rows,
        payload={
            "schema": "cnnstat.list/1",
            "models": [dict(zip(keys, row, strict=True)) for row in rows],
        },
    )


def _row(card: ModelCard, sums: Outline) -> tuple[Cell, ...]:
    macs = sums.totals.macs if sums.complete else None
    names = card.family, card.name, card.title, card.year, card.input_shape
    return (*names, sums.totals.params, macs)
