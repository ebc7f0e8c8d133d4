"""Start-up: the whole process of a command against a bare Typer and Rich program.

Run by hand: ``python tests/speed/startup.py``. Runs of the two are interleaved in pairs, ratios are
medians over the pairs. Processor time hardly depends on what else runs; memory is the peak resident
set. The bare program prints a constant table of as many rows and columns. Both run from bytecode,
as installed packages do, whatever the environment says. ``torchinfo`` takes part
where it is installed, on the same model, built and passed forward as its users do.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

BARE = """
import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer()
HEAD, *ROWS = {cells!r}


@app.command()
def main() -> None:
    table = Table(*HEAD)
    for row in ROWS:
        table.add_row(*row)
    Console(width=200).print(table)


app()
"""

TORCHINFO = """
from torch import nn
from torchinfo import summary

layers, channels = [], 3
for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
    for _ in range(count):
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
        channels = width
    layers.append(nn.MaxPool2d(2))
layers.append(nn.Flatten())
for width, features in ((4096, 25088), (4096, 4096)):
    layers += [nn.Linear(features, width), nn.ReLU(), nn.Dropout()]
summary(nn.Sequential(*layers, nn.Linear(4096, 1000)), (1, 3, 224, 224), verbose=1)
"""

ENVIRONMENT = {**os.environ}
"""Environment of the processes that are measured; ``main`` adds a folder for their bytecode."""

COMMANDS = ("summary vgg16", "list", "claims", "compare vgg16 resnet50")


class Run(NamedTuple):
    """One process from start to end."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


def run(command: list[str]) -> Run:
    """Return what one process took; its output goes nowhere. Raise if it fails."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed with status {process.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit)


def paired(command: list[str], against: list[str], pairs: int) -> tuple[list[Run], list[Run]]:
    """Return ``pairs`` runs of both, interleaved, after one run each that is not counted."""
    run(command), run(against)
    runs: tuple[list[Run], list[Run]] = [], []
    for pair in range(pairs):
        for which in (0, 1) if pair % 2 else (1, 0):
            runs[which].append(run((command, against)[which]))
    return runs


def line(name: str, runs: list[Run], against: list[Run]) -> str:
    """Return one row: medians, and the medians over the pairs of the ratios."""
    ms, cpu_ms, peak = (median(kind) for kind in zip(*runs, strict=True))
    pairs = zip(runs, against, strict=True)
    ratios = [[a / b for a, b in zip(*pair, strict=True)] for pair in pairs]
    time, cpu, memory = (median(kind) for kind in zip(*ratios, strict=True))
    values = f"{ms * 1e3:9.1f} {cpu_ms * 1e3:9.1f} {peak / 1e6:9.1f}"
    return f"{name:28} {values} {time:9.2f}x {cpu:8.2f}x {memory:8.2f}x"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=15)
    pairs = parser.parse_args().pairs
    cnnstat = [sys.executable, "-m", "cnnstat"]
    exported = [*cnnstat, "summary", "vgg16", "--format", "csv"]
    text = subprocess.run(exported, check=True, capture_output=True, text=True).stdout
    cells = list(csv.reader(io.StringIO(text)))
    known = subprocess.run([*cnnstat, "--help"], check=True, capture_output=True, text=True).stdout
    print(f"medians over {pairs} interleaved pairs, Python {sys.version.split()[0]}")
    ratios = f"{'time':>10} {'CPU':>9} {'memory':>9}"
    print(f"{'process':28} {'ms':>9} {'CPU ms':>9} {'peak MB':>9} {ratios}")
    with tempfile.TemporaryDirectory() as folder:
        ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", None)
        ENVIRONMENT["PYTHONPYCACHEPREFIX"] = folder
        program = Path(folder, "bare.py")
        program.write_text(BARE.format(cells=cells), encoding="utf-8")
        bare = [sys.executable, str(program)]
        for command in COMMANDS:
            if command.split()[0] not in known.split():
                continue
            runs, others = paired([*cnnstat, *command.split()], bare, pairs)
            print(line(f"cnnstat {command}", runs, others))
        print(line("bare Typer + Rich", others, others))
        if subprocess.run(
            [sys.executable, "-c", "import torchinfo"], capture_output=True
        ).returncode:
            print("torchinfo is not installed and takes no part")
            return
        theirs = [sys.executable, "-c", TORCHINFO]
        runs, others = paired(theirs, [*cnnstat, *COMMANDS[0].split()], max(3, pairs // 3))
        print(line("torchinfo, VGG-16", runs, others) + "   (against cnnstat summary vgg16)")


if __name__ == "__main__":
    main()
