"""Two models layer by layer as a document: aligned rows, changes marked, ratios below."""

from __future__ import annotations

from collections.abc import Sequence

from cnnstat.count.compare import MEASURES, Change, Comparison, DiffRow, Entry
from cnnstat.count.layer import Layer
from cnnstat.render.columns import operator_text
from cnnstat.render.compare import MORE_OR_LESS, model_payload, ratio_text
from cnnstat.render.document import NEVER_DROPPED, Cell, Column, Document, Kind, Section, cells_of
from cnnstat.render.numbers import bytes_text, count, number

MARK: dict[Change, str] = {"same": "", "changed": "~", "removed": "-", "added": "+"}
"""How each change is marked."""

SIDES = ("left", "right")


OF_EACH: tuple[tuple[str, str, Kind, int, str], ...] = (
    ("output", "output", "shape", 7, "output shape"),
    ("params", "params", "count", 5, "weights and biases"),
    ("macs", "MACs", "scaled", 6, "multiply-accumulates"),
)
"""Key, title, kind, ``keep`` and definition of the columns of both sides."""


def _columns(left: str, right: str) -> tuple[Column, ...]:
    """Return the columns: a mark, the layer's name, then each attribute of both sides."""
    return (
        Column("change", "", "text", NEVER_DROPPED, "~ changed, - left, + right only"),
        Column("layer", "Layer", "text", NEVER_DROPPED, "its name, or both names"),
        Column("left_operator", left, "text", NEVER_DROPPED, f"layer of {left}"),
        Column("right_operator", right, "text", NEVER_DROPPED, f"layer of {right}"),
        *(
            Column(f"{side}_{key}", f"{side} {title}", kind, keep, words, pair=key)
            for key, title, kind, keep, words in OF_EACH
            for side in SIDES
        ),
        Column("fields", "Differs", "text", 3, "attributes that differ"),
    )


def diff_document(comparison: Comparison, rows: Sequence[DiffRow]) -> Document:
    """Return the document of ``cnnstat compare --diff``.

    ``comparison`` has the two models as its entries, the left one as its baseline.
    """
    left, right = comparison.entries
    changed = {change: sum(row.change == change for row in rows) for change in MARK}
    counts = ", ".join(f"{n} {change}" for change, n in changed.items() if n)
    columns = _columns(left.name, right.name)
    return Document(
        title=f"{left.name} | {right.name}",
        subtitle=f"left {left.name}, right {right.name}; layers: {counts}",
        columns=columns,
        rows=tuple(cells_of(columns, _row(row)) for row in rows),
        total=cells_of(columns, {"layer": "total", **_both(*map(_total, (left, right)))}),
        lower_bound="partial" in (left.report.status, right.report.status),
        sections=(
            Section("Totals, left | right: ratio of right to left", tuple(_totals(comparison))),
            Section("Legend", ("~ changed, - only on the left, + only on the right.",)),
        ),
        payload=_payload(comparison, rows),
    )


def _row(row: DiffRow) -> dict[str, Cell]:
    names = dict.fromkeys(layer.name for layer in (row.left, row.right) if layer)
    both = _both(*map(_side, (row.left, row.right)))
    mark, fields = MARK[row.change], ", ".join(row.fields)
    return {"change": mark, "layer": " | ".join(names), "fields": fields, **both}


def _both(left: dict[str, Cell], right: dict[str, Cell]) -> dict[str, Cell]:
    sides = zip(SIDES, (left, right), strict=True)
    return {f"{side}_{key}": cell for side, cells in sides for key, cell in cells.items()}


def _side(layer: Layer | None) -> dict[str, Cell]:
    if layer is None:
        return {}
    figures: dict[str, Cell] = {"params": layer.params, "macs": layer.macs}
    return {"operator": operator_text(layer), "output": layer.output_without_batch, **figures}


def _total(entry: Entry) -> dict[str, Cell]:
    totals = entry.report.totals_figures
    return {"params": totals.params, "macs": totals.work.macs}


def _totals(comparison: Comparison) -> list[str]:
    """Return one line per figure: left, right, and the ratio of right to left in words."""
    left, right = comparison.entries
    lines = []
    for key, (name, more, less) in MORE_OR_LESS.items():
        ours, theirs = MEASURES[key](left), MEASURES[key](right)
        if ours is None and theirs is None:
            continue
        ratio = comparison.ratio(right, key)
        words = "" if ratio is None else f": {ratio_text(ratio, more, less)} ({number(ratio)}x)"
        lines.append(f"{name} {_figure(key, ours)} | {_figure(key, theirs)}{words}")
    return lines


def _figure(key: str, value: float | None) -> str:
    if value is None:
        return "?"
    if key.endswith("_bytes"):
        return bytes_text(int(value))
    return count(value) if isinstance(value, int) else number(value)


def _payload(comparison: Comparison, rows: Sequence[DiffRow]) -> dict[str, object]:
    left, right = comparison.entries
    return {
        "schema": "cnnstat.diff/1",
        "left": model_payload(comparison, left),
        "right": model_payload(comparison, right),
        "layers": [
            {
                "change": row.change,
                "fields": list(row.fields),
                "left": _layer(row.left),
                "right": _layer(row.right),
            }
            for row in rows
        ],
    }


def _layer(layer: Layer | None) -> dict[str, object] | None:
    if layer is None:
        return None
    return {
        "name": layer.name,
        "type": layer.type,
        "detail": layer.detail,
        "operator": operator_text(layer),
        "input_shapes": [list(spec.shape) for spec in layer.inputs],
        "output_shape": list(layer.output.shape),
        "params": layer.params,
        "macs": layer.macs,
    }
