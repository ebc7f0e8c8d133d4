"""Jobs and settings of a measurement, as plain data that needs no PyTorch to be written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, get_args

from cnnstat.bench.roofline import Mode, report_dtype
from cnnstat.count.report import Report
from cnnstat.errors import UsageError, unknown

MODES: tuple[Mode, ...] = get_args(Mode)

MOST_THREADS = 1024
"""PyTorch starts any number of threads, and crashes with too many."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How everything of one call is measured. Seconds; None leaves PyTorch's own setting."""

    device: str = "auto"
    channels_last: bool = False
    compiled: bool = False
    cuda_graph: bool = False
    tf32: bool | None = None
    threads: int | None = None
    min_time: float = 0.5
    max_time: float = 20.0
    layers: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """One model at one batch and dtype, which its report knows, in one mode.

    ``own_module`` returns the user's own module with weights, where the model is one.
    """

    model: str
    report: Report
    mode: Mode
    own_module: Callable[[], Any] | None = None

    @property
    def dtype(self) -> str:
        """The dtype of weights and activations."""
        return report_dtype(self.report)

    @property
    def label(self) -> str:
        """The text of a progress bar."""
        return f"{self.model} {self.dtype} batch {self.report.batch} {self.mode}"


Progress = Callable[[int, int, Job], None]
"""Called when a run begins: its place, how many there are, the job."""


def mode_of(name: str) -> Mode:
    """Return the mode of this name; raise ``UsageError`` with the nearest names if not."""
    for mode in MODES:
        if mode == name:
            return mode
    raise unknown("mode", name, MODES)


def check_settings(settings: Settings, modes: Iterable[Mode]) -> None:
    """Raise ``UsageError`` for settings that contradict each other on any device."""
    if settings.threads is not None and not 1 <= settings.threads <= MOST_THREADS:
        raise UsageError(f"threads must be 1 to {MOST_THREADS:,}, got {settings.threads}")
    if not 0 <= settings.min_time <= settings.max_time or settings.max_time <= 0:
        raise UsageError(
            f"min-time {settings.min_time:g} and max-time {settings.max_time:g}: "
            "expected 0 <= min-time <= max-time and 0 < max-time"
        )
    if settings.layers and "training" in modes:
        raise UsageError("--layers times an inference pass: not with --mode training")
    if settings.layers and (settings.compiled or settings.cuda_graph):
        raise UsageError("--layers times layers one by one: not with --compile or --cuda-graph")
