"""Stage tables as a document: one row per line of a cell, one column per model."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from cnnstat.count.stages import StageTable
from cnnstat.ledger.figure import Printed
from cnnstat.render.document import NEVER_DROPPED, Cell, Column, Document, Section
from cnnstat.render.numbers import count


def stages_document(table: StageTable, papers: Sequence[Printed | None] = ()) -> Document:
    """Return the document of ``cnnstat compare --stages``.

    ``papers`` are the multiply-accumulates that papers print of the models; None for no figure.
    """
    printed = [papers_flops(figure) for figure in papers] or [None] * len(table.models)
    columns = (
        Column("stage", "Stage", "text", NEVER_DROPPED, "name of the stage", group=True),
        Column("output", "Output", "text", 8, "output extents", group=True),
        *(
            Column(name, name, keep=NEVER_DROPPED, wrap=True, definition=f"layers of {name}")
            for name in table.models
        ),
    )
    rows: list[tuple[Cell, ...]] = [
        (row.name, row.size, *cells)
        for row in table.rows
        for cells in zip_longest(*row.cells, fillvalue="")
    ]
    rows.append(("FLOPs (papers)", "", *(text or "" for text in printed)))
    rows.append(("MACs", "", *(None if m is None else count(m) for m in table.macs)))
    return Document(
        title=f"Stages of {', '.join(table.models)}",
        columns=columns,
        rows=tuple(rows),
        payload={
            "schema": "cnnstat.stages/1",
            "models": list(table.models),
            "stages": [
                {"name": row.name, "output_size": row.size, "cells": [list(c) for c in row.cells]}
                for row in table.rows
            ],
            "published_macs": printed,
            "macs": list(table.macs),
        },
        sections=(
            Section(
                "Legend",
                (
                    "[a; b] x n: a module of a and b, repeated n times; | separates branches; C=32 "
                    "is 32 groups; dw is depthwise; conv3-64 is a 3x3 convolution with 64 outputs.",
                    "FLOPs (papers): multiply-accumulates as a paper prints them, empty where none "
                    "does; MACs: computed. Shortcuts of residual modules are counted, not listed.",
                ),
            ),
        ),
    )


def papers_flops(figure: Printed | None) -> str | None:
    """Return a printed figure as tables show it: ``3.8 x 10^9``, ``569 x 10^6``; None for none."""
    if figure is None:
        return None
    power = len(str(figure.scale)) - 1
    return f"{figure.digits} x 10^{power}" if power else figure.digits
