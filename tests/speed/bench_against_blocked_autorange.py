"""The medians of ``cnnstat bench`` against ``torch.utils.benchmark``'s ``blocked_autorange``.

Run by hand: ``python -m tests.speed.bench_against_blocked_autorange``. Both time the same module on
the same inputs; each median should lie within the other's quartiles. A processor's clock and its
neighbours change within seconds, by more than the quartiles span, so a turn alternates the two in
short slices and pools each one's samples. It exits with 1 if any turn disagrees.
"""

from __future__ import annotations

import argparse
from statistics import median

import torch
from torch.utils.benchmark import Timer

from cnnstat import api
from cnnstat.bench.timing import Spread, spread
from cnnstat.pytorch.build import build_module
from cnnstat.pytorch.clock import sample
from cnnstat.pytorch.device import resolve, switched
from cnnstat.pytorch.steps import inference_step, random_inputs

SLICES = 10
"""Slices of each in a turn."""


def turn(name: str, device: torch.device, seconds: float, threads: int) -> tuple[Spread, Spread]:
    """Return the spread of one turn of ``seconds`` each: ours, then theirs (seconds per step)."""
    report = api.analyze(name)
    module = build_module(report.shaped.graph, report.inputs, device=device)
    inputs = random_inputs(report.shaped, device, torch.float32, seed=0)
    step = inference_step(module, inputs)
    timer = Timer("step()", globals={"step": step}, num_threads=threads)
    slice_s = seconds / SLICES
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(SLICES):
        ours += sample(step, device, min_time=slice_s, max_time=10 * slice_s).durations
        theirs += timer.blocked_autorange(min_run_time=slice_s).times
    return spread(ours), spread(theirs)


def report_of(name: str, turns: list[tuple[Spread, Spread]]) -> bool:
    """Print each turn and the median ratio; return whether all turns agree."""
    agreed = []
    for ours, theirs in turns:
        inside = ours.p25 <= theirs.median <= ours.p75 or theirs.p25 <= ours.median <= theirs.p75
        both = ours.p25 <= theirs.median <= ours.p75 and theirs.p25 <= ours.median <= theirs.p75
        agreed.append(both)
        verdict = "each within the other's" if both else "one within" if inside else "outside"
        print(
            f"{name:14} bench {_text(ours)}  blocked_autorange {_text(theirs)}  {verdict}",
            flush=True,
        )
    ratio = median(ours.median / theirs.median for ours, theirs in turns)
    print(f"{name:14} median ratio of {len(turns)} turns {ratio:.4f}", flush=True)
    return all(agreed)


def _text(timing: Spread) -> str:
    quartiles = f"[{1e3 * timing.p25:.3f} {1e3 * timing.p75:.3f}]"
    return f"{1e3 * timing.median:.3f} ms {quartiles} ({timing.samples} samples)"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=["resnet18", "alexnet", "mobilenet"])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    device = resolve(options.device)
    with switched(threads=options.threads):
        threads = torch.get_num_threads()
        print(f"{device}, {threads} threads", flush=True)
        agreed = [
            report_of(
                name, [turn(name, device, options.seconds, threads) for _ in range(options.turns)]
            )
            for name in options.models
        ]
    return int(not all(agreed))


if __name__ == "__main__":
    raise SystemExit(main())
