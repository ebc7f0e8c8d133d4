"""A report as a document: rows of the chosen view, totals in words, published figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnnstat.count.layer import Layer
from cnnstat.count.report import Note, Report, Totals
from cnnstat.count.tree import Branch, tree
from cnnstat.ir.tensor import UNKNOWN
from cnnstat.render.columns import (
    DEFAULT,
    Getter,
    LayerColumn,
    chosen,
    column_for,
    known,
    trained,
)
from cnnstat.render.document import Cell, Document, Section, largest_first
from cnnstat.render.numbers import bytes_text, count
from cnnstat.render.totals import aligned, brief_lines, totals
from cnnstat.zoo.card import ModelCard

if TYPE_CHECKING:
    from cnnstat.bench.roofline import Peak
    from cnnstat.count.check import Check
    from cnnstat.ledger.claim import Published


EXAMPLES = 3
"""Most places that the line of a note names."""

VERDICT_WORDS = {
    "exact": "exact",
    "rounds": "rounded",
    "truncates": "truncated",
    "reproduced": "reproduced",
    "differs": "different",
}
"""Verdicts as words of a sentence."""


@dataclass(frozen=True, slots=True)
class View:
    """Choice of rows and columns, as the options of ``cnnstat summary`` make it."""

    columns: str | None = None
    depth: int | None = None
    expand: bool = False
    formulas: bool = False
    sort: str | None = None
    top: int | None = None
    tree: bool = False
    peak: Peak | None = None


def summary_document(
    report: Report,
    *,
    reference: str,
    card: ModelCard | None = None,
    published: Sequence[Published] = (),
    checked: Check | None = None,
    view: View | None = None,
) -> Document:
    """Return the document of ``cnnstat summary``. Raises ``UsageError`` for an unknown column.

    ``checked`` has the counts of other tools.
    """
    view = view or View()
    trains = report.training is not None
    columns = chosen(
        view.columns,
        report.convention.name,
        formulas=view.formulas,
        training=trains,
        peak=view.peak,
    )
    branches: list[Branch] = []
    if view.tree:
        branches = tree(report, expand=view.expand, depth=view.depth)
        layers = tuple(branch.layer for branch in branches)
    else:
        layers = report.view(expand=view.expand, depth=view.depth)
        if view.sort is not None:
            get = column_for(view.sort, training=trains, peak=view.peak).get
            layers = tuple(largest_first(layers, get))
    shown = layers if view.top is None else layers[: view.top]
    rest = layers[len(shown) :]
    return Document(
        title=_title(report, card),
        subtitle=_subtitle(report, card),
        columns=tuple(entry.column for entry in columns),
        rows=tuple(tuple(entry.get(layer) for entry in columns) for layer in shown),
        rest=tuple(_folded(entry, rest) for entry in columns) if rest else None,
        total=tuple(entry.total(report) if entry.total else "" for entry in columns),
        lower_bound="partial"
        in (report.status, report.params_status, report.training_status, report.shapes_status),
        sections=(*_sections(report, card, published, checked), _legend(columns)),
        payload=lambda: _payload(
            *(report, reference, card, published, checked, shown, len(rest), branches, view)
        ),
        labels=tuple("  " * branch.level + branch.label for branch in branches),
    )


def headline(report: Report, card: ModelCard | None = None) -> str:
    """Return a model and its totals in three lines."""
    totals = report.totals
    least = ">= " if report.status == "partial" else ""
    stored = ">= " if report.params_status == "partial" else ""
    figures = (
        f"{stored}{count(totals.params)} parameters ({bytes_text(totals.param_bytes)})",
        f"{least}{count(totals.macs)} MACs",
        f"{least}{count(totals.flops)} FLOPs",
        f"activations {bytes_text(totals.activation_bytes)}",
        f"{len(report.layers)} layers",
    )
    return "\n".join((_title(report, card), _subtitle(report, card), ", ".join(figures)))


def _title(report: Report, card: ModelCard | None) -> str:
    return f"{report.name}: {card.title}" if card else report.name


def _folded(entry: LayerColumn, rest: Sequence[Layer]) -> Cell:
    """Return the cell of the row that sums up all layers beyond ``--top``."""
    if entry.key == "layer":
        return f"({len(rest)} more)"
    cells = [(entry.figure or entry.get)(layer) for layer in rest]
    if entry.total is None:
        return ""
    if any(cell is None for cell in cells):
        return None
    total = sum(cell for cell in cells if isinstance(cell, int | float))
    return f"{total:,}" if entry.figure else total


def _subtitle(report: Report, card: ModelCard | None) -> str:
    n = report.batch
    shapes = ", ".join(
        f"{'x'.join(map(str, report.without_batch(spec))) or 'scalar'} {spec.dtype}"
        for spec in report.inputs.values()
    )
    parts = [f"{card.family} {card.year}"] if card else []
    parts.append(f"input {shapes}")
    parts.append(f"batch {n:,}")
    if report.convention.name != "paper":
        at_least = ">= " if report.totals_figures.unknown_counted else ""
        parts.append(f"{report.convention.name}: {at_least}{report.totals_figures.counted:,}")
    return ", ".join(parts)


def _sections(
    report: Report,
    card: ModelCard | None,
    published: Sequence[Published],
    checked: Check | None,
) -> Iterator[Section]:
    yield Section("Totals", aligned(totals(report)), brief=brief_lines(report))
    if published:
        lines = tuple(map(published_line, published))
        yield Section("Published and computed", lines, brief=(_verdicts(published),))
    if checked is not None:
        from cnnstat.render.check import counter_lines

        yield Section("Other counters", counter_lines(checked))
    remarks = notes_lines(report.notes)
    if card and card.departs:
        departs = f"{card.name} differs from its paper: {card.departs}"
        yield Section("Notes", (departs, *remarks), brief=remarks)
    elif remarks:
        yield Section("Notes", remarks)


def notes_lines(notes: Sequence[Note]) -> tuple[str, ...]:
    """Return one line for all notes that say the same, with their number and examples."""
    paths: dict[tuple[str, str], list[str]] = {}
    for note in notes:
        paths.setdefault((note.code, note.message), []).append(note.path)
    lines = []
    for (_, message), places in paths.items():
        named = [path for path in places if path]
        more = len(named) - EXAMPLES
        where = ", ".join(named[:EXAMPLES]) + (f" and {more:,} more" if more > 0 else "")
        lines.append(f"{where}: {message}" if named else message)
    return tuple(lines)


def _verdicts(published: Sequence[Published]) -> str:
    """Return how many published figures have each verdict."""
    counts = Counter[str](p.verdict for p in published)
    words = ", ".join(f"{counts[key]} {word}" for key, word in VERDICT_WORDS.items() if counts[key])
    return f"published figures: {words} (--verbose lists them)"


def _legend(columns: Sequence[LayerColumn]) -> Section:
    """Return one line, and the definitions of all columns that are not default ones."""
    further = [entry.column for entry in columns if entry.key not in DEFAULT]
    return Section(
        "Legend",
        (
            "A row is a layer with its normalisation and activation (--expand: every operator); "
            "bars compare within a column; MB is 1000^2 bytes; ? is unknown, never 0.",
            *(f"{column.title}: {column.definition}" for column in further),
        ),
        brief=(),
    )


def published_line(p: Published) -> str:
    """Return the verdict, the published and the computed figure, and the reason."""
    figures = f"{p.quantity}: published {p.published}, computed {p.computed_with_unit} ({p.source})"
    why = f"; {p.explanation}" if p.explanation else ""
    return f"{p.verdict:<10}  {figures}{why}"


def published_payload(p: Published) -> dict[str, object]:
    """Return a published figure as JSON has it."""
    return {
        "quantity": p.quantity,
        "published": p.published,
        "computed": p.value,
        "unit": p.unit or None,
        "verdict": p.verdict,
        "source": p.source,
        "explanation": p.explanation,
    }


def _payload(
    report: Report,
    reference: str,
    card: ModelCard | None,
    published: Sequence[Published],
    checked: Check | None,
    layers: Sequence[Layer],
    omitted: int,
    branches: Sequence[Branch],
    view: View,
) -> dict[str, object]:
    """Return the JSON contract ``cnnstat.summary/1``."""
    if branches:
        layers = [each.layer for each in branches if not each.is_module]
    traffic = sum(each.total for each in report.traffic) if report.knows("traffic_bytes") else None
    bound = None if view.peak is None else column_for("bound_ms", peak=view.peak).get
    payload: dict[str, object] = {
        "schema": "cnnstat.summary/1",
        "status": report.status,
        "model": {
            "name": report.name,
            **{key: card and getattr(card, key) for key in ("title", "family", "year")},
            "reference": reference,
        },
        "input": {
            "shape": list(report.input.shape),
            "dtype": report.input.dtype,
            **({"has_batch": False} if report.single else {}),
        },
        "convention": {
            "name": report.convention.name,
            "counted": report.totals.counted if report.knows("counted") else None,
        },
        "layers": [_layer(layer, bound) for layer in layers],
        "totals": {**known_totals(report), "traffic_bytes": traffic, **_step(report)},
        "published": list(map(published_payload, published)),
        "notes": [note._asdict() for note in report.notes],
        "params_status": report.params_status,
    }
    if report.training is not None:
        payload["training_status"] = report.training_status
    if checked is not None:
        from cnnstat.render.check import check_payload

        payload["check"] = check_payload(checked)
    if omitted:
        payload["omitted_layers"] = omitted
    if branches:
        payload["modules"] = [_layer(each.layer) for each in branches if each.is_module]
    options = {"expand": view.expand, "depth": view.depth, "sort": view.sort}
    if any(options.values()):  # the rows are not the layers in order
        payload["view"] = {name: value for name, value in options.items() if value}
    return payload


FIGURES = (
    *("weights", "biases", "params", "buffers", "macs", "flops"),
    *("activation_bytes", "cached_activation_bytes", "counted"),
)
"""Keys of a layer's figures, in the order of the payload."""

TOTALS = tuple(name for name in Totals.__slots__ if name != "counted")
"""Keys of the payload's totals, in order."""


def _layer(layer: Layer, bound: Getter | None = None) -> dict[str, object]:
    field = layer.receptive_field
    jump = None if field is None else field.jump
    entry: dict[str, object] = {
        "name": layer.name,
        "path": layer.path,
        "type": layer.type,
        "class": layer.class_name or None,
        "detail": layer.detail,
        "input_shapes": [list(spec.shape) for spec in layer.inputs],
        "output_shape": None if layer.output == UNKNOWN else list(layer.output.shape),
        **{key: known(layer, key) for key in FIGURES},
        "receptive_field": None if field is None else list(field.size),
        "jump": jump and [int(j) if j.denominator == 1 else str(j) for j in jump],
        "formulas": layer.formulas,
        "traffic_bytes": layer.traffic.total if layer.has_all_shapes else None,
        "intensity": layer.intensity,
    }
    if bound is not None:
        entry["bound_ms"] = bound(layer)
    return entry if layer.report.training is None else entry | trained(layer.training)


def known_totals(report: Report) -> dict[str, object]:
    """Return the totals of the JSON contract; None where a file of weights tells nothing."""
    return {key: getattr(report.totals, key) if report.knows(key) else None for key in TOTALS}


def _step(report: Report) -> dict[str, int | None]:
    """Return the totals of a training step, and of an epoch where its images are known."""
    training = report.training
    if training is None:
        return {}
    epoch = training.epoch._asdict() if training.epoch else {}
    return trained(training.total) | {f"epoch_{key}": figure for key, figure in epoch.items()}
