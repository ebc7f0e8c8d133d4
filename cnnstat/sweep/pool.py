"""Processes of this machine as an engine: started when they are first needed, replaced when lost.

``ProcessPoolExecutor`` gives up as a whole when one of its processes dies; the engine then asks for
a new one and sends again what was in flight. Processes are spawned, never forked: PyTorch and the
progress bar have threads.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

from cnnstat.sweep.engine import Engine

IN_FLIGHT = 4
"""Batches for each process: one at work, the others waiting behind slower ones."""


@contextmanager
def pool(workers: int) -> Iterator[Engine]:
    """Give an engine on so many processes, as long as the context lasts."""
    executors: list[Executor] = []

    def close() -> None:
        while executors:
            executors.pop().shutdown(wait=False, cancel_futures=True)

    def renew() -> Executor:
        close()
        spawn = get_context("spawn")
        executors.append(
            ProcessPoolExecutor(workers, mp_context=spawn, initializer=_ignore_interrupts)
        )
        return executors[0]

    try:
        yield Engine(renew(), IN_FLIGHT * workers, renew)
    finally:
        close()


def _ignore_interrupts() -> None:
    """Leave Ctrl-C to the parent, which writes the rows so far and ends the workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
