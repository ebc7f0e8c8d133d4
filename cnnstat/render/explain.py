"""Derivations as a document: one row per figure, with the rule and its numbers put in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from cnnstat.count.explain import Step, layer_steps, model_steps, overview, select
from cnnstat.count.report import Report
from cnnstat.ledger.claim import Claim, shown
from cnnstat.render.claims import claim_payload
from cnnstat.render.document import NEVER_DROPPED, Cell, Column, Document, Section
from cnnstat.render.summary import published_line
from cnnstat.zoo.card import ModelCard

COLUMNS = (
    Column("layer", "Layer", "text", 7, "row of the model; total at the end", group=True),
    Column(
        "quantity",
        "Figure",
        keep=NEVER_DROPPED,
        wrap=True,
        definition="derived quantity and its unit",
    ),
    Column("derivation", "How", "text", NEVER_DROPPED, "rule and its numbers", wrap=True),
    Column("result", "Result", "count", NEVER_DROPPED, "result of the rule"),
)

Named = tuple[str, Step]


def explain_document(
    report: Report,
    layer: str | None = None,
    *,
    card: ModelCard | None = None,
    claims: Sequence[Claim] | None = None,
) -> Document:
    """Return the document of ``cnnstat explain``: of a layer, of a module's layers, or of all.

    ``claims`` are the model's published figures; None where the input or the classes are others
    than it was published with. Raises ``UsageError`` for an unknown layer.
    """
    steps = _model(report) if layer is None else list(_layer(report, layer))
    mine = [c for c in claims or () if layer in (c.figure.layer or None, c.figure.layer)]
    named = f"{report.name}: {card.title}" if card else report.name
    return Document(
        title=f"{named}, {layer} derived" if layer else f"{named} derived",
        subtitle=f"input {report.input}, {report.convention.name} counting",
        columns=COLUMNS,
        rows=tuple(_row(name, step) for name, step in steps),
        payload={
            "schema": "cnnstat.explain/1",
            "model": report.name,
            "layer": layer,
            "input": {"shape": list(report.input.shape), "dtype": report.input.dtype},
            "steps": [_payload(name, step) for name, step in steps],
            "published": [claim_payload(claim) for claim in mine],
        },
        sections=tuple(_sections(card, mine, as_published=claims is not None)),
    )


def _model(report: Report) -> list[Named]:
    steps = [(row.name, step) for row in report.layers for step in overview(row)]
    return [*steps, *(("total", step) for step in model_steps(report))]


def _layer(report: Report, name: str) -> Iterator[Named]:
    rows = select(report, name)
    for row in rows:
        for step in layer_steps(row) if len(rows) == 1 else overview(row):
            yield row.name, step
    if len(rows) == 1:
        return
    for quantity, known in (
        ("parameters", [row.params for row in rows]),
        ("MACs", [row.macs for row in rows]),
    ):
        parts = [part for part in known if part]
        summed = None if None in known else sum(parts)
        yield "total", Step(quantity, " + ".join(f"{part:,}" for part in parts) or "none", summed)


def _row(name: str, step: Step) -> tuple[Cell, ...]:
    figure = f"{step.quantity}, {step.unit}" if step.unit else step.quantity
    return name, figure, step.derivation, step.result


def _payload(name: str, step: Step) -> dict[str, object]:
    return {"layer": name, **asdict(step), "unit": step.unit or None}


def _sections(
    card: ModelCard | None, claims: Sequence[Claim], *, as_published: bool
) -> Iterator[Section]:
    if claims:
        yield Section("Published figures", tuple(published_line(shown(claim)) for claim in claims))
    elif card and not as_published:
        shape = "x".join(map(str, card.input_shape))
        yield Section(
            "Published figures",
            (f"are for an input of {shape} in float32, batch 1, and the model's own classes",),
        )
    if card and card.departs:
        yield Section("Variant", (f"{card.name} departs: {card.departs}",))
