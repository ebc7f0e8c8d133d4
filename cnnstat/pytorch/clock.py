"""Timing a step: warm-up until the median settles, then samples until there are enough.

CUDA work is timed by events on the device, with one synchronisation for a whole block of steps; on
other devices each step is timed by the wall clock until the device has finished. So are the rates
that a device reaches, of a large matrix product of one type and of a large copy: when they are
needed, with the settings of the measurement. Nothing is taken from a data sheet, and the best of
several samples counts: a reference is what the device can do.
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


LARGEST = {"cuda": 8192, "mps": 4096, "cpu": 2048}
"""Rows and columns of the largest matrix product that is tried, by kind of device."""

SMALLEST = 256
PRODUCT_S = 0.5
"""A product that would take longer than this is not tried: the one of half the rows has to do."""

PROBES = 5

COPY_BYTES = {"cuda": 2**30, "mps": 2**28, "cpu": 2**28}
"""Size of the copied block: far beyond any cache."""

MIN_TIME, MAX_TIME = 0.2, 1.5


class Product(NamedTuple):
    """The largest square matrix product that was quick enough: its rows and what it reached."""

    rows: int
    macs_per_s: float


class Copy(NamedTuple):
    """A copy within the memory: size of the block, bytes read plus written a second."""

    block_bytes: int
    bytes_per_s: float


def product_rate(device: torch.device, dtype: torch.dtype) -> Product:
    """Measure a matrix product in a dtype: rows^3 multiply-accumulates each."""
    rows = SMALLEST
    with torch.inference_mode():
        while True:
            step = _product(rows, device, dtype)
            probe = min(timed(step, device) for _ in range(PROBES))
            if rows >= LARGEST[device.type] or 8 * probe > PRODUCT_S:
                samples = sample(step, device, min_time=MIN_TIME, max_time=MAX_TIME)
                return Product(rows, rows**3 / min(samples.durations))
            rows *= 2


def product_steps(
    product: Product, device: torch.device, dtype: torch.dtype, seconds: float
) -> Step:
    """Return a step that gives the device ``seconds`` of a measured product and does not wait."""
    once = _product(product.rows, device, dtype)
    count = max(1, round(seconds * product.macs_per_s / product.rows**3))

    def step() -> None:
        for _ in range(count):
            once()

    return step


def _product(rows: int, device: torch.device, dtype: torch.dtype) -> Step:
    a = torch.randn(rows, rows, device=device).to(dtype)
    b, out = torch.randn(rows, rows, device=device).to(dtype), torch.empty_like(a)
    return lambda: torch.mm(a, b, out=out)


def copy_rate(device: torch.device) -> Copy:
    """Measure a large copy: every byte is read once and written once."""
    size = COPY_BYTES[device.type]
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        size = min(size, free // 8)
    source = torch.ones(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    samples = sample(lambda: target.copy_(source), device, min_time=MIN_TIME, max_time=MAX_TIME)
    return Copy(size, 2 * size / min(samples.durations))
