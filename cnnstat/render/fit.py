"""Largest batch and input for each memory, as a document: one row per model and memory."""

from __future__ import annotations

from collections.abc import Sequence

from cnnstat.memory.fit import Fit
from cnnstat.render.document import NEVER_DROPPED, Cell, Column, Document, Section, definitions
from cnnstat.render.memory import fit_lines, reserve_words, setting_words
from cnnstat.render.memory_payload import fit_payload, settings_payload

COLUMNS = (
    Column("model", "Model", keep=NEVER_DROPPED, group=True),
    Column("memory", "Memory", "text", NEVER_DROPPED, "the memory to fit into"),
    Column("batch", "Largest batch", "count", NEVER_DROPPED, "most images that fit"),
    Column("total_bytes", "Memory needed", "bytes", 7, "in total, at that batch"),
    Column("param_bytes", "Parameters", "bytes", 5, "bytes of the weights and biases"),
    Column("state_bytes", "Optimiser, buffers", "bytes", 4, "stored in addition to them"),
    Column(
        *("peak_bytes", "Peak", "bytes", 6),
        "of the forward and backward pass, or of the optimiser's step",
    ),
    Column("input", "Largest input", "shape", 8, "largest square image that fits at batch 1"),
    Column("input_total_bytes", "Memory at that input", "bytes", 3, "in total, for that image"),
)


def fit_document(fits_of_models: Sequence[Sequence[Fit]]) -> Document:
    """Return the document of ``cnnstat fit``: each model's largest batch and input by memory."""
    flat = [each for fits in fits_of_models for each in fits]
    partial = sorted({op for each in flat for op in each.smallest.unknown})
    sections = []
    short = [
        f"{each.smallest.report.name}: {next(fit_lines(each))}"
        for each in flat
        if each.at_batch is None
    ]
    if short:
        sections.append(Section("Does not fit", tuple(short)))
    if partial:
        named = f"the memory of the following is unknown: {', '.join(partial)}"
        line = f"{named}; bytes are lower bounds, batches and inputs upper bounds"
        sections.append(Section("Partial", (line,)))
    words = (
        *definitions(COLUMNS),
        "One more image, or the next larger input, does not fit. GiB is 1024^3 bytes, GB 1000^3; "
        "a bare G is read as GiB.",
        *([reserve_words()] if any(each.reserved_bytes for each in flat) else []),
    )
    brief = "one more image or the next larger input does not fit; --verbose adds definitions"
    sections.append(Section("Definitions", words, brief=(brief,)))
    settings = flat[0].smallest.settings
    return Document(
        title=f"Largest batch and input: {setting_words(settings)}",
        columns=COLUMNS,
        rows=tuple(_row(each) for each in flat),
        sections=tuple(sections),
        payload={
            "schema": "cnnstat.fit/1",
            **settings_payload(settings),
            "fits": [
                {"model": each.smallest.report.name, "status": each.smallest.status}
                | fit_payload(each)
                for each in flat
            ],
        },
        lower_bound=bool(partial),
    )


def _row(fit: Fit) -> tuple[Cell, ...]:
    at, wide = fit.at_batch, fit.at_input
    return (
        fit.smallest.report.name,
        fit.memory.with_unit,
        at.batch if at else 0,
        at.total_bytes if at else "",
        at.param_bytes if at else "",
        at.state_bytes - at.param_bytes if at else "",
        at.total_bytes - at.state_bytes if at else "",
        wide.report.input_shape if wide else "",
        wide.total_bytes if wide else "",
    )
