"""A comparison as a document: one row per model and input, each figure with its ratio."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from cnnstat.count.compare import ALIASES, FURTHER, MEASURES, Comparison, Entry
from cnnstat.errors import UsageError
from cnnstat.ledger.claim import Quoted
from cnnstat.render.columns import named_keys
from cnnstat.render.document import NEVER_DROPPED, Cell, Column, Document, Section, column_of
from cnnstat.render.numbers import cell_text
from cnnstat.render.summary import known_totals, published_payload

Rate = Literal["error", "accuracy"]
RATIO = "_ratio"
MANY = 8
"""The title names at most this many models."""

COLUMNS = (
    Column("model", "Model", "text", NEVER_DROPPED, "the model's name or reference"),
    Column("input", "Input", "shape", 1, "input without the batch"),
    Column("year", "Year", "year", 5, "year of the paper"),
    Column("depth", "Depth", "count", 5, "weighted layers on the longest path"),
    Column("params", "Params", "scaled", 8, "weights and biases"),
    Column("macs", "MACs", "scaled", 8, "multiply-accumulates"),
    Column("flops", "FLOPs", "scaled", 4, "2 per MAC and every other operation"),
    Column("counted", "Counted", "scaled", 8, "work under the convention"),
    Column("activation_bytes", "Memory", "bytes", 7, "bytes of all activations"),
    Column("peak_activation_bytes", "Peak", "bytes", 6, "most bytes alive at once"),
    Column("macs_per_param", "MACs per param", "number", 3, "MACs / parameters"),
    Column("top1_error", "Top-1 error, %", "number", 6, "as published or measured"),
    Column("top5_error", "Top-5 error, %", "number", 6, "as published or measured"),
    Column("top1_accuracy", "Top-1 accuracy, %", "number", 6, "100 - top-1 error"),
    Column("top5_accuracy", "Top-5 accuracy, %", "number", 6, "100 - top-5 error"),
    Column("error_models", "Error of", "text", 4, "one model, or an ensemble"),
    Column("error_dataset", "Error on", "text", 0, "data set of the error"),
    Column("error_setting", "Setting", "text", 0, "averaged crops and scales"),
    Column("error_source", "Source", "text", 0, "where the error was published"),
)
"""Every column of a comparison; with a baseline, each figure has a ratio column."""

RATIO_KEEP = {"params": 8, "macs": 8, "activation_bytes": 5}
"""``keep`` of a figure's ratio; all other ratios leave a narrow table first."""

ACCURACY = ("top1_error", "top5_error", "dataset", "setting", "source", "ensemble")
"""Keys of an error rate in JSON."""

MORE_OR_LESS = {
    "depth": ("depth", "deeper", "shallower"),
    "params": ("parameters", "more", "fewer"),
    "macs": ("MACs", "more", "fewer"),
    "flops": ("FLOPs", "more", "fewer"),
    "activation_bytes": ("memory", "more", "less"),
    "peak_activation_bytes": ("peak", "more", "less"),
    "macs_per_param": ("MACs per parameter", "more", "fewer"),
    "top1_error": ("top-1 error", "higher", "lower"),
    "top5_error": ("top-5 error", "higher", "lower"),
}
"""The words for a ratio of each measure."""


def compare_document(
    comparison: Comparison,
    *,
    columns: str | None = None,
    quoted: Sequence[Quoted] = (),
    rate: Rate = "error",
) -> Document:
    """Return the document of ``cnnstat compare``, with the published ratios of its models.

    ``rate`` shows errors or accuracies. Raises ``UsageError`` for an unknown column.
    """
    known = all_columns(comparison)
    names = dict.fromkeys(entry.name for entry in comparison.entries)
    if len({entry.input for entry in comparison.entries}) > len(names):
        known["input"] = replace(known["input"], keep=NEVER_DROPPED)
    shown = _chosen(comparison, known, columns, rate)
    batches = dict.fromkeys(entry.report.batch for entry in comparison.entries)
    baseline = comparison.baseline
    subtitle = f"batch {', '.join(f'{batch:,}' for batch in batches)}"
    if baseline is not None:
        subtitle += f"; ratios to {label(baseline, comparison)}"
    return Document(
        title=_names(names),
        subtitle=subtitle,
        columns=shown,
        rows=tuple(
            tuple(_cell(comparison, entry, column.key) for column in shown)
            for entry in comparison.entries
        ),
        sections=tuple(_sections(comparison, quoted)),
        payload=_payload(comparison, quoted),
    )


def headline(comparison: Comparison) -> str:
    """Return the names of the compared models, and a line on each unless there are many."""
    names = dict.fromkeys(entry.name for entry in comparison.entries)
    baseline = comparison.baseline
    ratios = "" if baseline is None else f"; ratios to {label(baseline, comparison)}"
    lines = [f"{_names(names)}{ratios}"]
    for entry in comparison.entries if len(comparison.entries) <= MANY else ():
        params, macs = (cell_text(MEASURES[key](entry), "count") for key in ("params", "macs"))
        lines.append(f"{label(entry, comparison)}: {params} parameters, {macs} MACs")
    return "\n".join(lines)


def _names(names: Collection[str]) -> str:
    return ", ".join(names) if len(names) <= MANY else f"{len(names)} models"


def label(entry: Entry, comparison: Comparison) -> str:
    """Return an entry's name, with its input if the model has several."""
    names = [other.name for other in comparison.entries]
    return f"{entry.name}@{entry.input}" if names.count(entry.name) > 1 else entry.name


def all_columns(comparison: Comparison) -> dict[str, Column]:
    """Return every column by key; with a baseline, a ratio follows each figure."""
    columns: dict[str, Column] = {}
    conventions = dict.fromkeys(entry.report.convention.name for entry in comparison.entries)
    for column in COLUMNS:
        key = column.key
        columns[key] = replace(column, title=", ".join(conventions)) if key == "counted" else column
        if comparison.baseline is not None and key in MEASURES:
            title = f"{column.title.removesuffix(', %')} ratio"
            words = f"{column.definition}, relative to the baseline"
            columns[key + RATIO] = Column(
                key + RATIO, title, "ratio", RATIO_KEEP.get(key, 2), words
            )
    return columns


def _cell(comparison: Comparison, entry: Entry, key: str) -> Cell:
    figure, error = MEASURES.get(key) or FURTHER.get(key), entry.error
    if figure is not None:
        return figure(entry)
    if key.endswith(RATIO):
        return comparison.ratio(entry, key.removesuffix(RATIO))
    if key == "error_models":
        return "" if error is None else "several" if error.ensemble else "one"
    if key.startswith("error_"):
        return "" if error is None else str(getattr(error, key.removeprefix("error_")))
    return {"model": entry.name, "input": entry.report.input_shape, "year": entry.year}[key]


def _chosen(
    comparison: Comparison, known: Mapping[str, Column], text: str | None, rate: Rate
) -> tuple[Column, ...]:
    """Return the columns that a list of keys names; ``+a,b`` and ``all`` as in a summary."""
    keys = _default(comparison, known, rate)
    if text is not None:
        keys = [ALIASES.get(key, key) for key in named_keys(text, keys, known)]
    for key in keys:
        if key.removesuffix(RATIO) in MEASURES and key not in known:
            raise UsageError(f"column {key!r}: a ratio needs --baseline MODEL")
    every = tuple(known.values())
    return tuple(dict.fromkeys(column_of(key, every) for key in keys))


def _default(comparison: Comparison, known: Iterable[str], rate: Rate) -> list[str]:
    """Return the keys of the default columns: all that say something about these models."""
    left_out = {f"top{k}_{'error' if rate == 'accuracy' else 'accuracy'}" for k in (1, 5)}
    if all(entry.report.convention.name == "paper" for entry in comparison.entries):
        left_out.add("counted")
    if all(entry.error is None or not entry.error.ensemble for entry in comparison.entries):
        left_out.add("error_models")
    return [
        key
        for key in known
        if (figure := key.removesuffix(RATIO)) not in left_out
        and (
            not figure.startswith(("year", "top", "error_"))
            or any(_cell(comparison, each, key) not in (None, "") for each in comparison.entries)
        )
    ]


def _sections(comparison: Comparison, quoted: Sequence[Quoted]) -> Iterator[Section]:
    if comparison.baseline is not None:
        lines = tuple(_ratio_lines(comparison, comparison.baseline))
        title = f"Compared with {label(comparison.baseline, comparison)}"
        yield Section(title, lines, brief=())  # the table has columns for it
    if quoted:
        yield Section("Published ratios", tuple(_quoted_lines(quoted)), brief=())
    errors = tuple(_error_lines(comparison.entries))
    if errors:
        yield Section("Error rates: setting and source", errors, brief=())
    partial = tuple(
        f"{each.name}: at least {each.report.totals.macs:,} MACs, {each.report.totals.flops:,} "
        "FLOPs; operators without a rule are not counted"
        for each in comparison.entries
        if each.report.status == "partial"
    )
    if partial:
        yield Section("Partial", partial)
    yield Section(
        "Legend",
        (
            "MACs: what papers call FLOPs or ops; FLOPs: 2 per MAC plus every other operation; "
            "Memory: bytes of all activations; MB is 1000^2 bytes; ? is unknown.",
        ),
        brief=(),
    )


def _ratio_lines(comparison: Comparison, baseline: Entry) -> Iterator[str]:
    """Yield one line per other entry: ``googlenet: parameters 8.9x fewer, MACs 1.4x more``."""
    others = [entry for entry in comparison.entries if entry is not baseline]
    for entry in others or [baseline]:
        words = [
            f"{name} {ratio_text(ratio, more, less)}"
            for key, (name, more, less) in MORE_OR_LESS.items()
            if (ratio := comparison.ratio(entry, key)) is not None
        ]
        yield f"{label(entry, comparison)}: {', '.join(words)}"


def ratio_text(ratio: float, more: str = "more", less: str = "fewer") -> str:
    """Return a ratio in words: ``8.9x fewer`` for 0.112; two digits, more from 100 on."""
    if ratio == 0:
        return "none"
    factor = max(ratio, 1 / ratio)
    if factor < 1.05:
        return "the same" if ratio == 1 else "about the same"
    text = f"{factor:.1f}" if factor < 9.95 else f"{factor:,.0f}"
    return f"{text}x {more if ratio > 1 else less}"


def _quoted_lines(quotes: Sequence[Quoted]) -> Iterator[str]:
    """Yield verdict, published figures with sources, computed figure and reason."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for models, quote in quotes:
        subject = f"{', '.join(models)}: {quote.quantity}"
        key = (f"{quote.verdict:<10}", subject, quote.computed_with_unit, quote.explanation)
        groups.setdefault(key, []).append(f"published {quote.published} ({quote.source})")
    for (verdict, subject, computed, explanation), sources in groups.items():
        why = f"; {explanation}" if explanation else ""
        yield f"{verdict}  {subject}: {', '.join(sources)}, computed {computed}{why}"


def _error_lines(entries: Sequence[Entry]) -> Iterator[str]:
    """Yield one line per data set: its models, grouped by setting and source."""
    groups: dict[str, dict[str, list[str]]] = {}
    for entry in entries:
        if entry.error is not None:
            rated = groups.setdefault(entry.error.dataset, {})
            how = "; ".join(filter(None, (entry.error.setting, entry.error.source)))
            rated.setdefault(how or "no source", []).append(entry.name)
    for dataset, rated in groups.items():
        lists = [f"{', '.join(dict.fromkeys(names))} ({how})" for how, names in rated.items()]
        yield f"{dataset or 'data set not stated'}: {', '.join(lists)}"


def _payload(comparison: Comparison, quoted: Sequence[Quoted]) -> dict[str, object]:
    baseline = comparison.baseline
    return {
        "schema": "cnnstat.compare/1",
        "baseline": None if baseline is None else label(baseline, comparison),
        "models": [model_payload(comparison, entry) for entry in comparison.entries],
        "published": [
            {"models": list(models), **published_payload(published)} for models, published in quoted
        ],
    }


def model_payload(comparison: Comparison, entry: Entry) -> dict[str, object]:
    """Return one model of the JSON contract ``cnnstat.compare/1``."""
    report = entry.report
    ratios = {key: comparison.ratio(entry, key) for key in MEASURES}
    return {
        "name": entry.name,
        "title": entry.title or None,
        "family": entry.family or None,
        "year": entry.year,
        "reference": entry.reference or entry.name,
        "status": report.status,
        "input": {"shape": list(report.input.shape), "dtype": report.input.dtype},
        "totals": known_totals(report),
        "convention": {"name": report.convention.name, "counted": FURTHER["counted"](entry)},
        "macs_per_param": MEASURES["macs_per_param"](entry),
        "accuracy": entry.error and {key: getattr(entry.error, key) for key in ACCURACY},
        "ratios": None if comparison.baseline is None else ratios,
    }
