"""Devices: which there are, what they can do, their conditions, and PyTorch's global switches.

Switches are put back after use. What cannot be read of a machine is None, never guessed.
"""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from cnnstat.bench.benchplan import Settings
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


NVIDIA_SMI = {
    "driver": "driver_version",
    "power_draw_w": "power.draw",
    "power_limit_w": "power.limit",
    "sm_clock_mhz": "clocks.sm",
    "max_sm_clock_mhz": "clocks.max.sm",
    "memory_clock_mhz": "clocks.mem",
    "temperature_c": "temperature.gpu",
    "persistence_mode": "persistence_mode",
}
"""Key of the environment -> what nvidia-smi calls it."""

UNDER_LOAD = ("power_draw_w", "sm_clock_mhz", "memory_clock_mhz", "temperature_c")
"""Fields that an idle device tells nothing about."""


def environment(device: torch.device, settings: Settings) -> dict[str, object]:
    """Return what is known of the device and the software, with PyTorch's switches as they stand.

    Called inside the measurement's ``switched``, so that it says what was measured under.
    """
    on_cuda = device.type == "cuda"
    rounded = rounding() if on_cuda else None
    return {
        "device_type": device.type,
        "device": str(device),
        "device_name": device_name(device),
        "device_memory_bytes": _memory_bytes(device),
        "compute_capability": ".".join(map(str, torch.cuda.get_device_capability(device)))
        if on_cuda
        else None,
        "threads": torch.get_num_threads(),
        "cpu": processor_name(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cpu_governor": _first_line(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        "load_average_1min": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
        if on_cuda
        else None,
        "tf32_matmul": rounded.matmul if rounded else None,
        "tf32_convolution": rounded.convolution if rounded else None,
        "cudnn_benchmark": torch.backends.cudnn.benchmark if on_cuda else None,
        "memory_format": "channels_last" if settings.channels_last else "contiguous",
        "compile": "inductor, default mode" if settings.compiled else "eager",
        "cuda_graph": settings.cuda_graph,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cnnstat": version("cnnstat"),
        **(nvidia_smi(device) if on_cuda else {}),
    }


def device_name(device: torch.device) -> str:
    """Return what the maker calls the device."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return processor_name() if device.type == "cpu" else f"{processor_name()} GPU"


def processor_name() -> str:
    """Return the processor's model name, as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name" and value.strip():
            return value.strip()
    return platform.processor() or platform.machine()


def nvidia_smi(device: torch.device) -> dict[str, str | float | None]:
    """Return driver, power and clocks of a CUDA device; all None where they cannot be read."""
    uuid = getattr(torch.cuda.get_device_properties(device), "uuid", None)
    # the GPU's own id: its number changes with CUDA_VISIBLE_DEVICES
    own_id = f"GPU-{uuid}" if uuid else str(device.index or 0)
    command = [
        "nvidia-smi",
        f"--query-gpu={','.join(NVIDIA_SMI.values())}",
        "--format=csv,noheader,nounits",
        f"--id={own_id}",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return dict.fromkeys(NVIDIA_SMI)
    return parse_nvidia_smi(done.stdout)


def nvidia_smi_under_load(
    device: torch.device, work: Callable[[], object]
) -> dict[str, str | float | None]:
    """Return clocks, power and temperature while the device does ``work``, not after it."""
    work()
    readings = nvidia_smi(device)
    torch.cuda.synchronize(device)
    return {f"{key}_under_load": readings[key] for key in UNDER_LOAD}


def parse_nvidia_smi(line: str) -> dict[str, str | float | None]:
    """Read one line of nvidia-smi's comma-separated answer; what it does not know is None."""
    cells = [cell.strip() for cell in line.strip().split(",")]
    if len(cells) != len(NVIDIA_SMI):
        return dict.fromkeys(NVIDIA_SMI)
    return {key: _value(key, cell) for key, cell in zip(NVIDIA_SMI, cells, strict=True)}


def _value(key: str, cell: str) -> str | float | None:
    if cell.startswith("[") or cell in ("N/A", ""):
        return None
    if key in ("driver", "persistence_mode"):
        return cell
    try:
        return float(cell)
    except ValueError:
        return None


def _memory_bytes(device: torch.device) -> int | None:
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    if device.type == "cpu" and hasattr(os, "sysconf"):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None


def _first_line(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None
