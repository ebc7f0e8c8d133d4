"""Models side by side: the same figures of each, and every figure as a ratio to one of them.

A figure that a partial report knows only a part of is unknown here, and so is its ratio: a lower
bound divided by another is neither.

Layer by layer, two models are aligned by name where they share at least half of their names, else
by what the layers are, in order (the longest common sequence). Only what a layer is and does counts
as a change: the name of an aligned layer does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from cnnstat.count.layer import Layer
from cnnstat.count.report import Report
from cnnstat.errors import UsageError, unknown


class ErrorRate(Protocol):
    """Published error in percent: on what, what was averaged (``setting``), where it is printed."""

    @property
    def dataset(self) -> str: ...  # noqa: D102
    @property
    def setting(self) -> str: ...  # noqa: D102
    @property
    def source(self) -> str: ...  # noqa: D102
    @property
    def top1_error(self) -> float | None: ...  # noqa: D102
    @property
    def top5_error(self) -> float | None: ...  # noqa: D102
    @property
    def ensemble(self) -> bool: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Entry:
    """One model of a comparison on one input. ``name`` is what the reader calls it."""

    name: str
    report: Report
    reference: str = ""
    title: str = ""
    family: str = ""
    year: int | None = None
    error: ErrorRate | None = None

    @property
    def input(self) -> str:
        """The input's shape without the batch, as text: ``3x224x224``."""
        return "x".join(map(str, self.report.input_shape))


def _known(entry: Entry, figure: int) -> int | None:
    return None if entry.report.status == "partial" else figure


def _sized(entry: Entry, figure: int) -> int | None:
    return None if entry.report.shapes_status == "partial" else figure


def _macs_per_param(entry: Entry) -> float | None:
    totals = entry.report.totals
    if "partial" in (entry.report.status, entry.report.params_status) or not totals.params:
        return None
    return totals.macs / totals.params


MEASURES: dict[str, Callable[[Entry], int | float | None]] = {
    "depth": lambda e: e.report.totals.depth if e.report.knows("depth") else None,
    "params": lambda e: e.report.totals.params if e.report.params_status == "complete" else None,
    "macs": lambda e: _known(e, e.report.totals.macs),
    "flops": lambda e: _known(e, e.report.totals.flops),
    "activation_bytes": lambda e: _sized(e, e.report.totals.activation_bytes),
    "peak_activation_bytes": lambda e: _sized(e, e.report.totals.peak_activation_bytes),
    "macs_per_param": _macs_per_param,
    "top1_error": lambda e: e.error.top1_error if e.error else None,
    "top5_error": lambda e: e.error.top5_error if e.error else None,
}
"""Every figure that is compared, by its machine-readable name; errors in percent."""


def _counted(entry: Entry) -> int | None:
    sums = entry.report.totals_figures
    return None if sums.unknown_counted else sums.counted


def _accuracy(entry: Entry, key: str) -> float | None:
    error = MEASURES[key](entry)
    return None if error is None else round(100 - error, 10)


FURTHER: dict[str, Callable[[Entry], int | float | None]] = {
    "counted": _counted,
    "top1_accuracy": lambda e: _accuracy(e, "top1_error"),
    "top5_accuracy": lambda e: _accuracy(e, "top5_error"),
}
"""Figures without a ratio: the work under the report's convention, accuracies in percent."""
ALIASES = {"name": "model"}
"""Older names of keys."""
SORT_KEYS = ("model", "year", *MEASURES, *FURTHER)


@dataclass(frozen=True)
class Comparison:
    """Entries in the order given; ``baseline`` is the entry that ratios refer to, or None."""

    entries: tuple[Entry, ...]
    baseline: Entry | None = None

    def without_baseline(self) -> Comparison:
        """Return the entries that are compared with the baseline, which is still referred to."""
        return replace(self, entries=tuple(e for e in self.entries if e is not self.baseline))

    def ratio(self, entry: Entry, measure: str) -> float | None:
        """Return entry / baseline of one measure: 0.11 is 8.9 times fewer.

        None where one is missing or the baseline's is zero, and for an error on another data set.
        """
        if self.baseline is None:
            return None
        ours, theirs = MEASURES[measure](entry), MEASURES[measure](self.baseline)
        if ours is None or not theirs:
            return None
        if measure.endswith("_error") and _dataset(entry) != _dataset(self.baseline):
            return None
        return ours / theirs


def _dataset(entry: Entry) -> str:
    """Return the data set of the errors; the years and parts of ILSVRC are one."""
    words = entry.error.dataset.split() if entry.error else []
    if not words:
        return ""
    return "ImageNet" if words[0] == "ILSVRC" else words[0]


def compare(
    entries: Sequence[Entry],
    *,
    baseline: str | None = None,
    sort: str | None = None,
) -> Comparison:
    """Return the comparison of at least one entry.

    ``baseline`` is an entry's name or reference, ``NAME@SHAPE`` where one model is compared on
    several inputs (without the shape it is the first). ``sort`` orders by a measure, the largest
    first and unknown values last, or by ``model`` or ``year``. Raises ``UsageError`` with the
    nearest names for any other.
    """
    if not entries:
        raise UsageError("nothing to compare: name at least one model")
    reference = None if baseline is None else _find(entries, baseline)
    return Comparison(tuple(_sorted(entries, sort)), reference)


def _find(entries: Sequence[Entry], baseline: str) -> Entry:
    name, _, shape = baseline.partition("@")
    for entry in entries:
        if name in (entry.name, entry.reference) and _matches(entry, shape):
            return entry
    names = dict.fromkeys(entry.name for entry in entries)
    if shape and name in names:
        names = dict.fromkeys(f"{name}@{e.input}" for e in entries if e.name == name)
    raise unknown("baseline", baseline, names, listing=f"compared models: {', '.join(names)}")


def _matches(entry: Entry, shape: str) -> bool:
    """Whether ``224``, ``224x224`` or ``3x224x224`` (or nothing) means the entry's input."""
    extents = entry.input.split("x")
    square = len(set(extents[1:])) == 1 and shape == extents[-1]
    return not shape or square or shape in (entry.input, "x".join(extents[1:]))


def _sorted(entries: Sequence[Entry], sort: str | None) -> list[Entry]:
    if sort is None:
        return list(entries)
    key = sort.replace("-", "_")
    key = ALIASES.get(key, key)
    if key == "model":
        return sorted(entries, key=lambda entry: entry.name)
    if key == "year":
        return sorted(entries, key=lambda entry: (entry.year is None, entry.year or 0))
    if key not in SORT_KEYS:
        raise unknown("sort key", sort, SORT_KEYS)
    figure = MEASURES.get(key) or FURTHER[key]
    cells = [(figure(entry), entry) for entry in entries]
    known = [(cell, entry) for cell, entry in cells if cell is not None]
    known.sort(key=lambda pair: pair[0], reverse=True)
    return [*(entry for _, entry in known), *(entry for cell, entry in cells if cell is None)]


Change = Literal["same", "changed", "removed", "added"]
FIELDS = ("type", "detail", "input", "output", "params", "macs")
"""Figures of two layers that are compared."""


@dataclass(frozen=True, slots=True)
class DiffRow:
    """One pair of layers; ``left`` or ``right`` is None where the other model has no such layer.

    ``fields`` names what differs, of ``FIELDS``; empty but for ``changed``.
    """

    change: Change
    left: Layer | None
    right: Layer | None
    fields: tuple[str, ...] = ()


def diff(left: Report, right: Report) -> tuple[DiffRow, ...]:
    """Return the layers of two models aligned, in the order of both."""
    from difflib import SequenceMatcher

    by_name = _share_names(left, right)
    one, other = [
        [row.name if by_name else row.type for row in report.layers] for report in (left, right)
    ]
    rows: list[DiffRow] = []
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    for tag, a, a_end, b, b_end in matcher.get_opcodes():
        lefts, rights = left.layers[a:a_end], right.layers[b:b_end]
        if tag == "equal":
            rows += [_pair(x, y) for x, y in zip(lefts, rights, strict=True)]
        else:
            rows += _replaced(lefts, rights)
    return tuple(rows)


def _share_names(left: Report, right: Report) -> bool:
    ours, theirs = {row.name for row in left.layers}, {row.name for row in right.layers}
    return 2 * len(ours & theirs) >= min(len(ours), len(theirs))


def _replaced(lefts: Sequence[Layer], rights: Sequence[Layer]) -> list[DiffRow]:
    """Pair layers of one type in order within a stretch that differs.

    Layers left over were removed or added.
    """
    rows: list[DiffRow] = []
    waiting = list(rights)
    for layer in lefts:
        same = next((i for i, other in enumerate(waiting) if other.type == layer.type), None)
        if same is None:
            rows.append(DiffRow("removed", layer, None))
            continue
        rows += [DiffRow("added", None, skipped) for skipped in waiting[:same]]
        rows.append(_pair(layer, waiting[same]))
        waiting = waiting[same + 1 :]
    return rows + [DiffRow("added", None, layer) for layer in waiting]


def _pair(left: Layer, right: Layer) -> DiffRow:
    pairs = zip(FIELDS, _facts(left), _facts(right), strict=True)
    fields = tuple(name for name, ours, theirs in pairs if ours != theirs)
    return DiffRow("changed" if fields else "same", left, right, fields)


def _facts(layer: Layer) -> tuple[object, ...]:
    """Return what is compared, parallel to ``FIELDS``."""
    inputs = [spec.shape for spec in layer.inputs]
    return layer.type, layer.detail, inputs, layer.output.shape, layer.params, layer.macs
