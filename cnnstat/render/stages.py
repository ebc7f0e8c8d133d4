"""Stage tables as a document: one row per line of a cell, one column per model."""

from __future__ import annotations

from cnnstat.count.stages import StageRow, StageTable
from cnnstat.render.document import NEVER_DROPPED, Cell, Column, Document, Section
from cnnstat.render.numbers import count, fixed

BILLION, MILLION = 10**9, 10**6


def stages_document(table: StageTable) -> Document:
    """Return the document of ``cnnstat compare --stages``."""
    columns = (
        Column("stage", "Stage", keep=NEVER_DROPPED, group=True, definition="name of the stage"),
        Column("output", "Output", keep=8, group=True, definition="output extents"),
        *(
            Column(name, name, keep=NEVER_DROPPED, wrap=True, definition=f"layers of {name}")
            for name in table.models
        ),
    )
    rows = [line for row in table.rows for line in _lines(row)]
    rows.append(("FLOPs (papers)", "", *map(papers_flops, table.macs)))
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
            "macs": list(table.macs),
        },
        sections=(
            Section(
                "Legend",
                (
                    "[a; b] x n: a module of a and b, repeated n times; | separates branches; C=32 "
                    "is 32 groups; dw is depthwise; conv3-64 is a 3x3 convolution with 64 outputs.",
                    "Papers call multiply-accumulates FLOPs; shortcuts of residual modules are "
                    "counted but not listed.",
                ),
            ),
        ),
    )


def _lines(row: StageRow) -> list[tuple[Cell, ...]]:
    """Return as many rows as the longest cell has lines."""
    height = max(map(len, row.cells))
    return [
        (row.name, row.size, *(cell[i] if i < len(cell) else "" for cell in row.cells))
        for i in range(height)
    ]


def papers_flops(macs: int | None) -> str | None:
    """Return MACs as tables print them: ``3.9 x 10^9``, ``568.7 x 10^6``; None for unknown."""
    if macs is None:
        return None
    scale, power = (BILLION, 9) if macs >= BILLION else (MILLION, 6)
    return f"{fixed(macs, scale, 1)} x 10^{power}"
