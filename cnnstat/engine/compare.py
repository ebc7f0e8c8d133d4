"""Models side by side: the same figures of each, and every figure as a ratio to one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from cnnstat.engine.report import Report
from cnnstat.errors import UsageError, unknown


class ErrorRate(NamedTuple):
    """Published error in percent, where it stands, what was averaged (one model, an ensemble)."""

    top1_error: float | None
    top5_error: float | None
    source: str
    setting: str
    ensemble: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One model of a comparison on one input."""

    name: str
    title: str
    year: int | None
    report: Report
    error: ErrorRate | None = None

    @property
    def input(self) -> str:
        """The input's shape with its batch, as text."""
        return str(self.report.input)


MEASURES: dict[str, Callable[[Entry], int | float | None]] = {
    "depth": lambda e: e.report.totals.depth,
    "params": lambda e: e.report.totals.params,
    "macs": lambda e: e.report.totals.macs,
    "flops": lambda e: e.report.totals.flops,
    "activation_bytes": lambda e: e.report.totals.activation_bytes,
    "peak_activation_bytes": lambda e: e.report.totals.peak_activation_bytes,
    "macs_per_param": lambda e: (
        e.report.totals.macs / e.report.totals.params if e.report.totals.params else None
    ),
    "top1_error": lambda e: e.error.top1_error if e.error else None,
    "top5_error": lambda e: e.error.top5_error if e.error else None,
}
"""Every figure that is compared, by its machine-readable name."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Entries in the order given; ``baseline`` is the entry that ratios refer to, or None."""

    entries: tuple[Entry, ...]
    baseline: Entry | None = None

    def ratio(self, entry: Entry, measure: str) -> float | None:
        """Return entry / baseline of one measure.

        0.11 is 8.9 times fewer; None where one is missing or zero.
        """
        if self.baseline is None:
            return None
        ours, theirs = MEASURES[measure](entry), MEASURES[measure](self.baseline)
        return ours / theirs if ours is not None and theirs else None

    def sorted_by(self, measure: str, *, descending: bool = False) -> Comparison:
        """Return the comparison ordered by a measure, unknown values last."""
        if measure not in MEASURES:
            raise unknown("measure", measure, MEASURES)
        known = [e for e in self.entries if MEASURES[measure](e) is not None]
        known.sort(key=lambda e: MEASURES[measure](e) or 0, reverse=descending)
        missing = [e for e in self.entries if MEASURES[measure](e) is None]
        return Comparison((*known, *missing), self.baseline)


def compare(entries: tuple[Entry, ...], *, baseline: str | None = None) -> Comparison:
    """Return a comparison.

    Raise ``UsageError`` if the ``baseline`` is none of the entries' names.
    """
    if baseline is None:
        return Comparison(entries)
    found = next((entry for entry in entries if entry.name == baseline), None)
    if found is None:
        names = ", ".join(entry.name for entry in entries)
        raise UsageError(f"baseline {baseline!r} is none of the compared models: {names}")
    return Comparison(entries, found)
