"""Sweeps: models a second on one core, what other counters take per model, growth with the space.

Run by hand: ``python tests/speed/sweep.py``. Points are drawn at random from a space, and none is
counted twice: the first round of a few hundred starts with nothing remembered (``cold``), the
rounds after it have what the points before left, as in any sweep. A round counts parameters, MACs,
FLOPs, activations and depth (``totals``), and the peak as well. Times are processor time, medians
over rounds, or the fastest round (``--best``) on a machine that is not alone. The other counters
run in this process on a ResNet-50, after one warm-up.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from statistics import median

from cnnstat.api.points import evaluate
from cnnstat.api.sweeping import make_plan
from cnnstat.sweep.plan import Plan

TOTALS = "params,macs,flops,activation_bytes,depth"
WITH_PEAK = f"{TOTALS},peak_activation_bytes"

POINTS = 480
"""Of a round."""

SPACES: dict[str, tuple[str, dict[str, str]]] = {
    "ResNet-50, widths and inputs": (
        "resnext50-{groups}x{width}d",
        {
            "groups": "1,2,4,8,16,32",
            "width": "range(4,65,4)",
            "input": "range(160,321,32)",
            "classes": "range(10,1001,90)",
        },
    ),
    "WRN 10 to 40": (
        "wrn-{depth}-{k}",
        {
            "depth": "range(10,41,6)",
            "k": "range(1,21)",
            "input": "range(24,65,8)",
            "classes": "range(10,101,10)",
        },
    ),
    "ResNet CIFAR 20 to 62": (
        "resnet{depth}-cifar",
        {"depth": "range(20,63,6)", "input": "range(24,65,8)", "classes": "range(10,101)"},
    ),
    "DenseNet-BC 40 to 70": (
        "densenet-bc{depth}-{k}-cifar",
        {
            "depth": "range(40,71,6)",
            "k": "range(4,25)",
            "input": "range(24,65,8)",
            "classes": "range(10,101,10)",
        },
    ),
    "MobileNet": (
        "mobilenet-{a}",
        {
            "a": "range(0.25,2,0.03125)",
            "input": "range(96,321,32)",
            "classes": "range(10,1001,90)",
        },
    ),
}
"""Reference and values of each family: 4,000 points and more."""


def plan_of(family: str, columns: str) -> Plan:
    """Return the plan of a family, drawn at random so that no two neighbours are alike."""
    reference, values = SPACES[family]
    return make_plan(reference, values, columns=columns, sample=10**9, seed=1)


def rates(plan: Plan, rounds: int) -> list[float]:
    """Return the models a second of each round of new points, the cold one first."""
    measured = []
    for turn in range(rounds + 1):
        gc.collect()
        start = time.process_time()
        batch = evaluate(plan, turn * POINTS, (turn + 1) * POINTS)
        measured.append(len(batch.rows) / (time.process_time() - start))
    return measured


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Return the median processor time of a call after one that is not counted."""
    taken = []
    for _ in range(repeats + 1):
        start = time.process_time()
        with contextlib.redirect_stdout(io.StringIO()):
            work()
        taken.append(time.process_time() - start)
    return median(taken[1:])


def counters() -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield other counters of a ResNet-50 that are installed."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from cnnstat import build

    torch.set_num_threads(1)
    real = build("resnet50").eval()
    module = build("resnet50").eval().to("meta")
    pixels = torch.zeros(1, 3, 224, 224)
    image = pixels.to("meta")

    def flop_counter_mode() -> object:
        with FlopCounterMode(display=False) as mode, torch.no_grad():
            module(image)
        return mode.get_total_flops()

    yield "FlopCounterMode, meta", flop_counter_mode
    with contextlib.suppress(ImportError):
        from fvcore.nn import FlopCountAnalysis, parameter_count

        def fvcore() -> object:
            analysis = FlopCountAnalysis(real, pixels)
            analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
            return analysis.total(), parameter_count(real)[""]

        yield "fvcore", fvcore  # it traces no module on meta
    with contextlib.suppress(ImportError):
        from torchinfo import summary

        yield "torchinfo", lambda: summary(real, input_data=pixels, device="cpu", verbose=0)


def growth(largest: int) -> list[tuple[int, float]]:
    """Return points and seconds of runs of 10^3 points and on, each a fresh range of one space."""
    reference, values = SPACES["WRN 10 to 40"]
    plan = make_plan(
        reference, {**values, "k": "range(1,10001)", "input": "range(16,400)"}, columns=TOTALS
    )
    measured, start, points = [], 0, 1000
    while points <= largest:
        begun = time.process_time()
        evaluate(plan, start, start + points)
        measured.append((points, time.process_time() - begun))
        start, points = start + points, points * 10
    return measured


def main() -> None:
    """Print the tables, and write them with ``-o``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--best", action="store_true", help="The fastest round, not the median.")
    parser.add_argument("--growth", type=int, default=10_000, help="Largest number of points.")
    parser.add_argument("--repeats", type=int, default=5, help="Of the other counters.")
    parser.add_argument("-o", "--output", help="Write the figures as JSON.")
    options = parser.parse_args()
    chosen = max if options.best else median
    result: dict[str, object] = {
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "load_average": os.getloadavg()[0],
    }
    print(f"{'models a second, one core':32} {'cold':>8} {'totals':>8} {'and peak':>9}")
    families: dict[str, dict[str, int]] = {}
    for family in SPACES:
        totals = rates(plan_of(family, TOTALS), options.rounds)
        peak = rates(plan_of(family, WITH_PEAK), options.rounds)
        row = {"cold": totals[0], "totals": chosen(totals[1:]), "and_peak": chosen(peak[1:])}
        families[family] = {key: round(rate) for key, rate in row.items()}
        print(f"{family:32} {row['cold']:8,.0f} {row['totals']:8,.0f} {row['and_peak']:9,.0f}")
    result["models_per_s"] = families
    own = 1 / families[next(iter(SPACES))]["totals"]
    print(f"\n{'ResNet-50, per model':32} {'ms':>8} {'ratio':>9}\n{'sweep':32} {own * 1e3:8.3f}")
    others = {"sweep": own * 1e3}
    for name, count in counters():
        taken = seconds(count, options.repeats)
        others[name] = taken * 1e3
        print(f"{name:32} {taken * 1e3:8.1f} {taken / own:8.0f}x")
    result["ms_per_model"] = others
    print(f"\n{'growth, points':32} {'s':>8} {'us each':>9}")
    grown = growth(options.growth)
    result["growth"] = grown
    for points, taken in grown:
        print(f"{points:32,} {taken:8.2f} {taken / points * 1e6:9.0f}")
    if options.output:
        with open(options.output, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
