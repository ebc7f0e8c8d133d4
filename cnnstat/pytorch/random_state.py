"""Random state: one place that keeps and restores it around code that is not ours."""

from __future__ import annotations

import random
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import torch


@contextmanager
def preserved_random_state(
    devices: Collection[int] | None = (), *, seed: int | None = None
) -> Iterator[None]:
    """Restore the random state of Python, NumPy and PyTorch (the CPU, these CUDA devices).

    Without ``devices`` (None) PyTorch's is left alone: code that runs on empty tensors draws
    nothing from it. ``seed`` is what all of them start from inside.
    """
    state, numpy = random.getstate(), sys.modules.get("numpy")
    numbers = numpy.random.get_state() if numpy is not None else None
    try:
        if seed is not None:
            random.seed(seed)
            if numpy is not None:
                numpy.random.seed(seed)
        with torch.random.fork_rng(sorted(devices or ()), enabled=devices is not None):
            if seed is not None and devices is not None:
                torch.default_generator.manual_seed(seed)
                for device in devices:
                    with torch.cuda.device(device):
                        torch.cuda.manual_seed(seed)
            yield
    finally:
        random.setstate(state)
        if numpy is not None:
            numpy.random.set_state(numbers)
