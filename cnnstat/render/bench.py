"""Measured runs as a document: one row per run or layer, then definitions and environment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from functools import partial
from operator import attrgetter
from typing import Any

from cnnstat.bench.measurement import OK, LayerTime, Measurement, Run, payload
from cnnstat.render.document import (
    NEVER_DROPPED,
    Cell,
    Column,
    Document,
    Section,
    cells_of,
    column_of,
    largest_first,
)
from cnnstat.render.numbers import bytes_text, number

RUN_COLUMNS = (
    Column("model", "Model", keep=NEVER_DROPPED, group=True),
    Column("batch", "Batch", "count", 8),
    Column("dtype", "Dtype", keep=4),
    Column("mode", "Mode", keep=6),
    Column("status", "Status", keep=8),
    Column("median_ms", "Median ms", "number", NEVER_DROPPED),
    Column("p25_ms", "p25", "number", 5),
    Column("p75_ms", "p75", "number", 5),
    Column("p95_ms", "p95", "number", 3),
    Column("min_ms", "Min", "number", 2),
    Column("ratio_to_baseline", "To baseline", "ratio", 8),
    Column("images_per_s", "Images/s", "number", 8),
    Column("gmacs_per_s", "GMACs/s", "number", 7),
    Column("gflops_per_s", "GFLOP/s", "number", 1),
    Column("share_of_matmul", "% of peak matmul", "percent", 5),
    Column("share_of_copy", "% of peak copy", "percent", 4),
    Column("share_of_bound", "% of bound", "percent", 7),
    Column("bound_by", "Bound by", keep=6),
    Column("macs_per_byte", "MACs/B", "number", 3),
    Column("peak_memory_bytes", "Peak memory", "bytes", 6),
    Column("predicted_peak_bytes", "Predicted", "bytes", 5),
    Column("param_bytes", "Params", "bytes", 2),
    Column("predicted_activation_bytes", "Activations", "bytes", 2),
    Column("samples", "Samples", "count", 1),
)
"""Every column of a table of runs; the keys are those of the JSON form."""

SHOWN_WITH = {
    "ratio_to_baseline": "ratio_to_baseline",
    "peak_memory_bytes": "peak_memory_bytes",
    "predicted_peak_bytes": "predicted_peak_bytes",
    "param_bytes": "peak_memory_bytes",
    "predicted_activation_bytes": "peak_memory_bytes",
}
"""Columns that are shown only if any run has a figure, and this figure."""

LAYER_COLUMNS = (
    Column("model", "Model", keep=2, group=True),
    Column("batch", "Batch", "count", 1, group=True),
    Column("dtype", "Dtype", keep=1, group=True),
    Column("layer", "Layer", keep=NEVER_DROPPED),
    Column("detail", "Operator", keep=5),
    Column("median_ms", "Median ms", "number", NEVER_DROPPED, heat=True),
    Column("share", "Share", "percent", 8),
    Column("gmacs_per_s", "GMACs/s", "number", 7),
    Column("bound_ms", "Bound ms", "number", 4),
    Column("share_of_bound", "% of bound", "percent", 6),
    Column("bound_by", "Bound by", keep=6),
)
"""Columns of a table of layers."""

DEFINITIONS = (
    "Median, quartiles and 95th percentile of single steps after a warm-up. Inference: a forward "
    "pass of random seeded inputs in evaluation mode. Training: forward, loss (cross entropy with "
    "random labels), backward, an SGD step with momentum.",
    "GMACs/s: predicted multiply-accumulates of a step per second; in training, products for the "
    "gradients count, too. FLOPs are defined for the forward pass only (? in training).",
    "% of peak matmul, % of peak copy: share of the rate that this device reached in this call on "
    "a large matrix product of the same type, and on a large copy.",
    "% of bound: roofline bound / median. The bound is the sum over layers of the larger of MACs / "
    "matmul rate and bytes (inputs, output, weights) / copy rate. Caches, fused layers and "
    "Winograd convolutions can beat it; the share is above 100% then.",
)
MEMORY_DEFINITION = (
    "Peak memory: the most bytes that PyTorch's allocator had allocated, workspaces of kernels "
    "included. Predicted: the peak of an eager step without workspaces, as 'cnnstat memory "
    "--device cuda' prints it."
)
LAYER_DEFINITIONS = (
    "Each layer is timed separately in inference, with its normalisation and activation. On CUDA, "
    "rows are device time: the time to launch a layer, which can be longer at small batches, is in "
    "the median of the whole model only.",
    "Rows need not add up to the median of the whole model: reading the clock takes time. Of a "
    "module of your own only the functions that PyTorch runs are timed, not Python between them; "
    "attention that PyTorch fuses in a plain pass runs in parts.",
)


def check_sort(key: str | None, *, layers: bool) -> None:
    """Raise ``UsageError`` with the nearest keys where no column of layers or of runs has one."""
    if key is not None:
        column_of(key, LAYER_COLUMNS if layers else RUN_COLUMNS)


def bench_document(
    measurement: Measurement, *, baseline: str | None = None, sort: str | None = None
) -> Document:
    """Return the document of ``cnnstat bench``: layers where any run has them, else runs.

    ``baseline`` names the earlier result that ratios refer to; ``sort`` is the key of a column.
    Layers are sorted within their run. Raises ``UsageError`` for an unknown key.
    """
    layered = any(run.layers for run in measurement.runs)
    columns: tuple[Column, ...] = LAYER_COLUMNS if layered else RUN_COLUMNS
    if sort is not None:
        measurement = _sorted(measurement, column_of(sort, columns).key, layered=layered)
    runs = measurement.runs
    rows: list[dict[str, Cell]]
    if layered:
        rows = [_layer_row(run, row) for run in runs for row in run.layers]
    else:
        columns = tuple(column for column in columns if _applies(column.key, runs))
        rows = [{column.key: getattr(run, column.key) for column in columns} for run in runs]
    return Document(
        title=_title(measurement),
        subtitle=_subtitle(measurement.environment),
        columns=columns,
        rows=tuple(cells_of(columns, row) for row in rows),
        sections=tuple(_sections(measurement, baseline, layered=layered)),
        payload=payload(measurement),
    )


def _applies(key: str, runs: Iterable[Run]) -> bool:
    """Return whether a column says anything about these runs."""
    if key == "status":
        return any(run.status != OK for run in runs)
    figure = SHOWN_WITH.get(key)
    return figure is None or any(getattr(run, figure) is not None for run in runs)


def _sorted(measurement: Measurement, key: str, *, layered: bool) -> Measurement:
    """Return the measurement with its layers or its runs sorted by a column."""
    runs = measurement.runs
    if not layered:
        return replace(measurement, runs=tuple(largest_first(runs, attrgetter(key))))
    return replace(
        measurement,
        runs=tuple(
            replace(run, layers=tuple(largest_first(run.layers, partial(_layer_cell, run, key))))
            for run in runs
        ),
    )


def _title(measurement: Measurement) -> str:
    models = list(dict.fromkeys(run.model for run in measurement.runs))
    named = ", ".join(models) if 0 < len(models) <= 3 else f"{len(models)} models"
    stopped = "" if measurement.complete else " (interrupted)"
    return f"{named} on {measurement.environment['device_name']}{stopped}"


def _subtitle(environment: Mapping[str, Any]) -> str:
    threads = environment["threads"]
    parts = [str(environment.get("device", environment["device_type"]))]
    if environment["device_type"] == "cpu":
        parts.append(f"{threads} thread{'' if threads == 1 else 's'}")
    parts += [f"PyTorch {environment.get('torch')}", str(environment.get("compile"))]
    parts.append(str(environment.get("memory_format")))
    return ", ".join(parts)


def _layer_row(run: Run, row: LayerTime) -> dict[str, Cell]:
    return {
        **asdict(row),
        **{key: getattr(run, key) for key in ("model", "batch", "dtype")},
        "layer": row.name,
        "detail": f"{row.type} {row.detail}".strip(),
    }


def _layer_cell(run: Run, key: str, row: LayerTime) -> Cell:
    return _layer_row(run, row)[key]


def _sections(
    measurement: Measurement, baseline: str | None, *, layered: bool
) -> Iterator[Section]:
    runs = measurement.runs
    if layered:
        yield Section("Whole models", tuple(_whole_lines(runs)))
    notes = tuple(
        f"{_label(run)}: {': '.join(filter(None, (run.status * (run.status != OK), run.note)))}"
        for run in runs
        if run.status != OK or run.note
    )
    if notes:
        yield Section("Notes", notes)
    if baseline is not None:
        missing = sum(run.ratio_to_baseline is None for run in runs)
        line = f"To baseline: median / median in {baseline}; below 1x is faster."
        lost = f" {missing} of {len(runs)} runs are not in the baseline." if missing else ""
        yield Section("Baseline", (line + lost,))
    yield Section("Definitions", tuple(_definitions(runs, layered=layered)), brief=())
    environment = measurement.environment
    rates = tuple(_rate_lines(environment))
    brief = "; ".join((*rates, "--verbose adds definitions and the environment"))
    yield Section("Environment", (*rates, *_environment_lines(environment)), brief=(brief,))


def _definitions(runs: Iterable[Run], *, layered: bool) -> Iterator[str]:
    if layered:
        yield from LAYER_DEFINITIONS
    yield from DEFINITIONS
    if any(run.peak_memory_bytes is not None for run in runs):
        yield MEMORY_DEFINITION


def _whole_lines(runs: Iterable[Run]) -> Iterator[str]:
    for run in runs:
        if not run.median_ms or run.layers_ms is None:
            continue
        yield (
            f"{_label(run)}: median {number(run.median_ms)} ms, rows add up to "
            f"{number(run.layers_ms)} ms ({100 * run.layers_ms / run.median_ms:.1f}%), "
            f"{number(run.images_per_s or 0.0)} images/s, {number(run.gmacs_per_s or 0.0)} "
            f"GMACs/s, {100 * (run.share_of_bound or 0.0):.1f}% of the bound"
        )


def _label(run: Run) -> str:
    return f"{run.model} {run.dtype} batch {run.batch} {run.mode}"


def _rate_lines(environment: Mapping[str, Any]) -> Iterator[str]:
    """Yield the reference rates of the device in words."""
    reference = environment.get("reference") or {}
    for dtype, product in (reference.get("matmul") or {}).items():
        yield (
            f"matrix product {dtype}, {product['rows']:,} squared: "
            f"{number(product['macs_per_s'] / 1e9)} GMACs/s"
        )
    copied = reference.get("copy")
    if copied:
        yield (
            f"copy of {bytes_text(copied['block_bytes'])}: "
            f"{number(copied['bytes_per_s'] / 1e9)} GB/s read and written"
        )


def _environment_lines(environment: Mapping[str, Any]) -> Iterator[str]:
    """Yield every entry that is known but the reference rates."""
    known = {k: v for k, v in environment.items() if k != "reference" and v is not None}
    for key, value in known.items():
        if key.endswith("_bytes") and isinstance(value, int):
            yield f"{key.removesuffix('_bytes').replace('_', ' ')}: {bytes_text(value)}"
        elif isinstance(value, bool):
            yield f"{key.replace('_', ' ')}: {'on' if value else 'off'}"
        elif isinstance(value, float):
            yield f"{key.replace('_', ' ')}: {number(value)}"
        else:
            yield f"{key.replace('_', ' ')}: {value}"
