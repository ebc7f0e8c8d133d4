"""``cnnstat roofline MODEL --device NAME``: the bound of each layer on a device."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from cnnstat.cli.options import (
    TABLE,
    ArgsOption,
    BareOption,
    BatchOption,
    ClassesOption,
    DtypeOption,
    FormatOption,
    InputsOption,
    ModelArgument,
    OutputOption,
    TopOption,
    at_least_one,
    factory_arguments,
    input_shapes,
    option,
    starting,
)

if TYPE_CHECKING:
    from cnnstat.bench.devices import Device
    from cnnstat.bench.roofline import Peak
    from cnnstat.count.report import Report

DEVICE = "Device"
"""The group of options of ``roofline``, ``plot roofline`` and the bounds of ``summary``."""


def _devices() -> Iterable[str]:
    from cnnstat.bench.devices import own_devices

    return own_devices()


DeviceOption = Annotated[
    str | None,
    option(
        "--device",
        group=DEVICE,
        metavar="NAME",
        help="Device by name: h100-sxm, rtx-4090, jetson-orin-nano-super, raspberry-pi-5 ...",
        complete=starting(_devices),
    ),
]
DevicesOption = Annotated[
    str | None,
    option(
        "--devices",
        group=DEVICE,
        metavar="FILE",
        help="TOML file with devices of your own.",
    ),
]
PeakOption = Annotated[
    str | None,
    option(
        "--peak",
        group=DEVICE,
        metavar="RATE",
        help="Operations a second: 4TFLOPS, 26TOPS.",
        default="the device's, in the dtype",
    ),
]
BandwidthOption = Annotated[
    str | None,
    option(
        "--bandwidth",
        group=DEVICE,
        metavar="RATE",
        help="Bytes a second to and from memory: 50GB/s.",
        default="the device's",
    ),
]
EXAMPLES = (
    "cnnstat roofline resnet50 --device h100-sxm --dtype float16 --batch 64",
    "cnnstat roofline mobilenet --peak 4TFLOPS --bandwidth 50GB/s --sort bound_ms --top 10",
)


def device_of(name: str | None, devices: str | None) -> Device | None:
    """Return the device of the options, or None where none is named."""
    if name is None and devices is None:
        return None
    from cnnstat.bench.devices import find_device, read_devices
    from cnnstat.errors import UsageError

    if name is None:
        names = ", ".join(read_devices(devices or ""))
        raise UsageError(f"--devices {devices}: choose one with --device: {names}")
    return find_device(name, devices)


def peak_of(report: Report, device: Device | None, peak: str | None, bandwidth: str | None) -> Peak:
    """Return the rates of the options for a report's dtype."""
    from cnnstat.bench.devices import chosen_peak
    from cnnstat.bench.roofline import compute_dtype

    return chosen_peak(compute_dtype(report), device, peak, bandwidth)


def roofline(
    model: ModelArgument,
    input: InputsOption = None,
    batch: BatchOption = 1,
    dtype: DtypeOption = None,
    classes: ClassesOption = None,
    args: ArgsOption = None,
    device: DeviceOption = None,
    devices: DevicesOption = None,
    peak: PeakOption = None,
    bandwidth: BandwidthOption = None,
    sort: Annotated[
        str | None,
        option(
            "--sort",
            group=TABLE,
            metavar="KEY",
            help="Sort by a column, largest first.",
            default="the order of execution",
        ),
    ] = None,
    top: TopOption = None,
    format: FormatOption = None,
    bare: BareOption = False,
    output: OutputOption = None,
) -> None:
    """Show the roofline bound of each layer on a device: compute or memory, share, fusion."""
    from cnnstat import api
    from cnnstat.bench.roofline import compute_dtype
    from cnnstat.cli.output import destination, emit
    from cnnstat.render.roofline import roofline_document

    to = destination(format, output, bare=bare)
    chosen = device_of(device, devices)
    loaded = api.load(model, classes=classes, arguments=factory_arguments(args))
    report = api.analyze(loaded, input=input_shapes(input), batch=batch, dtype=dtype).report
    emit(
        roofline_document(
            report,
            reference=model,
            peak=peak_of(report, chosen, peak, bandwidth),
            dtype=compute_dtype(report),
            device=chosen,
            sort=sort,
            top=at_least_one("top", top),
        ),
        to,
    )
