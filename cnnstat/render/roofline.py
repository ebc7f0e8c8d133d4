"""The bound of every layer on a device, as a document: time, limit, share, saving of a fusion.

A bound is called a bound everywhere: nothing here predicts a time.
"""

from __future__ import annotations

from collections.abc import Sequence

from cnnstat.bench.devices import Device
from cnnstat.bench.layerbounds import LayerBound, layer_bounds, total_ms
from cnnstat.bench.roofline import Peak
from cnnstat.count.report import Report
from cnnstat.render.columns import operator_text
from cnnstat.render.document import (
    NEVER_DROPPED,
    Cell,
    Column,
    Document,
    Section,
    cells_of,
    column_of,
    definitions,
    largest_first,
)
from cnnstat.render.numbers import bytes_text, number, scaled
from cnnstat.render.summary import notes_lines

COLUMNS = (
    Column("layer", "Layer", "text", NEVER_DROPPED, "name of the layer"),
    Column("operator", "Type and kernel", "text", 3, "operator, kernel and what follows"),
    Column("flops", "FLOPs", "count", 4, "2 per MAC plus every other operation"),
    Column(
        *("traffic_bytes", "Traffic", "bytes", 5),
        "bytes of inputs and weights read and of outputs written, each once",
    ),
    Column("intensity", "FLOPs/byte", "number", 6, "FLOPs per byte of traffic"),
    Column(
        *("bound_ms", "Bound ms", "number", NEVER_DROPPED),
        "the larger of FLOPs / peak and traffic / bandwidth; a layer that reads and writes main "
        "memory cannot be faster",
        heat=True,
    ),
    Column("bound_by", "Bound by", "text", 8, "which of the two is larger: compute or memory"),
    Column("share", "Share", "percent", 7, "share of the sum of all bounds"),
    Column(
        *("fusion_saves_ms", "Fusion saves ms", "number", 5),
        "how much lower the bound is if the layer is fused with its only reader, so that its "
        "output does not go to memory; empty if it has no single reader",
    ),
)
Row = dict[str, Cell]


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
    rows = [_row(each, total) for each in bounds]
    if sort is not None:
        key = column_of(sort, COLUMNS).key
        rows = largest_first(rows, lambda row: row[key])
    shown = rows if top is None else rows[:top]
    partial = any(each.bound_ms is None for each in bounds)
    sums: Row = {
        "flops": sum(each.flops or 0 for each in bounds),
        "traffic_bytes": sum(each.traffic_bytes for each in bounds),
        "bound_ms": total,
    }
    named = device.title if device else "the stated rates"
    return Document(
        title=f"{report.name}: bound of each layer on {named}",
        subtitle=_subtitle(report, dtype, peak),
        columns=COLUMNS,
        rows=tuple(cells_of(COLUMNS, row) for row in shown),
        rest=_folded(rows[len(shown) :]),
        total=cells_of(COLUMNS, {"layer": "total", **sums, "share": 1.0}),
        lower_bound=partial,
        sections=_sections(report, bounds, total, peak, device, partial=partial),
        payload={
            "schema": "cnnstat.roofline/1",
            "status": "partial" if partial else "complete",
            "model": {"name": report.name, "reference": reference},
            "input": {"shape": list(report.input.shape), "dtype": report.input.dtype},
            "device": device
            and {
                **{key: getattr(device, key) for key in ("name", "title", "source")},
                "url": device.url or None,
                "memory_bytes": device.memory_bytes,
            },
            "dtype": dtype,
            "peak_flops_per_s": peak.flops_per_s,
            "bandwidth_bytes_per_s": peak.bytes_per_s,
            "layers": [_payload(row) for row in shown],
            "totals": {
                **sums,
                "compute_bound_ms": _limited(bounds, "compute"),
                "memory_bound_ms": _limited(bounds, "memory"),
                "images_per_s": 1e3 * report.batch / total if total else None,
            },
            "notes": [note._asdict() for note in report.notes],
        },
    )


def _subtitle(report: Report, dtype: str, peak: Peak) -> str:
    shapes = ", ".join("x".join(map(str, report.without_batch(s))) for s in report.inputs.values())
    flops, moved = scaled(round(peak.flops_per_s)), scaled(round(peak.bytes_per_s))
    return (
        f"input {shapes}, batch {report.batch:,}, {dtype}: {flops}FLOP/s, {moved}B/s, "
        f"ridge at {number(peak.flops_per_s / peak.bytes_per_s)} FLOPs per byte"
    )


def _row(bound: LayerBound, total: float) -> Row:
    """Return one row: its cells and, first, what JSON alone has."""
    layer, ms, saved = bound.layer, bound.bound_ms, bound.fusion_saves_ms
    return {
        **{key: getattr(layer, key) for key in ("name", "path", "type", "detail", "macs")},
        "layer": layer.name,
        "operator": operator_text(layer),
        "flops": bound.flops,
        "traffic_bytes": bound.traffic_bytes,
        "intensity": layer.intensity,
        "bound_ms": ms,
        "bound_by": bound.limit,
        "share": None if ms is None else ms / total if total else 0.0,
        "fusion_saves_ms": "" if saved is None else saved,
    }


def _payload(row: Row) -> dict[str, object]:
    """Return a row as JSON has it."""
    entries = {key: cell for key, cell in row.items() if key not in ("layer", "operator")}
    saved = entries["fusion_saves_ms"]
    return {**entries, "fusion_saves_ms": None if saved == "" else saved}


def _folded(rest: Sequence[Row]) -> tuple[Cell, ...] | None:
    """Return the row that sums up all layers beyond ``--top``."""
    if not rest:
        return None
    sums: Row = {"layer": f"({len(rest)} more)"}
    for key in ("flops", "traffic_bytes", "bound_ms", "share"):
        cells = [row[key] for row in rest]
        sums[key] = None if None in cells else sum(c for c in cells if isinstance(c, int | float))
    return cells_of(COLUMNS, sums)


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
        *definitions(COLUMNS[2:]),
    )
    notes = notes_lines(report.notes)
    return (
        Section("Totals", tuple(lines)),
        *([Section("Notes", notes)] if notes else []),
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
