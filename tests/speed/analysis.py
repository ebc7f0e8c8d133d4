"""Analysis inside the process: single models, the whole zoo, time per operator of long chains.

Run by hand: ``python tests/speed/analysis.py``. A full analysis builds the graph, infers shapes,
and reads every row, every receptive field and all totals of the report. ``first`` is the first
call in this process, the rest are medians of the later ones; times are processor time.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable
from statistics import median

from cnnstat import api
from cnnstat.count.report import Report
from cnnstat.count.report import analyze as analyze_graph
from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import Graph
from cnnstat.ir.shapes import infer_shapes
from cnnstat.ops import Add, BatchNorm2d, Conv2d, Input, ReLU
from cnnstat.zoo.catalog import names

MODELS = ("vgg16", "resnet50", "resnet152", "densenet121", "resnet1202-cifar")
LENGTHS = (100, 300, 1_000, 3_000, 10_000)


def read(report: Report) -> int:
    """Read everything that a report derives."""
    fields = [row.receptive_field for row in report.layers]
    return report.totals.macs + len(fields)


def model(name: str) -> Callable[[], int]:
    """Return a full analysis of a model of the zoo."""
    return lambda: read(api.analyze(name).report)


def chain(length: int) -> Graph:
    """Return a graph of ``length`` operators: convolution, norm, activation, addition, repeated."""
    b = Builder(f"chain of {length}")
    x = start = b.add("input", Input((8, 32, 32)))
    steps = (Conv2d(8, (3, 3), padding=(1, 1)), BatchNorm2d(), ReLU(), Add())
    for index in range(1, length):
        op = steps[(index - 1) % 4]
        x = b.add(f"op{index}", op, x, start) if isinstance(op, Add) else b.add(f"op{index}", op, x)
        start = x if isinstance(op, Add) else start
    return b.graph(x)


def times_ms(work: Callable[[], int], repeats: int) -> tuple[float, float]:
    """Return the first time and the median of ``repeats`` more."""
    taken = []
    for _ in range(repeats + 1):
        gc.collect()  # what the run before left behind is not this run's work
        start = time.process_time()
        work()
        taken.append((time.process_time() - start) * 1e3)
    return taken[0], median(taken[1:])


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=15, help="Repeats of each measurement.")
    repeats = parser.parse_args().pairs
    known = names()
    print(f"{'full analysis':28} {'first ms':>9} {'median ms':>10}")
    for name in MODELS:
        if name in known:
            first, later = times_ms(model(name), repeats)
            print(f"{name:28} {first:9.1f} {later:10.1f}")
    first, later = times_ms(lambda: sum(model(name)() for name in known), max(3, repeats // 5))
    print(f"{f'the zoo, {len(known)} models':28} {first:9.1f} {later:10.1f}", end="")
    print(f"   ({later * 100 / len(known):.1f} ms per 100 models)")
    print(f"\n{'chain':28} {'median ms':>10} {'us per operator':>16}")
    for length in LENGTHS:
        graph = chain(length)
        _, later = times_ms(lambda: read(analyze_graph(infer_shapes(graph, {}))), repeats)  # noqa: B023
        print(f"{f'{length:,} operators':28} {later:10.2f} {later * 1e3 / length:16.2f}")


if __name__ == "__main__":
    main()
