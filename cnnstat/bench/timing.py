"""Statistics of repeated timings: spread, outliers, when a warm-up has settled. Pure; seconds.

The median stands for a run and the quartiles for its spread: interruptions of a shared machine make
the mean and the maximum say more about the neighbours than about the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor
from typing import NamedTuple

FENCE = 3.0
"""Interquartile ranges beyond a quartile that make a sample an outlier (Tukey 1977: "far out")."""

SETTLE_WINDOW = 5
SETTLE_TOLERANCE = 0.02
MIN_SAMPLES = 10


class Spread(NamedTuple):
    """How samples lie, in seconds; ``outliers`` lie over ``FENCE`` ranges beyond a quartile."""

    samples: int
    median: float
    p25: float
    p75: float
    p95: float
    minimum: float
    maximum: float
    outliers: int


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` (0 to 1) of the samples lie, linear between two.

    Raises ``ValueError`` without samples or for a share outside 0 to 1.
    """
    if not samples or not 0 <= share <= 1:
        raise ValueError(f"no percentile {share} of {len(samples)} samples")
    ordered = sorted(samples)
    position = share * (len(ordered) - 1)
    below, above = ordered[floor(position)], ordered[ceil(position)]
    return below + (above - below) * (position - floor(position))


def spread(samples: Sequence[float]) -> Spread:
    """Return how the samples lie; raise ``ValueError`` if there are none."""
    p25, median, p75, p95 = (percentile(samples, share) for share in (0.25, 0.5, 0.75, 0.95))
    reach = FENCE * (p75 - p25)
    outliers = sum(not p25 - reach <= sample <= p75 + reach for sample in samples)
    return Spread(len(samples), median, p25, p75, p95, min(samples), max(samples), outliers)


def timing_note(timing: Spread) -> str:
    """Return reasons to doubt a median: outliers, too few samples; empty if nothing does."""
    remarks = []
    if timing.samples < MIN_SAMPLES:
        remarks.append(
            f"{timing.samples} {'sample' if timing.samples == 1 else 'samples'} "
            f"within --max-time, fewer than {MIN_SAMPLES}"
        )
    if timing.outliers:
        remarks.append(
            f"{timing.outliers} of {timing.samples} samples lie more than {FENCE:g} interquartile "
            f"ranges beyond the quartiles (slowest {timing.maximum * 1e3:.4g} ms)"
        )
    return "; ".join(remarks)


def settled(
    durations: Sequence[float],
    *,
    window: int = SETTLE_WINDOW,
    tolerance: float = SETTLE_TOLERANCE,
) -> bool:
    """Return whether a warm-up is over: the running median no longer moves.

    The median of the last ``window`` durations is compared with the median of the ``window`` before
    them; they may differ by ``tolerance`` of the earlier one.
    """
    if len(durations) < 2 * window:
        return False
    earlier = percentile(durations[-2 * window : -window], 0.5)
    latest = percentile(durations[-window:], 0.5)
    return abs(latest - earlier) <= tolerance * earlier


def enough(samples: int, elapsed: float, *, min_time: float, max_time: float) -> bool:
    """Return whether sampling is over, times in seconds.

    ``MIN_SAMPLES`` and ``min_time`` are reached, or ``max_time`` is.
    """
    if elapsed >= max_time:
        return samples > 0
    return samples >= MIN_SAMPLES and elapsed >= min_time
