"""Sweeps as processes of their own: started, awaited, and the workers that they start."""

import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

COMMAND = (sys.executable, "-m", "cnnstat", "sweep")


def started(*args: str, limit: int | None = None) -> subprocess.Popen[str]:
    def limited() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    return subprocess.Popen(
        [*COMMAND, *args], stderr=subprocess.PIPE, text=True, preexec_fn=limited
    )


def wait_for_rows(path: Path, count: int) -> None:
    for _ in range(3000):
        if path.exists() and path.read_bytes().count(b"\n") > count:
            return
        time.sleep(0.02)
    raise AssertionError("no rows came")


def children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except (FileNotFoundError, ProcessLookupError):  # it has ended
        return []
    return [int(child) for child in text.split()]


def workers(pid: int) -> list[int]:
    """Return the processes of the pool, without Python's own tracker of resources."""
    pool = []
    for child in children(pid):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                pool.append(child)
    return pool
