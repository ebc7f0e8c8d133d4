"""Devices by name, as data: dense peaks by element type, bandwidth, memory, and their source.

``devices.toml`` has what the vendors' documents say; a file of the user's own adds more or
replaces some. Rates and sizes are texts with a unit, there and on the command line.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from cnnstat.bench.roofline import Peak
from cnnstat.errors import UsageError, unknown
from cnnstat.ir.tensor import DTYPE_BYTES

OWN = Path(__file__).with_name("devices.toml")
KEYS = ("title", "memory", "bandwidth", "source", "url", "note", "peak")
NEEDED = ("bandwidth", "source", "peak")
LONGEST = 2**20
"""Bytes of a user's file; it is read whole."""

DECIMAL = {"": 0, "k": 1, "M": 2, "G": 3, "T": 4, "P": 5}
NUMBER = r"([0-9]{1,21}(?:\.[0-9]{1,21})?) ?([kMGTP]?)"
LARGEST = 10**21


@dataclass(frozen=True, slots=True)
class Device:
    """Peak rates of a device: operations per second by element type, bytes per second."""

    name: str
    title: str
    peaks: Mapping[str, float]
    bytes_per_s: float
    source: str
    url: str = ""
    note: str = ""
    memory_bytes: int | None = None

    def peak(self, dtype: str) -> float:
        """Return the operations per second in an element type; ``UsageError`` without a figure."""
        if dtype not in self.peaks:
            raise UsageError(
                f"{self.name}: no peak for {dtype}; choose --dtype {', '.join(self.peaks)}, or "
                "give --peak"
            )
        return self.peaks[dtype]


def rate(text: str, name: str = "peak") -> float:
    """Read ``4TFLOPS`` or ``26 TOPS``; anything else is a ``UsageError``."""
    return _quantity(text, name, "(?:FLOPS|FLOP/s|OPS|OP/s)", "4TFLOPS, 26TOPS")


def bandwidth(text: str, name: str = "bandwidth") -> float:
    """Read ``50GB/s`` or ``48GiB/s``; anything else is a ``UsageError``."""
    return _quantity(text, name, "(i?)B/s", "50GB/s")


def _quantity(text: str, name: str, unit: str, example: str) -> float:
    match = re.fullmatch(NUMBER + unit, text.strip())
    if match is None:
        raise UsageError(f"{name} {text!r:.40}: expected a number and a unit, as in {example}")
    base = 1024 if match.groups()[2:] == ("i",) else 1000
    value = float(Fraction(match[1]) * base ** DECIMAL[match[2]])
    if not 0 < value <= LARGEST:
        raise UsageError(f"{name} {text!r:.40}: must be more than 0 and at most 10^21")
    return value


def find_device(name: str, file: str | None = None) -> Device:
    """Return the device of this name; raise ``UsageError`` with the nearest names if none has it.

    ``file`` has further devices, in the form of ``devices.toml``.
    """
    known = dict(own_devices()) if file is None else {**own_devices(), **read_devices(file)}
    key = name.lower().replace("_", "-")
    if key not in known:
        raise unknown("device", name, known)
    return known[key]


def chosen_peak(
    dtype: str,
    device: Device | None,
    peak_text: str | None,
    bandwidth_text: str | None,
) -> Peak:
    """Return the peak of a device in an element type; texts replace its figures."""
    if device is None and (peak_text is None or bandwidth_text is None):
        raise UsageError("a bound needs --device NAME, or --peak 4TFLOPS and --bandwidth 50GB/s")
    flops_per_s = device.peak(dtype) if peak_text is None and device else rate(peak_text or "")
    if bandwidth_text is None and device:
        return Peak(flops_per_s, device.bytes_per_s)
    return Peak(flops_per_s, bandwidth(bandwidth_text or ""))


@cache
def own_devices() -> Mapping[str, Device]:
    """Return the devices that cnnstat knows."""
    return read_devices(str(OWN))


def read_devices(path: str) -> dict[str, Device]:
    """Return the devices of a file; raise ``UsageError`` with the place of what is wrong."""
    try:
        with open(path, "rb") as file:
            data = file.read(LONGEST + 1)
        if len(data) > LONGEST:
            raise UsageError(f"{path}: a file of devices has at most {LONGEST:,} bytes")
        tables = tomllib.loads(data.decode("utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{path}: not a TOML file: {error or 'it is nested too deeply'}"
        ) from error
    return {
        name.lower().replace("_", "-"): _device(name, table, f"{path}: {name}")
        for name, table in tables.items()
    }


def _device(name: str, table: Any, place: str) -> Device:
    if not isinstance(table, dict):
        raise UsageError(f"{place}: expected a table [{name}] with {', '.join(NEEDED)}")
    for key, value in table.items():
        if key not in KEYS:
            error = unknown("key", key, KEYS)
            raise UsageError(f"{place}: {error}")
        if key != "peak" and not isinstance(value, str):
            raise UsageError(f"{place}: {key} is {value!r:.40}: expected text in quotes")
    missing = [key for key in NEEDED if key not in table]
    if missing:
        raise UsageError(f"{place}: no {missing[0]!r}; a device needs {', '.join(NEEDED)}")
    memory = table.get("memory")
    return Device(
        name.lower().replace("_", "-"),
        table.get("title", name),
        _peaks(table["peak"], place),
        bandwidth(table["bandwidth"], f"{place}: bandwidth"),
        table["source"],
        table.get("url", ""),
        table.get("note", ""),
        None
        if memory is None
        else int(_quantity(memory, f"{place}: memory", "(i?)B", "16GB, 16GiB")),
    )


def _peaks(table: Any, place: str) -> dict[str, float]:
    if not isinstance(table, dict) or not table:
        raise UsageError(f'{place}: peak: expected {{ float32 = "4TFLOPS" }}, got {table!r:.40}')
    peaks = {}
    for dtype, text in table.items():
        if dtype not in DTYPE_BYTES and dtype != "int4":
            raise UsageError(f"{place}: {unknown('dtype', dtype, [*DTYPE_BYTES, 'int4'])}")
        if not isinstance(text, str):
            raise UsageError(f"{place}: peak: {dtype} is {text!r:.40}: expected text in quotes")
        peaks[dtype] = rate(text, f"{place}: peak: {dtype}")
    return peaks
