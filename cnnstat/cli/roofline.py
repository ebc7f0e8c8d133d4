"""``cnnstat roofline MODEL --device NAME``: the bound of each layer on a device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cnnstat.cli.blocks import Result, Subject
from cnnstat.cli.options import (
    ModelArgument,
    SortOption,
    TopOption,
    VerboseOption,
    at_least_one,
    option,
    starting,
)

if TYPE_CHECKING:
    from cnnstat.bench.devices import Device
    from cnnstat.bench.roofline import Peak
    from cnnstat.count.report import Report

DEVICE = "Device"
"""The group of options of ``roofline``, ``plot roofline`` and the bounds of ``summary``."""


DEVICES = (
    *("raspberry-pi-5", "jetson-orin-nano-super", "jetson-agx-orin-64gb"),
    *("apple-m1-pro", "apple-m1-max", "apple-m2", "rtx-3090", "rtx-4090", "t4", "l4"),
    *("a100-sxm-40gb", "a100-sxm-80gb", "h100-sxm", "h200-sxm"),
)
"""Names for the help: reading the file of devices would slow every start down; a test compares."""

EXAMPLES = (
    "cnnstat roofline resnet50 --device h100-sxm --dtype float16 --batch 64",
    "cnnstat roofline mobilenet --peak 4TFLOPS --bandwidth 50GB/s --sort bound_ms --top 10",
)


@dataclass(frozen=True)
class Rates:
    """A device, or rates of its own."""

    device: Annotated[
        str | None,
        option(
            "--device",
            group=DEVICE,
            metavar="NAME",
            help=f"Device, by name: {', '.join(DEVICES)}.",
            complete=starting(lambda: DEVICES),
        ),
    ] = None
    devices: Annotated[
        str | None,
        option(
            "--devices",
            group=DEVICE,
            metavar="FILE",
            help="TOML file with devices of your own.",
        ),
    ] = None
    peak: Annotated[
        str | None,
        option(
            "--peak",
            group=DEVICE,
            metavar="RATE",
            help="Operations per second: 4TFLOPS, 26TOPS.",
            default="the device's, in the dtype",
        ),
    ] = None
    bandwidth: Annotated[
        str | None,
        option(
            "--bandwidth",
            group=DEVICE,
            metavar="RATE",
            help="Memory bandwidth, bytes per second: 50GB/s.",
            default="the device's",
        ),
    ] = None

    @property
    def stated(self) -> bool:
        """Whether any of the options is set."""
        return any(value is not None for value in vars(self).values())

    def named_device(self) -> Device | None:
        """Return the device of the options, or None where none is named."""
        if self.device is None and self.devices is None:
            return None
        from cnnstat.bench.devices import find_device, read_devices
        from cnnstat.errors import UsageError

        if self.device is None:
            names = ", ".join(read_devices(self.devices or ""))
            raise UsageError(f"--devices {self.devices}: choose one with --device: {names}")
        return find_device(self.device, self.devices)

    def peak_of(self, report: Report, device: Device | None) -> Peak:
        """Return the rates of the options, or of the device, for a report's dtype."""
        from cnnstat.bench.devices import chosen_peak
        from cnnstat.bench.roofline import compute_dtype

        return chosen_peak(compute_dtype(report), device, self.peak, self.bandwidth)


def roofline(
    model: ModelArgument,
    *,
    subject: Subject,
    rates: Rates,
    sort: SortOption = None,
    top: TopOption = None,
    verbose: VerboseOption = False,
    result: Result,
) -> None:
    """Show the roofline bound of each layer on a device: compute or memory, share, fusion."""
    from cnnstat.bench.roofline import compute_dtype
    from cnnstat.cli.output import emit
    from cnnstat.render.roofline import roofline_document

    to = result.destination(verbose=verbose)
    device = rates.named_device()
    report = subject.analyze(subject.load(model)).report
    emit(
        roofline_document(
            report,
            reference=model,
            peak=rates.peak_of(report, device),
            dtype=compute_dtype(report),
            device=device,
            sort=sort,
            top=at_least_one("top", top),
        ),
        to,
    )
