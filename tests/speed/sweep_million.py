"""One large sweep as a user runs it: rows a second, and the memory of its processes.

Run by hand: ``python tests/speed/sweep_million.py -o FILE`` (minutes). It runs ``cnnstat sweep``
on wide ResNets of 10 depths, 500 widths, 10 numbers of classes and 20 inputs, with parameters,
MACs, FLOPs, activations, their peak and depth, into a CSV file that is thrown away. ``--engines
1,2,dask2 --points 200000`` compares one process, two, and two single-threaded workers of Dask.
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
    """Return the processes that a process started."""
    try:
        return [int(x) for x in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def run(engine: str, points: int) -> dict[str, object]:
    """Return what a run over so many widths that ``points`` points come out took."""
    workers = engine.removeprefix("dask")
    width = f"width=range(1,{1 + 500 * points // POINTS})"
    space = tuple(width if text.startswith("width=") else text for text in SPACE)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "space.csv"
        command = [sys.executable, "-m", "cnnstat", "sweep", *space, "-j", workers]
        command += ["--dask", "local"] if engine != workers else []
        begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        process = subprocess.Popen([*command, "-o", str(path)])
        parent, largest_worker = 0, 0
        while process.poll() is None:
            parent = max(parent, peak_bytes(process.pid))
            largest_worker = max([largest_worker, *map(peak_bytes, children(process.pid))])
            time.sleep(0.5)
        wall = time.perf_counter() - begun
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        with path.open("rb") as file:
            rows = sum(1 for _ in file) - 1
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "rows": rows,
        "engine": f"{workers} of Dask" if engine != workers else f"{workers} processes",
        "wall_s": round(wall, 1),
        "cpu_s": round(cpu, 1),
        "rows_per_s": round(rows / wall),
        "parent_peak_bytes": parent,
        "worker_peak_bytes": largest_worker,
        "load_average_5_min": os.getloadavg()[1],
    }


def main() -> None:
    """Run, print, and write with ``-o``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engines", default="2", help="One run for each: 1,2,dask2.")
    parser.add_argument("--points", type=int, default=POINTS)
    parser.add_argument("-o", "--output")
    options = parser.parse_args()
    result = {
        "space": list(SPACE),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}",
        "runs": [run(engine, options.points) for engine in options.engines.split(",")],
    }
    text = json.dumps(result, indent=1)
    print(text)
    if options.output:
        Path(options.output).write_text(text + "\n")


if __name__ == "__main__":
    main()
