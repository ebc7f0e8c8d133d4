"""Devices: which there are, what they can do, and PyTorch's global switches, put back after use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import torch
from torch import nn

from cnnstat.errors import UsageError, unknown

KINDS = ("auto", "cpu", "cuda", "mps")

OUT_OF_MEMORY_PHRASES = ("out of memory", "can't allocate memory", "not enough memory")
"""How PyTorch's allocators say it where they raise a plain RuntimeError."""


class TF32(NamedTuple):
    """Whether float32 is rounded to TF32 on CUDA: in matrix products, in convolutions."""

    matmul: bool
    convolution: bool


def devices() -> tuple[str, ...]:
    """Return the names of the devices that this machine has, the fastest kind first."""
    names = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        names.append("mps")
    return (*names, "cpu")


def resolve(name: str) -> torch.device:
    """Return the device of a name: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Raises ``UsageError`` with the devices that there are where it is none of them.
    """
    there = devices()
    wanted = name.lower()
    kind, colon, number = wanted.partition(":")
    if kind not in KINDS or (colon and (kind != "cuda" or not number.isdecimal())):
        raise unknown("device", name, ("auto", *there))
    if wanted == "auto":
        return torch.device(there[0])
    if wanted == "cuda":
        wanted = "cuda:0"
    if wanted not in there:
        raise UsageError(f"device {name}: not on this machine; available: {', '.join(there)}")
    return torch.device(wanted)


def dtype_on(name: str, device: torch.device, *, training: bool) -> torch.dtype:
    """Return the dtype of a name after a small convolution in it, and its backward pass, ran.

    Raises ``UsageError`` where the device cannot compute in it.
    """
    kind: torch.dtype = getattr(torch, name)
    try:
        with torch.device(device):
            probe = nn.Sequential(nn.Conv2d(2, 2, 1), nn.Flatten(), nn.Linear(2, 2)).to(kind)
            result = probe(torch.zeros(1, 2, 1, 1).to(kind))
        if training:
            result.float().sum().backward()
    except (RuntimeError, TypeError) as error:  # NotImplementedError is a RuntimeError
        reason = str(error).splitlines()[0]
        raise UsageError(f"dtype {name}: {device} cannot compute in it ({reason})") from error
    return kind


@contextmanager
def switched(
    *, threads: int | None = None, tf32: bool | None = None, benchmark: bool | None = None
) -> Iterator[None]:
    """Set PyTorch's global switches and put back what was there, whatever happens inside.

    None leaves one as it is; ``benchmark`` is cuDNN's choice of kernels by trial.
    """
    cudnn = torch.backends.cudnn
    before = torch.get_num_threads(), cudnn.benchmark, rounding()
    precisions = [(place, place.fp32_precision) for place in _precisions()]
    try:
        if threads is not None:
            torch.set_num_threads(threads)
        if tf32 is not None:
            _set_tf32(TF32(tf32, tf32))
        if benchmark is not None:
            cudnn.benchmark = benchmark
        yield
    finally:
        torch.set_num_threads(before[0])
        cudnn.benchmark = before[1]
        if tf32 is not None:
            _set_tf32(before[2])
            for place, precision in precisions:
                place.fp32_precision = precision


def rounding() -> TF32:
    """Return how float32 is computed on CUDA.

    PyTorch has an older flag and, from 2.9 on, a precision by operator for the same thing. Reading
    the flag raises where the two differ, so the precision is read where there is one.
    """
    places = _precisions()
    if places:
        matmul, convolution = (place.fp32_precision == "tf32" for place in places[:2])
        return TF32(matmul, convolution)
    return TF32(torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32)


def _precisions() -> tuple[Any, ...]:
    """Return what has a precision by operator: products, convolutions, recurrent layers."""
    cudnn: Any = torch.backends.cudnn
    return (torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn) if hasattr(cudnn, "conv") else ()


def _set_tf32(wanted: TF32) -> None:
    """Set the flags; PyTorch sets the precisions along with them."""
    torch.backends.cuda.matmul.allow_tf32 = wanted.matmul
    torch.backends.cudnn.allow_tf32 = wanted.convolution


def synchronize(device: torch.device) -> None:
    """Wait until the device has done everything that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def out_of_memory(error: BaseException | None) -> bool:
    """Return whether an error says that memory ran out, on any device.

    Where it ran out during the capture of a CUDA graph, ending the capture raises another error in
    its place: the one that was being handled counts too.
    """
    while error is not None:
        if isinstance(error, MemoryError | torch.OutOfMemoryError):
            return True
        text = str(error).lower()
        if isinstance(error, RuntimeError) and any(p in text for p in OUT_OF_MEMORY_PHRASES):
            return True
        error = error.__context__
    return False


def release(device: torch.device) -> None:
    """Give cached memory back, so that one run does not starve the next.

    Generated modules stand in reference cycles: only a collection frees them. cuBLAS keeps a
    workspace for each stream that it has seen.
    """
    import gc

    gc.collect()
    if device.type == "cuda":
        with suppress(RuntimeError):  # a capture that failed may leave its pool in use
            torch._C._cuda_clearCublasWorkspaces()
            torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def peak_memory_bytes(device: torch.device) -> int | None:
    """Return the most that was allocated since ``reset_peak_memory``; None off CUDA."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None


def reset_peak_memory(device: torch.device) -> None:
    """Reset the peak to the current allocation."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
