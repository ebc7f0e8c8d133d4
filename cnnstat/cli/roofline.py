"""``cnnstat roofline MODEL --device NAME``: the bound of each layer on a device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnnstat.cli.optionblocks import Result, Subject
from cnnstat.cli.options import at_least_one, option, starting
from cnnstat.cli.output import emit

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

OPTIONS = {
    "device": option(
        DEVICE,
        "--device NAME",
        f"Device, by name: {', '.join(DEVICES)}.",
        complete=starting(lambda: DEVICES),
    ),
    "devices": option(DEVICE, "--devices FILE", "TOML file with devices of your own."),
    "peak": option(
        DEVICE,
        "--peak RATE",
        "Operations per second: 4TFLOPS, 26TOPS.",
        "the device's, in the dtype",
    ),
    "bandwidth": option(
        DEVICE,
        "--bandwidth RATE",
        "Memory bandwidth, bytes per second: 50GB/s.",
        "the device's",
    ),
}
EXAMPLES = (
    "cnnstat roofline resnet50 --device h100-sxm --dtype float16 --batch 64",
    "cnnstat roofline mobilenet --peak 4TFLOPS --bandwidth 50GB/s --sort bound_ms --top 10",
)


@dataclass(frozen=True)
class Rates:
    """A device, or rates of its own."""

    device: str | None = None
    devices: str | None = None
    peak: str | None = None
    bandwidth: str | None = None

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
    model: str,
    *,
    subject: Subject,
    rates: Rates,
    sort: str | None = None,
    top: int | None = None,
    verbose: bool = False,
    result: Result,
) -> None:
    """Show the roofline bound of each layer on a device: compute or memory, share, fusion."""
    from cnnstat.bench.roofline import compute_dtype
    from cnnstat.render.roofline import roofline_document

    to = result.destination(verbose=verbose)
    device = rates.named_device()
    report = subject.analyze(subject.load(model)).report
    document = roofline_document(
        report,
        reference=model,
        peak=rates.peak_of(report, device),
        dtype=compute_dtype(report),
        device=device,
        sort=sort,
        top=at_least_one("top", top),
    )
    emit(document, to)
