"""Rates that a device reaches: the rate of a large matrix product of one type and of a large copy.

Both are measured when they are needed, with the settings of the measurement; nothing is taken from
a data sheet. The best of several samples counts: a reference is what the device can do.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from cnnstat.pytorch.clock import sample, timed
from cnnstat.pytorch.steps import Step

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


def matrix_product(device: torch.device, dtype: torch.dtype) -> Product:
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


def copy(device: torch.device) -> Copy:
    """Measure a large copy: every byte is read once and written once."""
    size = COPY_BYTES[device.type]
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        size = min(size, free // 8)
    source = torch.ones(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    samples = sample(lambda: target.copy_(source), device, min_time=MIN_TIME, max_time=MAX_TIME)
    return Copy(size, 2 * size / min(samples.durations))
