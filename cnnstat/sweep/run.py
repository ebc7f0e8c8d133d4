"""A plan on its way through an engine, and its progress."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from cnnstat.errors import UsageError
from cnnstat.sweep.engine import Engine, Evaluate, here, run
from cnnstat.sweep.plan import DROPPED, FAILED, KEPT, SKIPPED, Batch, Plan

LOCAL_SECONDS = 0.5
"""A run begins in this process: a space of a few hundred points needs no other."""

FRUITLESS = 100_000
"""Draws without a valid combination after which a sample ends."""


@dataclass
class Counts:
    """How far a run is: ``next`` is the position that follows, None at the end."""

    evaluated: int = 0
    kept: int = 0
    failed: int = 0
    skipped: int = 0
    next: int | None = 0

    def add(self, batch: Batch) -> None:
        """Count a batch."""
        outcomes = batch.outcomes
        failed, kept = outcomes.count(FAILED), outcomes.count(KEPT)
        self.kept += kept
        self.failed += failed
        self.skipped += outcomes.count(SKIPPED)
        self.evaluated += kept + failed + outcomes.count(DROPPED)
        self.next = batch.start + len(outcomes)

    def add_row(self, position: int, *, failed: bool) -> None:
        """Count a model by the row that it has in a file."""
        self.failed += failed
        self.kept += not failed
        self.next = position + 1


@dataclass
class Run:
    """A plan on its way: ``batches`` yields results in order; ``counts`` says its progress."""

    plan: Plan
    evaluate: Evaluate
    counts: Counts = field(default_factory=Counts)
    reason: str = ""
    first_error: str = ""
    begins_here: bool = True
    """Whether this process takes the first points, and the engine only what is left then."""

    def batches(self, engine: AbstractContextManager[Engine] | None = None) -> Iterator[Batch]:
        """Yield what becomes of the points that are left, in order.

        Without an engine they are evaluated in this process. Raises ``UsageError`` where no
        combination is legal.
        """
        for batch in self._raw(engine):
            cut = self._cut(batch)
            self.counts.add(cut)
            self.reason = self.reason or cut.reason
            if FAILED in cut.outcomes:
                self.first_error = self.first_error or cut.error
            yield cut
            if self.plan.sample is not None and self.counts.evaluated >= self.plan.sample:
                break
            if not self.counts.evaluated and self.counts.skipped >= FRUITLESS:
                break
        if not self.counts.evaluated and self.counts.skipped:
            raise UsageError(
                f"{self.plan.space.reference}: none of {self.counts.skipped:,} combinations is "
                f"valid: {self.reason}"
            )
        self.counts.next = None

    def _raw(self, engine: AbstractContextManager[Engine] | None) -> Iterator[Batch]:
        start, stop = self.counts.next, self.plan.space.size
        if start is None:
            return
        seconds = float("inf")
        if engine is not None:
            seconds = LOCAL_SECONDS if self.begins_here else 0
        points = 0
        for batch in here(self.evaluate, self.plan, start, stop, seconds):
            start += len(batch.outcomes)
            points = len(batch.outcomes)
            yield batch
        if start < stop and engine is not None:
            with engine as running:
                yield from run(self.evaluate, self.plan, start, stop, running, points)

    def _cut(self, batch: Batch) -> Batch:
        """Return a batch up to the last model that the sample still wants."""
        if self.plan.sample is None:
            return batch
        missing = self.plan.sample - self.counts.evaluated
        for place, outcome in enumerate(batch.outcomes):
            missing -= outcome != SKIPPED
            if not missing:
                outcomes = batch.outcomes[: place + 1]
                rows = outcomes.count(KEPT) + outcomes.count(FAILED)
                return batch._replace(
                    outcomes=outcomes, rows=batch.rows[:rows], lines=batch.lines[:rows]
                )
        return batch
