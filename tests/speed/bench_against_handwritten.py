"""Modules as built here against the same layers written by hand, eager and compiled.

Run by hand: ``python -m tests.speed.bench_against_handwritten``. Both modules have the same
weights; their steps alternate in pairs, the first of a pair changing each time, and the ratio is
the median over the pairs of built / handwritten. The aim is 0.97 to 1.03. On a shared machine
``--cpu-time --threads 1`` leaves out the time in which other processes had the processor. glibc
returns large blocks at once, and the page faults of fresh ones scatter the training steps of VGG-16
on a CPU by more than the aim; ``MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=68719476736`` keeps them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from statistics import median, quantiles
from time import perf_counter, process_time
from typing import Any, NamedTuple

import torch
from torch import nn

from cnnstat import api
from cnnstat.pytorch.build import build_module
from cnnstat.pytorch.clock import timed
from cnnstat.pytorch.device import release, resolve, switched
from cnnstat.pytorch.steps import (
    Step,
    inference_step,
    objective_for,
    random_inputs,
    training_step,
)
from tests.speed.handwritten import HANDWRITTEN, same_weights

Clock = Callable[[Step, torch.device], float]

LEAST, MOST = 0.97, 1.03
WARM_UP = 3


class Ratio(NamedTuple):
    """Median over pairs of built / handwritten with its quartiles, and both medians in ms."""

    pairs: int
    ratio: float
    p25: float
    p75: float
    built_ms: float
    handwritten_ms: float


def step_of(
    name: str, module: nn.Module, batch: int, mode: str, *, compiled: bool, device: torch.device
) -> Step:
    """Return one step of a module, the same inputs and labels for both modules of a name."""
    shaped = api.analyze(name, batch=batch).shaped
    inputs = random_inputs(shaped, device, torch.float32, seed=0)
    called: Any = torch.compile(module, dynamic=False) if compiled else module
    if mode == "inference":
        return inference_step(called, inputs)
    return training_step(called, inputs, objective_for(shaped, device, seed=1))


def cpu_time(step: Step, device: torch.device) -> float:
    """Return the processor's seconds of one step."""
    start = process_time()
    step()
    return process_time() - start


def paired(
    built: Step, handwritten: Step, device: torch.device, seconds: float, clock: Clock
) -> Ratio:
    """Alternate the two steps for so many seconds, at least 10 pairs."""
    for _ in range(WARM_UP):
        built()
        handwritten()
    times: list[tuple[float, float]] = []
    start = perf_counter()
    while len(times) < 10 or perf_counter() - start < seconds:
        if len(times) % 2:
            second = clock(handwritten, device)
            times.append((clock(built, device), second))
        else:
            times.append((clock(built, device), clock(handwritten, device)))
    ratios = [ours / theirs for ours, theirs in times]
    p25, middle, p75 = quantiles(ratios, n=4, method="inclusive")
    ours, theirs = (1e3 * median(column) for column in zip(*times, strict=True))
    return Ratio(len(times), middle, p25, p75, ours, theirs)


def measured(options: argparse.Namespace, device: torch.device) -> Iterator[Ratio]:
    """Print a line for each model, mode and form, and yield its ratio."""
    clock = cpu_time if options.cpu_time else timed
    for name in options.models.split(","):
        report = api.analyze(name, batch=options.batch)
        built = build_module(report.shaped.graph, report.inputs, device=device)
        handwritten = HANDWRITTEN[name]().to(device)
        same_weights(built, handwritten)
        for form in options.forms.split(","):
            for mode in options.modes.split(","):
                torch.compiler.reset()
                ours, theirs = (
                    step_of(
                        name,
                        module,
                        options.batch,
                        mode,
                        compiled=form == "compiled",
                        device=device,
                    )
                    for module in (built, handwritten)
                )
                pair = paired(ours, theirs, device, options.seconds, clock)
                built.zero_grad(set_to_none=True)
                handwritten.zero_grad(set_to_none=True)
                verdict = "" if LEAST <= pair.ratio <= MOST else "  outside 0.97 to 1.03"
                print(
                    f"{name:14} {mode:9} {form:8} {pair.pairs:4} pairs  ratio {pair.ratio:.4f} "
                    f"[{pair.p25:.4f} {pair.p75:.4f}]  built {pair.built_ms:.2f} ms  "
                    f"handwritten {pair.handwritten_ms:.2f} ms{verdict}",
                    flush=True,
                )
                yield pair
        del built, handwritten
        release(device)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default=",".join(HANDWRITTEN))
    parser.add_argument("--modes", default="inference,training")
    parser.add_argument("--forms", default="eager,compiled")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seconds", type=float, default=10.0, help="of pairs for each line")
    parser.add_argument("--cpu-time", action="store_true", help="of the process, on a CPU")
    options = parser.parse_args()
    device = resolve(options.device)
    with switched(threads=options.threads):
        print(f"{device}, {torch.get_num_threads()} threads, batch {options.batch}", flush=True)
        pairs = list(measured(options, device))
    return int(not all(LEAST <= ratio.ratio <= MOST for ratio in pairs))


if __name__ == "__main__":
    raise SystemExit(main())
