"""Large sweeps as a user runs them: rows a second, and the memory of the processes.

Run by hand: ``python tests/speed/sweep_million.py -o FILE`` (minutes). It runs ``cnnstat sweep``
on wide ResNets of 10 depths, 500 widths, 10 numbers of classes and 20 inputs, with parameters,
MACs, FLOPs, activations, their peak and depth, into a CSV file that is thrown away. ``--engines
1,2,dask2 --points 400000`` compares one process, two, and two single-threaded workers of Dask;
``--points 1000,10000,100000,1000000`` measures the growth. ``wall_s`` is the whole command, starts
included; ``steady_rows_per_s`` is the rate behind the first tenth of the rows, without them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

SPACE = (
    "wrn-{depth}-{width}",
    "depth=range(10,65,6)",
    "width=range(1,501)",
    "classes=range(10,101,10)",
    "input=range(32,71,2)",
    "--columns",
    "params,macs,flops,activation_bytes,peak_activation_bytes,depth",
)
POINTS = 10 * 500 * 10 * 20


def peak_bytes(pid: int) -> int:
    """Return the largest resident memory of a process so far; 0 where it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return max((int(x.split()[1]) * 1024 for x in lines if x.startswith("VmHWM")), default=0)


def children(pid: int) -> list[int]:
    """Return the processes that the threads of a process started."""
    started: list[int] = []
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # it has ended
            started += map(int, thread.read_text().split())
    return started


def space_of(points: int) -> list[str]:
    """Return the space cut to so many widths, below one to so many classes, that these come out."""
    widths = max(1, 500 * points // POINTS)
    classes = 10 * points // (widths * POINTS // 500)
    cut = {
        "width": f"width=range(1,{1 + widths})",
        "classes": f"classes=range(10,{10 * classes + 1},10)",
    }
    return [cut.get(text.partition("=")[0], text) for text in SPACE]


class Growth:
    """The lines of a file that is being written, and when they were there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self.lines = 0
        self.times: list[tuple[float, int]] = []

    def look(self) -> None:
        """Count the lines that have come."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._read)
            text = file.read()
        self._read += len(text)
        self.lines += text.count(b"\n")
        self.times.append((time.perf_counter(), self.lines))

    def steady_rate(self) -> int:
        """Return the lines a second from the first tenth to the last line."""
        begin, first = next(pair for pair in self.times if pair[1] >= self.lines / 10)
        end = next(moment for moment, lines in self.times if lines == self.lines)
        return round((self.lines - first) / (end - begin)) if end > begin else 0


def run(engine: str, points: int) -> dict[str, object]:
    """Return what a run over ``points`` points took."""
    workers = engine.removeprefix("dask")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "space.csv"
        command = [sys.executable, "-m", "cnnstat", "sweep", *space_of(points), "-j", workers]
        command += ["--dask", "local"] if engine != workers else []
        begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        process = subprocess.Popen([*command, "-o", str(path)])
        parent, largest_worker, growth = 0, 0, Growth(path)
        while process.poll() is None:
            parent = max(parent, peak_bytes(process.pid))
            largest_worker = max([largest_worker, *map(peak_bytes, children(process.pid))])
            growth.look()
            time.sleep(0.1)
        wall = time.perf_counter() - begun
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        growth.look()
        rows = growth.lines - 1
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "rows": rows,
        "engine": f"{workers} of Dask" if engine != workers else f"{workers} processes",
        "wall_s": round(wall, 2),
        "cpu_s": round(cpu, 2),
        "rows_per_s": round(rows / wall),
        "steady_rows_per_s": growth.steady_rate(),
        "parent_peak_bytes": parent,
        "worker_peak_bytes": largest_worker,
        "load_average_5_min": os.getloadavg()[1],
    }


def main() -> None:
    """Run, print, and write with ``-o``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engines", default="2", help="One run for each: 1,2,dask2.")
    parser.add_argument("--points", default=str(POINTS), help="One run for each: 1000,10000.")
    parser.add_argument("-o", "--output")
    options = parser.parse_args()
    result = {
        "space": list(SPACE),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}",
        "runs": [
            run(engine, int(points))
            for engine in options.engines.split(",")
            for points in options.points.split(",")
        ],
    }
    text = json.dumps(result, indent=1)
    print(text)
    if options.output:
        Path(options.output).write_text(text + "\n")


if __name__ == "__main__":
    main()
