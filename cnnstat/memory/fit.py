"""The largest batch and the largest input that fit into a memory, by exact search.

Every storage of a pass is affine in the batch, so the bytes at each step are too: two plans give
the line of every step, and the lowest crossing with the memory is the answer. (Two, not one: with
one image, gradients of a concatenation lie without gaps and are added in place.) Inputs are
searched by bisection; every answer fits, and the next one does not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from cnnstat.errors import ModelError, UsageError
from cnnstat.memory.memory import MemoryPlan
from cnnstat.memory.tape import curve

UNITS: dict[str, int] = {
    **{"": 1, "B": 1},
    **{f"{prefix}B": 1000**power for power, prefix in enumerate("kMGT", 1)},
    **{f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGT", 1)},
    **{prefix: 1024**power for power, prefix in enumerate("KMGT", 1)},
}
"""Units of a memory: with B powers of 1000, with iB of 1024; a bare letter is read as iB, as
nvidia-smi, ulimit and the names of graphics cards (a 24 GB card has 24 GiB) have it."""

STRIDES = (1, 2, 4, 8, 16, 32, 64)
"""Steps between inputs that a model can take; the first that works is searched."""

LARGEST_SIDE = 2**20

CUDA_RESERVE_PERCENT = 5
"""Part of a graphics card's memory that is left free for CUDA's context, workspaces of kernels and
gaps of the allocator. An allowance, not a prediction."""


class Memory(NamedTuple):
    """A memory as it was written, and its bytes."""

    text: str
    bytes: int

    @property
    def with_unit(self) -> str:
        """The memory with its unit spelled out: ``24G`` is ``24 GiB``."""
        number, unit = _split(self.text)
        return f"{number} {f'{unit}iB' if unit in ('K', 'M', 'G', 'T') else unit or 'B'}"


def memory(text: str) -> Memory:
    """Read ``24GiB``, ``24GB`` or ``24G``; raise ``UsageError`` for anything else or nothing."""
    number, unit = _split(text)
    known = {name.lower(): size for name, size in UNITS.items()}
    try:
        if not number:
            raise ValueError
        whole, _, part = number.partition(".")
        amount = int(whole or "0") * 10 ** len(part) + int(part or "0")
        size = amount * known[unit.lower()] // 10 ** len(part)
    except (KeyError, ValueError):
        raise UsageError(
            f"memory {text!r}: expected a number and a unit: 24GiB (1024^3), 24GB (1000^3), "
            "or 24G, read as GiB"
        ) from None
    if size < 1:
        raise UsageError(f"memory {text!r}: must be more than nothing")
    name = next(name for name in UNITS if name.lower() == unit.lower())
    return Memory(f"{number}{name}", size)


def _split(text: str) -> tuple[str, str]:
    stripped = text.strip().replace(" ", "")
    number = stripped.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    return number, stripped[len(number) :]


class Fit(NamedTuple):
    """Plans at the largest batch, and at the largest input of one image; None where nothing fits.

    ``smallest`` is the plan of one image; ``fixed_input`` tells that the model takes one input
    alone.
    """

    memory: Memory
    smallest: MemoryPlan
    at_batch: MemoryPlan | None
    at_input: MemoryPlan | None
    fixed_input: bool

    @property
    def reserved_bytes(self) -> int:
        """Bytes that are left free for the device itself."""
        return reserve(self.memory, self.smallest)

    @property
    def missing_bytes(self) -> int:
        """Bytes that are missing for one image at the model's input; 0 where it fits."""
        return max(0, self.smallest.total_bytes + self.reserved_bytes - self.memory.bytes)

    @property
    def missing_state_bytes(self) -> int:
        """Bytes that are missing for parameters, buffers and optimiser state; 0 where they fit."""
        return max(0, self.smallest.state_bytes + self.reserved_bytes - self.memory.bytes)


def reserve(wanted: Memory, plan: MemoryPlan) -> int:
    """Return the bytes of a memory that are left to a plan's device: none of a processor's."""
    on_cuda = plan.settings.device == "cuda"
    return wanted.bytes * CUDA_RESERVE_PERCENT // 100 if on_cuda else 0


At = Callable[[int, int | None], MemoryPlan]
"""A batch and a side of the input (None: the model's own) -> the plan."""


def fit(at: At, wanted: Memory, *, search_input: bool = True) -> Fit:
    """Return the largest batch and input of a memory; ``at`` raises ``ModelError`` on others."""
    one = at(1, None)
    limit = wanted.bytes - reserve(wanted, one)
    batch = largest_batch(at, one, limit)
    at_batch = at(batch, None) if batch else None
    if not search_input:
        return Fit(wanted, one, at_batch, None, fixed_input=False)
    fixed, side = largest_side(at, one, limit)
    return Fit(wanted, one, at_batch, at(1, side) if side else None, fixed)


def largest_batch(at: At, one: MemoryPlan, limit: int) -> int:
    """Return the largest batch whose plan fits; 0 where one image does not."""
    if one.total_bytes > limit:
        return 0
    low = at(2, None)
    if low.batch != 2:
        raise UsageError(
            f"{one.report.name}: an input with all its axes has no batch to search: give the input "
            "without the batch, as in 3x224x224"
        )
    high = at(3, None)
    if low.total_bytes > limit:
        return 1
    room = limit - low.state_bytes
    lines = [(low.update_bytes, high.update_bytes)]
    steps = [curve(each.written.tape).bytes for each in (low, high)]
    if len(steps[0]) != len(steps[1]):
        return _searched(at, limit)
    lines += zip(*steps, strict=True)
    return 2 + min((room - a) // (b - a) for a, b in lines if b > a)


def _searched(at: At, limit: int) -> int:
    """Return the largest batch of a module whose steps depend on the batch: two images fit."""
    low = 2
    while at(2 * low, None).total_bytes <= limit:
        low *= 2
    high = 2 * low
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if at(middle, None).total_bytes <= limit else (low, middle)
    return low


def largest_side(at: At, one: MemoryPlan, limit: int) -> tuple[bool, int | None]:
    """Return whether the input is fixed, and the largest side of a square one that fits."""
    shape = one.report.input.shape
    if len(shape) != 4:
        return True, None
    own = max(shape[2:])

    def total(side: int) -> int | None:
        try:
            return at(1, side).total_bytes
        except ModelError:
            return None

    step = next((s for s in STRIDES if total(own + s) is not None), None)
    if step is None:
        return True, None

    def too_large(side: int) -> bool:
        size = total(side)
        return size is not None and size > limit

    low, high = own % step, own  # a side that is too small for the model is not too large
    if not too_large(own):
        low, high = own, own + step
        while high <= LARGEST_SIDE and not too_large(high):
            low, high = high, high + 2 * (high - own)
    while high - low > step:
        middle = low + (high - low) // step // 2 * step
        low, high = (low, middle) if too_large(middle) else (middle, high)
    return False, low if low and total(low) is not None else None
