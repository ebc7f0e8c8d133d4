"""Measured runs as plain data: the record of a run, its JSON form, its ratio to an earlier one.

Nothing here measures. The JSON form is a contract (``cnnstat.bench/1``): a saved result can be read
back, printed in any format and compared with a later one. A saved file is input like any other:
impossible numbers are refused, with their place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from operator import attrgetter
from typing import Any, get_type_hints

from cnnstat.count.jsonfile import read_json
from cnnstat.errors import UsageError

SCHEMA = "cnnstat.bench/1"
OK = "ok"
OUT_OF_MEMORY = "out of memory"


@dataclass(frozen=True, slots=True)
class LayerTime:
    """One row of a model, timed by itself: median, share of all rows, the bound of its work."""

    name: str
    type: str
    detail: str
    macs: int
    traffic_bytes: int
    median_ms: float
    share: float
    gmacs_per_s: float
    bound_ms: float
    share_of_bound: float
    bound_by: str


@dataclass(frozen=True, slots=True)
class Run:
    """One model under one setting. Measured fields are None unless ``status`` is ``ok``.

    ``macs``, ``traffic_bytes`` and the bound are predicted for one step of this mode. ``flops`` are
    defined for a forward pass and None in training. ``tf32`` says whether products and convolutions
    both run in TF32, ``tf32_convolution`` whether convolutions do; both are None off CUDA. What is
    predicted of the peak of memory is that of an eager step.
    """

    model: str
    device: str
    dtype: str
    batch: int
    mode: str
    input_shape: tuple[int, ...]
    channels_last: bool
    compiled: bool
    cuda_graph: bool
    tf32: bool | None
    threads: int
    macs: int
    flops: int | None
    traffic_bytes: int
    macs_per_byte: float
    param_bytes: int
    predicted_activation_bytes: int
    status: str = OK
    note: str = ""
    samples: int = 0
    warmup: int = 0
    median_ms: float | None = None
    p25_ms: float | None = None
    p75_ms: float | None = None
    p95_ms: float | None = None
    min_ms: float | None = None
    outliers: int = 0
    images_per_s: float | None = None
    gmacs_per_s: float | None = None
    gflops_per_s: float | None = None
    share_of_matmul: float | None = None
    share_of_copy: float | None = None
    bound_ms: float | None = None
    share_of_bound: float | None = None
    bound_by: str | None = None
    peak_memory_bytes: int | None = None
    predicted_peak_bytes: int | None = None
    tf32_convolution: bool | None = None
    ratio_to_baseline: float | None = None
    layers: tuple[LayerTime, ...] = ()
    layers_ms: float | None = None
    """Sum of the rows' medians: the whole, run layer by layer."""


KEY = (
    *("model", "dtype", "batch", "mode", "input_shape"),
    *("channels_last", "compiled", "cuda_graph", "tf32", "tf32_convolution"),
)
"""Fields that two runs must share to be compared; the device is compared for the whole result."""

MOST = 10**18
"""No number of a result is larger: a second of the fastest machine is less."""

DEVICE_KEYS = ("device_type", "device_name", "threads")
"""The part of the environment that says whether two results come from the same device."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """Everything that one call measured, and where; ``complete`` is False after an interrupt."""

    environment: Mapping[str, Any]
    runs: tuple[Run, ...]
    complete: bool = True


def payload(measurement: Measurement) -> dict[str, object]:
    """Return the JSON form."""
    return {
        "schema": SCHEMA,
        "status": "complete" if measurement.complete else "interrupted",
        "environment": dict(measurement.environment),
        "runs": [asdict(run) for run in measurement.runs],
    }


def read_result(path: str) -> Measurement:
    """Return the result in a file that 'cnnstat bench --format json' wrote.

    Raises ``UsageError`` with what is wrong where it holds none.
    """
    return read_payload(read_json(path, parse_int=_whole_number), source=path)


def _whole_number(text: str) -> int:
    if len(text) > len(str(MOST)):  # before int(), which takes quadratic time
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def read_payload(result: object, *, source: str) -> Measurement:
    """Return the measurement of a JSON form.

    Raises ``UsageError`` with ``source`` and what is wrong if it is none.
    """
    if not isinstance(result, dict) or "schema" not in result:
        raise UsageError(f"{source}: not a result of 'cnnstat bench --format json': no schema")
    if result["schema"] != SCHEMA:
        raise UsageError(f"{source}: schema {result['schema']!r:.60}, expected {SCHEMA!r}")
    environment, runs = result.get("environment"), result.get("runs")
    if not isinstance(environment, dict) or not isinstance(runs, list):
        raise UsageError(f"{source}: 'environment' must be an object and 'runs' a list")
    missing = [key for key in DEVICE_KEYS if key not in environment]
    if missing:
        raise UsageError(f"{source}: environment has no {missing[0]!r}")
    for key, value in environment.items():
        if not (_is_reference(value) if key == "reference" else _is_plausible(value)):
            raise UsageError(f"{source}: environment: {key!r:.40} is {value!r:.40}")
    read = tuple(_read_run(run, f"{source}: run {place}") for place, run in enumerate(runs, 1))
    return Measurement(environment, read, result.get("status") != "interrupted")


def _is_plausible(value: object) -> bool:
    """Return whether an entry of the environment is anything but an impossible number."""
    return isinstance(value, bool) or not isinstance(value, int | float) or _is_number(value)


def _is_reference(value: object) -> bool:
    """Return whether this is the rates of a device, with every figure that is shown of them."""
    if value is None:
        return True
    if not isinstance(value, dict):
        return False
    copied, products = value.get("copy"), value.get("matmul") or {}
    parts = [] if copied is None else [(copied, ("block_bytes", "bytes_per_s"))]
    if not isinstance(products, dict):
        return False
    parts += [(product, ("rows", "macs_per_s")) for product in products.values()]
    return all(
        isinstance(part, dict) and all(_is_number(part.get(key)) for key in keys)
        for part, keys in parts
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST


def _read_run(run: object, place: str) -> Run:
    values = _checked(run, Run, place)
    extents = (values["batch"], *values["input_shape"])
    if not all(type(extent) is int and extent >= 1 for extent in extents):
        raise UsageError(
            f"{place}: batch {values['batch']}, input_shape {values['input_shape']!r:.60}: "
            "expected whole numbers of at least 1"
        )
    values["input_shape"] = tuple(values["input_shape"])
    layers = [_checked(row, LayerTime, f"{place}, layer") for row in values.get("layers", ())]
    values["layers"] = tuple(LayerTime(**row) for row in layers)
    return Run(**values)


def _checked(entry: object, kind: type, place: str) -> dict[str, Any]:
    """Return the values of ``entry`` that ``kind`` has, each of the type that it has there.

    Keys of a later version are ignored: new keys may be added, none changes its meaning.
    """
    if not isinstance(entry, dict):
        raise UsageError(f"{place}: must be an object, got {entry!r:.40}")
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for known in fields(kind):
        if known.name not in entry:
            if known.default is MISSING:
                raise UsageError(f"{place}: no {known.name!r}")
            continue
        value = entry[known.name]
        if not _fits(value, hints[known.name]):
            raise UsageError(f"{place}: {known.name} is {value!r:.40}")
        values[known.name] = value
    return values


def _fits(value: object, hint: Any) -> bool:
    """Return whether a JSON value can stand for a field's type; a whole number fits a float."""
    wanted = getattr(hint, "__args__", (hint,))
    if getattr(hint, "__origin__", None) is tuple:
        return isinstance(value, list | tuple)
    if isinstance(value, bool):
        return bool in wanted
    if isinstance(value, int | float) and not _is_number(value):
        return False
    return any(isinstance(value, int | float if kind is float else kind) for kind in wanted)


def with_baseline(
    measured: Measurement, baseline: Measurement, *, source: str, other_device: bool = False
) -> Measurement:
    """Return the measurement with ``ratio_to_baseline``: median / the same run's earlier median.

    A run that the earlier result does not have gets None. Raises ``UsageError`` where the two come
    from different devices, unless ``other_device``.
    """
    if not other_device:
        check_same_device(measured.environment, baseline, source=source)
    key = attrgetter(*KEY)
    earlier = {key(run): run.median_ms for run in baseline.runs}

    def ratio(run: Run) -> float | None:
        theirs = earlier.get(key(run))
        return run.median_ms / theirs if run.median_ms is not None and theirs else None

    runs = tuple(replace(run, ratio_to_baseline=ratio(run)) for run in measured.runs)
    return replace(measured, runs=runs)


def check_same_device(
    environment: Mapping[str, Any], baseline: Measurement, *, source: str
) -> None:
    """Raise ``UsageError`` where an earlier result comes from another device."""
    differing = device_differences(environment, baseline.environment)
    if differing:
        raise UsageError(
            f"{source}: measured on another device ({differing}); "
            "--other-device compares all the same"
        )


def device_differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    """Return what differs between two environments' devices: ``threads 2, here 4``.

    Empty if nothing does; threads matter on a CPU alone.
    """
    keys = DEVICE_KEYS if ours.get("device_type") == "cpu" else DEVICE_KEYS[:2]
    return ", ".join(
        f"{key.replace('_', ' ')} {theirs.get(key)}, here {ours.get(key)}"
        for key in keys
        if theirs.get(key) != ours.get(key)
    )
