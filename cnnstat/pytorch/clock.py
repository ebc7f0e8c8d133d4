"""Timing a step: warm-up until the median settles, then samples until there are enough.

CUDA work is timed by events on the device, with one synchronisation for a whole block of steps; on
other devices each step is timed by the wall clock until the device has finished.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from time import perf_counter
from typing import NamedTuple

import torch

from cnnstat.bench.timing import enough, percentile, settled
from cnnstat.pytorch.device import synchronize
from cnnstat.pytorch.steps import Step

WARM_UP_SHARE = 0.25
"""The part of ``max_time`` that a warm-up may take when its median does not settle."""

BLOCK_S = 0.1
MAX_BLOCK = 500
"""CUDA steps between two synchronisations: about ``BLOCK_S`` seconds, so that waiting is cheap."""


class Samples(NamedTuple):
    """Durations of single steps in seconds, and how many steps ran before the first of them."""

    durations: tuple[float, ...]
    warmup: int


def sample(step: Step, device: torch.device, *, min_time: float, max_time: float) -> Samples:
    """Time ``step`` again and again; times in seconds.

    At least ``MIN_SAMPLES`` samples and ``min_time``, unless ``max_time`` is over first. The first
    step of all (allocation, choice of kernels, compilation) counts for no time at all.
    """
    first = timed(step, device)
    warm: list[float] = []
    start = perf_counter()
    while not settled(warm) and perf_counter() - start < WARM_UP_SHARE * max_time:
        warm.append(timed(step, device))
    expected = percentile(warm or (first,), 0.5)
    durations: list[float] = []
    start = perf_counter()
    while not enough(len(durations), perf_counter() - start, min_time=min_time, max_time=max_time):
        if device.type == "cuda":
            durations += cuda_block(step, device, block_length(expected))
        else:
            durations.append(timed(step, device))
    return Samples(tuple(durations), 1 + len(warm))


def timed(step: Step, device: torch.device) -> float:
    """Return the seconds until the device has finished one step."""
    synchronize(device)
    start = perf_counter()
    step()
    synchronize(device)
    return perf_counter() - start


def block_length(expected: float) -> int:
    """Return how many steps of ``expected`` seconds make a block."""
    return max(1, min(MAX_BLOCK, round(BLOCK_S / max(expected, 1e-9))))


def cuda_block(step: Step, device: torch.device, length: int) -> list[float]:
    """Return the seconds of each of ``length`` steps, from one event to the next on the stream."""
    with torch.cuda.device(device):
        make: Callable[..., torch.cuda.Event] = torch.cuda.Event
        events = [make(enable_timing=True) for _ in range(length + 1)]
        events[0].record()
        for event in events[1:]:
            step()
            event.record()
        torch.cuda.synchronize(device)
    return [before.elapsed_time(after) / 1e3 for before, after in pairwise(events)]
