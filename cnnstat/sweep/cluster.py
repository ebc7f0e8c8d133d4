"""A Dask cluster as an engine: the one file that knows Dask, imported when it is asked for.

Dask starts tasks of lost workers again by itself; its dashboard shows them. The workers need
cnnstat in their environment. A file that a reference names is read where all workers see it, else
Dask's own upload brings it to each, to those that join later as well.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from threading import current_thread, main_thread
from typing import Any, NamedTuple

from cnnstat.errors import MissingDependencyError, UsageError
from cnnstat.sweep.engine import Engine, Evaluate
from cnnstat.sweep.plan import Batch, Plan

LOCAL = "local"
TIMEOUT_SECONDS = 10
RETRIES = 3
IN_FLIGHT = 4
"""Batches for each thread of the cluster."""

LOCAL_CONFIG = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "500ms",
}
"""Of a cluster of one's own, which has no dashboard: what watches its workers for one, 100 and 50
times a second, takes a tenth of their time."""


class Source(NamedTuple):
    """User code that workers need: a ``file``, or the ``module`` that is imported."""

    file: str = ""
    module: str = ""


def on_worker(
    evaluate: Evaluate, own: str, plan: Plan, start: int, stop: int, folder: str = ""
) -> Batch:
    """Evaluate points on a worker, with the user's file from a folder: "" is Dask's upload."""
    from distributed import get_worker

    return evaluate(plan, start, stop, folder or own or get_worker().local_directory)


@contextmanager
def cluster(address: str, *, workers: int, source: Source | None = None) -> Iterator[Engine]:
    """Connect to a scheduler, or start one with ``workers`` processes for ``local``.

    Raises ``UsageError`` where nothing answers within 10 seconds, where no worker is there, or
    where one cannot have the source.
    """
    try:
        import dask.config
        from distributed import Client, LocalCluster
    except ModuleNotFoundError as error:
        raise MissingDependencyError("Dask (distributed)", "dask") from error

    own: Any = None
    try:
        if address == LOCAL:
            # the workers inherit that they ignore interrupts: the parent ends them
            with _interrupts_ignored(), dask.config.set(LOCAL_CONFIG):
                own = LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    dashboard_address=None,
                    silence_logs=logging.CRITICAL,
                )
            client = Client(own, timeout=TIMEOUT_SECONDS)
        else:
            client = Client(address, timeout=TIMEOUT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise UsageError(
            f"no Dask scheduler answers at {address} within {TIMEOUT_SECONDS} s ({reason[0]}); "
            "start one with 'dask scheduler' and workers with 'dask worker ADDRESS --nthreads 1'"
        ) from error
    try:
        threads = _threads(client, address)
        executor = client.get_executor(pure=False, retries=RETRIES)
        folder = None if source is None else _folder(client, source, address)
        engine = Engine(executor, IN_FLIGHT * threads)
        if folder is not None:
            engine = engine._replace(wrap=lambda evaluate: partial(on_worker, evaluate, folder))
        yield engine
    finally:
        logging.getLogger("tornado.application").setLevel(logging.CRITICAL)  # cancelled callbacks
        with suppress(Exception):  # a scheduler that is gone cannot be told
            client.close(timeout=TIMEOUT_SECONDS)
        if own is not None:
            own.close(timeout=TIMEOUT_SECONDS)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Ignore Ctrl-C during the block, and for good in processes that it starts."""
    if current_thread() is not main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _threads(client: Any, address: str) -> int:
    """Return the threads of all workers; raise ``UsageError`` where no worker comes."""
    try:
        client.wait_for_workers(1, timeout=TIMEOUT_SECONDS)
    except TimeoutError as error:
        raise UsageError(
            f"the Dask scheduler at {address} has no workers; start some with "
            f"'dask worker {address} --nthreads 1'"
        ) from error
    threads: dict[str, int] = client.nthreads()
    return max(1, sum(threads.values()))


def _folder(client: Any, source: Source, address: str) -> str | None:
    """Send a source to the workers; return the folder of its file there, "" for uploads.

    None if nothing is read from a folder. Raises ``UsageError`` if that fails.
    """
    if source.module:
        blind = _blind(client, _importable, source.module)
        if blind:
            raise UsageError(
                f"{source.module}: the worker {blind} cannot import it; install it there, or "
                f"upload it with Dask: Client({address!r}).upload_file(FILE)"
            )
        return None
    stated = os.path.abspath(source.file.partition("{")[0])
    several = "{" in source.file
    if not _blind(client, os.path.exists, os.path.dirname(stated) if several else stated):
        return os.getcwd()
    if several:
        raise UsageError(
            f"{source.file}: the workers do not see {os.path.dirname(stated)}; put the files "
            "into a folder that all machines share"
        )
    client.upload_file(stated, load=False)
    return ""


def _blind(client: Any, test: Callable[[str], bool], argument: str) -> str:
    """Return a worker on which a test fails; empty where there is none."""
    answers: dict[str, bool] = client.run(test, argument)
    return min((worker for worker, passed in answers.items() if not passed), default="")


def _importable(module: str) -> bool:
    from importlib.util import find_spec

    top = module.partition(".")[0]
    here = os.path.isdir(top) or os.path.isfile(f"{top}.py")
    return here or find_spec(top) is not None
