"""Processes of this machine as an engine: started when they are first needed, replaced when lost.

``ProcessPoolExecutor`` gives up as a whole when one of its processes dies; the engine then asks for
a new one and sends again what was in flight. Processes are spawned, never forked: PyTorch and the
progress bar have threads.
"""

from __future__ import annotations

import signal
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context
from types import TracebackType

from cnnstat.sweep.engine import Engine

IN_FLIGHT = 4
"""Batches for each process: one at work, the others waiting behind slower ones."""


class Pool:
    """A context in which ``engine`` runs on so many processes."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._executor: ProcessPoolExecutor | None = None

    def __enter__(self) -> Engine:
        return Engine(self._renew(), IN_FLIGHT * self._workers, self._renew)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _renew(self) -> Executor:
        self._close()
        self._executor = ProcessPoolExecutor(
            self._workers, mp_context=get_context("spawn"), initializer=_ignore_interrupts
        )
        return self._executor

    def _close(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None


def _ignore_interrupts() -> None:
    """Leave Ctrl-C to the parent, which writes the rows so far and ends the workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
