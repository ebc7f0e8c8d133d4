"""Measured memory and its prediction, quantity by quantity, in lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from cnnstat.memory.memory import Measured, MemoryPlan
from cnnstat.render.numbers import count

Line = tuple[str, str, str]
"""Name, figure, words."""

QUANTITIES = {
    "param_bytes": "parameters",
    "buffer_bytes": "buffers",
    "gradient_bytes": "gradients",
    "optimizer_bytes": "optimiser state",
    "saved_bytes": "saved for backward",
    "peak_live_bytes": "peak of the forward pass",
    "backward_peak_bytes": "peak of the backward pass",
    "optimizer_step_bytes": "temporary memory of the optimiser's step",
    "workspace_bytes": "workspaces and rounding",
}
"""Quantities of both a measurement and a plan, in the order of the table."""


def measured_lines(measured: Measured, predicted: Measured) -> Iterator[Line]:
    """Yield each quantity as measured, with its prediction."""
    for key, name in QUANTITIES.items():
        real, ours = getattr(measured, key), getattr(predicted, key)
        if real is None:
            continue
        if ours is None:
            yield name, count(real), "bytes measured, not predicted"
        else:
            off = "equal" if real == ours else f"predicted is {difference_percent(real, ours)} off"
            yield name, count(real), f"bytes measured, {count(ours)} predicted: {off}"


def unwatched_lines(plan: MemoryPlan, predicted: Measured) -> Iterator[str]:
    """Yield why a measured peak differs from the plan's."""
    unwatched = [
        f"the {peak.phase} pass at {count(peak.bytes)} bytes"
        for peak, watched in (
            (plan.forward_peak, predicted.peak_live_bytes),
            (plan.backward_peak, predicted.backward_peak_bytes),
        )
        if peak is not None and watched not in (None, peak.bytes)
    ]
    if unwatched:
        yield (
            "PyTorch does not add gradients in place while they are measured; "
            f"otherwise the peaks are in {' and '.join(unwatched)}, as above."
        )


def difference_percent(measured: int, predicted: int) -> str:
    """Return the error of a prediction in percent of the measurement."""
    if not measured:
        return "all"
    return f"{100 * (predicted - measured) / measured:+.3g} %"
