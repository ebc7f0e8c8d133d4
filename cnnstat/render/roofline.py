"""The bound of every layer on a device, as a document: time, limit, share, saving of a fusion.

A bound is called a bound everywhere: nothing here predicts a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from cnnstat.bench.devices import Device
from cnnstat.bench.layerbounds import LayerBound, layer_bounds, total_ms
from cnnstat.bench.roofline import Peak
from cnnstat.count.report import Report
from cnnstat.errors import unknown
from cnnstat.render.columns import operator_text
from cnnstat.render.document import NEVER_DROPPED, Cell, Column, Document, Section
from cnnstat.render.numbers import bytes_text, number, scaled
from cnnstat.render.sorting import largest_first


class _Row(NamedTuple):
    bound: LayerBound
    share: float | None


class _BoundColumn(NamedTuple):
    column: Column
    get: Callable[[_Row], Cell]


COLUMNS: tuple[_BoundColumn, ...] = (
    _BoundColumn(
        Column("layer", "Layer", keep=NEVER_DROPPED, definition="name of the layer"),
        lambda row: row.bound.layer.name,
    ),
    _BoundColumn(
        Column(
            "operator", "Type and kernel", keep=3, definition="operator, kernel and what follows"
        ),
        lambda row: operator_text(row.bound.layer),
    ),
    _BoundColumn(
        Column("flops", "FLOPs", "count", 4, definition="2 per MAC plus every other operation"),
        lambda row: row.bound.flops,
    ),
    _BoundColumn(
        Column(
            "traffic_bytes",
            "Traffic",
            "bytes",
            5,
            definition="bytes of inputs and weights read and of outputs written, each once",
        ),
        lambda row: row.bound.traffic_bytes,
    ),
    _BoundColumn(
        Column("intensity", "FLOPs/byte", "number", 6, definition="FLOPs per byte of traffic"),
        lambda row: row.bound.layer.intensity,
    ),
    _BoundColumn(
        Column(
            "bound_ms",
            "Bound ms",
            "number",
            NEVER_DROPPED,
            heat=True,
            definition="the larger of FLOPs / peak and traffic / bandwidth; a layer that reads and "
            "writes main memory cannot be faster",
        ),
        lambda row: row.bound.bound_ms,
    ),
    _BoundColumn(
        Column(
            "bound_by",
            "Bound by",
            keep=8,
            definition="which of the two is larger: compute or memory",
        ),
        lambda row: row.bound.limit,
    ),
    _BoundColumn(
        Column("share", "Share", "percent", 7, definition="share of the sum of all bounds"),
        lambda row: row.share,
    ),
    _BoundColumn(
        Column(
            "fusion_saves_ms",
            "Fusion saves ms",
            "number",
            5,
            definition="how much lower the bound is if the layer is fused with its only reader, so "
            "that its output does not go to memory; empty if it has no single reader",
        ),
        lambda row: "" if row.bound.fusion_saves_ms is None else row.bound.fusion_saves_ms,
    ),
)


def roofline_document(
    report: Report,
    *,
    reference: str,
    peak: Peak,
    dtype: str,
    device: Device | None = None,
    sort: str | None = None,
    top: int | None = None,
) -> Document:
    """Return the document of ``cnnstat roofline``. Raises ``UsageError`` for an unknown column."""
    bounds = layer_bounds(report, peak)
    total = total_ms(bounds)
    rows = _sorted([_Row(each, _share(each.bound_ms, total)) for each in bounds], sort)
    shown = rows if top is None else rows[:top]
    rest = rows[len(shown) :]
    partial = any(each.bound_ms is None for each in bounds)
    cells = _total_cells(report, bounds, total)
    return Document(
        title=f"{report.name}: bound of each layer on {_named(device)}",
        subtitle=_subtitle(report, dtype, peak),
        columns=tuple(entry.column for entry in COLUMNS),
        rows=tuple(tuple(entry.get(row) for entry in COLUMNS) for row in shown),
        rest=_folded(rest) if rest else None,
        total=tuple(cells.get(entry.column.key, "") for entry in COLUMNS),
        lower_bound=partial,
        sections=_sections(report, bounds, total, peak, device, partial=partial),
        payload={
            "schema": "cnnstat.roofline/1",
            "status": "partial" if partial else "complete",
            "model": {"name": report.name, "reference": reference},
            "input": {"shape": list(report.input.shape), "dtype": report.input.dtype},
            "device": None if device is None else _device_payload(device),
            "dtype": dtype,
            "peak_flops_per_s": peak.flops_per_s,
            "bandwidth_bytes_per_s": peak.bytes_per_s,
            "layers": [_payload(row) for row in shown],
            "totals": {
                "flops": cells["flops"],
                "traffic_bytes": cells["traffic_bytes"],
                "bound_ms": total,
                "compute_bound_ms": _limited(bounds, "compute"),
                "memory_bound_ms": _limited(bounds, "memory"),
                "images_per_s": 1e3 * report.batch / total if total else None,
            },
            "notes": [note._asdict() for note in report.notes],
        },
    )


def _named(device: Device | None) -> str:
    return "the stated rates" if device is None else device.title


def _subtitle(report: Report, dtype: str, peak: Peak) -> str:
    shapes = ", ".join("x".join(map(str, report.without_batch(s))) for s in report.inputs.values())
    flops, moved = scaled(round(peak.flops_per_s)), scaled(round(peak.bytes_per_s))
    return (
        f"input {shapes}, batch {report.batch:,}, {dtype}: {flops}FLOP/s, {moved}B/s, "
        f"ridge at {number(peak.flops_per_s / peak.bytes_per_s)} FLOPs per byte"
    )


def _share(part: float | None, total: float) -> float | None:
    return None if part is None else part / total if total else 0.0


def _sorted(rows: list[_Row], key: str | None) -> list[_Row]:
    """Return the rows sorted, largest first, unknown before all; words alphabetically."""
    if key is None:
        return rows
    getters = {entry.column.key: entry.get for entry in COLUMNS}
    plain = key.replace("-", "_")
    if plain not in getters:
        raise unknown("column", key, getters)
    return largest_first(rows, getters[plain])


def _total_cells(report: Report, bounds: Sequence[LayerBound], total: float) -> dict[str, Cell]:
    return {
        "layer": "total",
        "flops": sum(each.flops or 0 for each in bounds),
        "traffic_bytes": sum(each.traffic_bytes for each in bounds),
        "bound_ms": total,
        "share": 1.0,
    }


def _folded(rest: Sequence[_Row]) -> tuple[Cell, ...]:
    sums: dict[str, Cell] = {"layer": f"({len(rest)} more)"}
    for entry in COLUMNS:
        if entry.column.key in ("flops", "traffic_bytes", "bound_ms", "share"):
            cells = [entry.get(row) for row in rest]
            known = [cell for cell in cells if isinstance(cell, int | float)]
            sums[entry.column.key] = sum(known) if len(known) == len(cells) else None
    return tuple(sums.get(entry.column.key, "") for entry in COLUMNS)


def _limited(bounds: Sequence[LayerBound], limit: str) -> float:
    return sum(each.bound_ms or 0.0 for each in bounds if each.limit == limit)


def _sections(
    report: Report,
    bounds: Sequence[LayerBound],
    total: float,
    peak: Peak,
    device: Device | None,
    *,
    partial: bool,
) -> tuple[Section, ...]:
    least = ">= " if partial else ""
    lines = [
        f"bound: {least}{number(total)} ms per pass, at most "
        f"{number(1e3 * report.batch / total if total else 0)} images/s; compute sets "
        f"{number(_limited(bounds, 'compute'))} ms of it, memory "
        f"{number(_limited(bounds, 'memory'))} ms",
    ]
    if device is not None:
        lines += _device_lines(report, device)
    words = (
        "A bound, not a prediction: kernels reach only part of the peak, and caches, fusion or "
        "Winograd convolutions can be faster than the bound. Sparsity is not counted.",
        *(f"{c.title}: {c.definition}." for c in (entry.column for entry in COLUMNS[2:])),
    )
    notes = [f"{note.path}: {note.message}" if note.path else note.message for note in report.notes]
    return (
        Section("Totals", tuple(lines)),
        *([Section("Notes", tuple(notes))] if notes else []),
        Section(
            "Definitions", words, brief=("a bound, not a prediction; --verbose adds definitions",)
        ),
    )


def _device_lines(report: Report, device: Device) -> list[str]:
    lines = [f"source: {device.source}" + (f" ({device.url})" if device.url else "")]
    if device.note:
        lines.append(f"note: {device.note}")
    if device.memory_bytes is not None:
        needed = report.totals.param_bytes + report.totals.peak_activation_bytes
        fits = "fits" if needed <= device.memory_bytes else "does not fit"
        lines.append(
            f"memory: parameters and peak activations take {bytes_text(needed)}, which {fits} into "
            f"{bytes_text(device.memory_bytes)}"
        )
    return lines


def _device_payload(device: Device) -> dict[str, object]:
    return {
        "name": device.name,
        "title": device.title,
        "source": device.source,
        "url": device.url or None,
        "memory_bytes": device.memory_bytes,
    }


def _payload(row: _Row) -> dict[str, object]:
    bound, layer = row.bound, row.bound.layer
    return {
        "name": layer.name,
        "path": layer.path,
        "type": layer.type,
        "detail": layer.detail,
        "macs": layer.macs,
        "flops": bound.flops,
        "traffic_bytes": bound.traffic_bytes,
        "intensity": layer.intensity,
        "bound_ms": bound.bound_ms,
        "bound_by": bound.limit,
        "share": row.share,
        "fusion_saves_ms": bound.fusion_saves_ms,
    }
