"""Conditions of a measurement other than the model: device, driver, versions, switches, clocks.

Every entry is read from the machine; what cannot be read is None, never guessed.
"""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import torch

from cnnstat.bench.benchplan import Settings
from cnnstat.pytorch.device import rounding

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
    command = [
        "nvidia-smi",
        f"--query-gpu={','.join(NVIDIA_SMI.values())}",
        "--format=csv,noheader,nounits",
        f"--id={_nvidia_id(device)}",
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


def _nvidia_id(device: torch.device) -> str:
    """Return the GPU's own id: its number changes with CUDA_VISIBLE_DEVICES."""
    uuid = getattr(torch.cuda.get_device_properties(device), "uuid", None)
    return f"GPU-{uuid}" if uuid else str(device.index or 0)


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
