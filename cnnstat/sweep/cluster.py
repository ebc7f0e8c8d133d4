"""A Dask cluster as an engine: the one file that knows Dask, imported when it is asked for.

Dask starts tasks of lost workers again by itself; its dashboard shows them. The workers need
cnnstat in their environment, and the files that a reference names at the same path.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from cnnstat.errors import MissingDependencyError, UsageError
from cnnstat.sweep.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Sequence

LOCAL = "local"
TIMEOUT_SECONDS = 10
RETRIES = 3
IN_FLIGHT = 4
"""Batches for each thread of the cluster."""


@contextmanager
def cluster(address: str, *, workers: int, files: Sequence[str] = ()) -> Iterator[Engine]:
    """Connect to a scheduler, or start one with ``workers`` processes for ``local``.

    ``files`` are the user's own that the workers must see. Raises ``UsageError`` where nothing
    answers within 10 seconds, where no worker is there, or where one does not see a file.
    """
    try:
        from distributed import Client, LocalCluster
    except ModuleNotFoundError as error:
        raise MissingDependencyError("Dask (distributed)", "dask") from error

    own: Any = None
    try:
        if address == LOCAL:
            own = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)
            client = Client(own, timeout=TIMEOUT_SECONDS)
        else:
            client = Client(address, timeout=TIMEOUT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise UsageError(
            f"no Dask scheduler answers at {address} within {TIMEOUT_SECONDS} s ({said[0]}); start "
            "one with 'dask scheduler' and workers with 'dask worker ADDRESS --nthreads 1'"
        ) from error
    try:
        threads = _threads(client, address)
        _check_files(client, files)
        yield Engine(client.get_executor(pure=False, retries=RETRIES), IN_FLIGHT * threads)
    finally:
        with suppress(Exception):  # a scheduler that is gone cannot be told
            client.close(timeout=TIMEOUT_SECONDS)
        if own is not None:
            own.close(timeout=TIMEOUT_SECONDS)


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


def _check_files(client: Any, files: Sequence[str]) -> None:
    for file in files:
        path = os.path.abspath(file)
        seen = client.run(os.path.exists, path)
        blind = sorted(worker for worker, sees in seen.items() if not sees)
        if blind:
            raise UsageError(
                f"{file}: the worker {blind[0]} has no file {path}; put it into a folder that all "
                "machines share, or into a package that is installed there"
            )
