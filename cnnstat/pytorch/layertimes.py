"""Time by layer: the generated forward pass run node by node, the nodes added up to rows.

On a CPU the sum of the rows is a little more than the whole: between nodes the clock reads the
time. On a GPU events mark the device's own time; a pause before the pass lets the host launch
ahead, so that no layer waits for its launch.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import torch
from torch import fx, nn

from cnnstat.bench.measurement import LayerTime
from cnnstat.bench.roofline import Demand, Rates, bound, demands
from cnnstat.bench.timing import enough, percentile
from cnnstat.count.layer import Layer
from cnnstat.count.report import Report
from cnnstat.pytorch.build import NODE, forward_graph
from cnnstat.pytorch.clock import WARM_UP_SHARE

AHEAD = 1.5
"""A pause before a pass on CUDA, in times of what the host took to launch the last one."""

CLOCK_KHZ = 2_000_000
"""A GPU's clock where PyTorch does not tell it; a pause need not be exact."""


def pause(device: torch.device, seconds: float) -> None:
    """Keep a CUDA device busy for about so long without waiting for it."""
    clock_khz = getattr(torch.cuda.get_device_properties(device), "clock_rate", CLOCK_KHZ)
    sleep: Callable[[int], None] = torch.cuda._sleep
    with torch.cuda.device(device):
        sleep(round(seconds * 1e3 * clock_khz))


class NodeClock(fx.Interpreter):
    """Runs a generated module node by node and tells the seconds of each.

    The key is the node's position in ``Graph.nodes``. Nodes that only unpack results have none and
    count for nothing.
    """

    def __init__(self, module: fx.GraphModule, device: torch.device) -> None:
        super().__init__(module)
        self._device = device
        self._marks: list[tuple[int, Any, Any]] = []
        self._host_s = 0.0

    def run_node(self, n: fx.Node) -> Any:
        """Run one node between two marks."""
        before = self._mark()
        result = super().run_node(n)
        if NODE in n.meta:
            self._marks.append((n.meta[NODE], before, self._mark()))
        return result

    def seconds(self, inputs: tuple[torch.Tensor, ...]) -> dict[int, float]:
        """Run one pass and return the seconds by node."""
        self._marks.clear()
        if self._device.type == "cuda":
            pause(self._device, AHEAD * self._host_s)
        start = perf_counter()
        self.run(*inputs)
        self._host_s = perf_counter() - start
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
            return {node: start.elapsed_time(end) / 1e3 for node, start, end in self._marks}
        return {node: end - start for node, start, end in self._marks}

    def _mark(self) -> Any:
        if self._device.type == "cuda":
            make: Callable[..., torch.cuda.Event] = torch.cuda.Event
            event = make(enable_timing=True)
            event.record(torch.cuda.current_stream(self._device))
            return event
        if self._device.type == "mps":
            torch.mps.synchronize()
        return perf_counter()


def layer_times(
    module: nn.Module,
    inputs: tuple[torch.Tensor, ...],
    report: Report,
    rates: Rates,
    device: torch.device,
    *,
    min_time: float,
    max_time: float,
) -> tuple[LayerTime, ...]:
    """Return the time of every row of ``report.layers`` in inference, in order; times in seconds.

    Rows that run nothing (the input, what only training has) are left out. The bound of a row is
    its own, at ``rates``.
    """
    module.eval()
    clock = NodeClock(
        fx.GraphModule(module, forward_graph(report.shaped, form="inference")), device
    )
    passes: list[dict[int, float]] = []
    with torch.inference_mode():
        warm = perf_counter()
        clock.seconds(inputs)
        while perf_counter() - warm < WARM_UP_SHARE * min_time:
            clock.seconds(inputs)
        start = perf_counter()
        while not enough(len(passes), perf_counter() - start, min_time=min_time, max_time=max_time):
            passes.append(clock.seconds(inputs))
    timed = [
        (row, demand, _median(passes, row))
        for row, demand in zip(report.layers, demands(report, mode="inference"), strict=True)
        if demand.traffic_bytes
    ]
    whole = sum(seconds for _, _, seconds in timed)
    return tuple(_layer_time(row, demand, rates, seconds, whole) for row, demand, seconds in timed)


def _median(passes: list[dict[int, float]], row: Layer) -> float:
    return percentile([sum(times.get(node, 0.0) for node in row.nodes) for times in passes], 0.5)


def _layer_time(
    row: Layer, demand: Demand, rates: Rates, seconds: float, whole: float
) -> LayerTime:
    least = bound(demand, rates)
    return LayerTime(
        name=row.name,
        type=row.type,
        detail=row.detail,
        macs=demand.macs,
        traffic_bytes=demand.traffic_bytes,
        median_ms=seconds * 1e3,
        share=seconds / whole if whole else 0.0,
        gmacs_per_s=demand.macs / seconds / 1e9 if seconds else 0.0,
        bound_ms=least.seconds * 1e3,
        share_of_bound=least.seconds / seconds if seconds else 0.0,
        bound_by=least.limit,
    )
