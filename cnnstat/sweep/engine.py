"""Runs a plan: consecutive points in batches of about half a second, results in order.

The engine behind it is any ``concurrent.futures.Executor``. A bounded number of batches is in
flight. An executor that lost its workers (``BrokenExecutor``) is replaced by ``renew`` where the
caller has a way, and what was in flight is sent again; the points and their order do not change.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from typing import NamedTuple, Protocol

from cnnstat.errors import CnnstatError
from cnnstat.sweep.plan import Batch, Plan


class Evaluate(Protocol):
    """Evaluates the points of a plan from one position to another.

    ``folder`` is where the user's file is, if not where the reference says.
    """

    def __call__(self, plan: Plan, start: int, stop: int, folder: str = "") -> Batch:
        """Return the batch."""


BATCH_SECONDS = 0.5
FIRST_POINTS = 8
MAX_POINTS = 50_000
GROWTH = 8
"""Largest growth of a batch: the points that follow may take longer."""

ATTEMPTS = 3
"""Number of times that a batch may kill its workers before the run ends."""


class WorkersLostError(CnnstatError):
    """Workers that do not survive a batch (exit code 3)."""

    exit_code = 3


class Engine(NamedTuple):
    """An executor, how many batches it may have at a time, and how to replace it when it broke.

    ``wrap`` turns the function that is submitted into one that suits the workers.
    """

    executor: Executor
    in_flight: int
    renew: Callable[[], Executor] | None = None
    wrap: Callable[[Evaluate], Evaluate] = lambda evaluate: evaluate


class _Sizes:
    """Number of points in a batch of half a second, from the batches before."""

    def __init__(self) -> None:
        self.points = FIRST_POINTS

    def learn(self, batch: Batch) -> None:
        count = len(batch.outcomes)
        if not count:
            return
        fitting = int(count * BATCH_SECONDS / max(batch.seconds, 1e-6))
        self.points = max(1, min(fitting, GROWTH * count, MAX_POINTS))


def here(evaluate: Evaluate, plan: Plan, start: int, stop: int, seconds: float) -> Iterator[Batch]:
    """Yield the batches of positions ``start`` to ``stop`` in this process, for so many seconds."""
    sizes, begun = _Sizes(), time.perf_counter()
    while start < stop and time.perf_counter() - begun < seconds:
        end = min(stop, start + sizes.points)
        batch = evaluate(plan, start, end)
        sizes.learn(batch)
        start = end
        yield batch


def run(
    evaluate: Evaluate, plan: Plan, start: int, stop: int, engine: Engine, points: int = 0
) -> Iterator[Batch]:
    """Yield the batches of positions ``start`` to ``stop`` in order, worked out by an engine.

    ``points`` is the size of the first batches. Raises ``WorkersLostError`` where workers die again
    and again at the same points.
    """
    sizes = _Sizes()
    sizes.points = points or sizes.points
    evaluate = engine.wrap(evaluate)
    executor = engine.executor
    pending: deque[tuple[int, int, Future[Batch] | None]] = deque()
    broken_at, attempts = -1, 0
    try:
        while start < stop or pending:
            try:
                while start < stop and len(pending) < engine.in_flight:
                    end = min(stop, start + sizes.points)
                    pending.append((start, end, None))
                    start = end
                for place, (begin, end, future) in enumerate(pending):
                    if future is None:
                        future = executor.submit(evaluate, plan, begin, end)
                        pending[place] = (begin, end, future)
                first, _, future = pending[0]
                if future is None:
                    raise BrokenExecutor("nothing was submitted")
                batch = future.result()
            except BrokenExecutor as error:
                first = pending[0][0]
                attempts = attempts + 1 if first == broken_at else 1
                broken_at = first
                if engine.renew is None or attempts >= ATTEMPTS:
                    raise WorkersLostError(_lost(plan, first, error)) from error
                executor = engine.renew()
                pending = deque((a, b, None) for a, b, _ in pending)
                continue
            pending.popleft()
            sizes.learn(batch)
            yield batch
    finally:
        for _, _, future in pending:
            if future is not None:
                future.cancel()


def _lost(plan: Plan, position: int, error: BrokenExecutor) -> str:
    model = plan.space.point(plan.order[position]).reference
    reason = str(error).strip().splitlines() or ["all workers were lost"]
    return f"the workers died at point {position + 1:,} ({model}) or after it: {reason[0]}"
