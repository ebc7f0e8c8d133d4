"""Time by layer, the parts of a forward pass added up to rows.

A generated module runs node by node; a module of the user's own runs as it is, and each function
that PyTorch calls counts for the node at its position in the pass. On a GPU events mark the
device's own time; a pause before the pass lets the host launch ahead, so that no layer waits for
its launch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any

import torch
from torch import fx, nn

from cnnstat.bench.measurement import LayerTime
from cnnstat.bench.roofline import Demand, Rates, bound, demands
from cnnstat.bench.timing import enough, percentile
from cnnstat.count.layer import Layer
from cnnstat.count.report import Report
from cnnstat.ir.graph import Graph
from cnnstat.pytorch.build import NODE, forward_graph
from cnnstat.pytorch.clock import WARM_UP_SHARE
from cnnstat.pytorch.steps import InOrder
from cnnstat.pytorch.watching import FunctionMode, ModuleCalls, Places, name_of, uncompiled

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


class Marks:
    """The begin and the end of parts of a pass, by number; the seconds of each once it is over."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._marks: list[tuple[int, Any, Any]] = []
        self._host_s = 0.0

    def mark(self) -> Any:
        """Return the time on the device: a clock's reading, or an event on a GPU."""
        if self._device.type == "cuda":
            make: Callable[..., torch.cuda.Event] = torch.cuda.Event
            event = make(enable_timing=True)
            event.record(torch.cuda.current_stream(self._device))
            return event
        if self._device.type == "mps":
            torch.mps.synchronize()
        return perf_counter()

    def add(self, part: int, begin: Any) -> None:
        """Note that a part of the pass that began at a mark ends now."""
        self._marks.append((part, begin, self.mark()))

    def seconds(self, run: Callable[[], object]) -> list[tuple[int, float]]:
        """Run one pass and return the seconds of each part in order."""
        self._marks.clear()
        if self._device.type == "cuda":
            pause(self._device, AHEAD * self._host_s)
        start = perf_counter()
        run()
        self._host_s = perf_counter() - start
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
            return [(part, begin.elapsed_time(end) / 1e3) for part, begin, end in self._marks]
        return [(part, end - begin) for part, begin, end in self._marks]


class NodeClock(fx.Interpreter):
    """Runs a generated module node by node and tells the seconds of each.

    The key is the node's position in ``Graph.nodes``. Nodes that only unpack results have none and
    count for nothing, as do inputs.
    """

    def __init__(self, module: fx.GraphModule, device: torch.device) -> None:
        super().__init__(module)
        self._marks = Marks(device)

    def run_node(self, n: fx.Node) -> Any:
        """Run one node between two marks."""
        begin = self._marks.mark()
        result = super().run_node(n)
        if NODE in n.meta and n.op != "placeholder":
            self._marks.add(n.meta[NODE], begin)
        return result

    def seconds(self, inputs: tuple[torch.Tensor, ...]) -> dict[int, float]:
        """Run one pass and return the seconds by node."""
        return _sums(self._marks.seconds(lambda: self.run(*inputs)))


class CallClock:
    """Runs a module of the user's own as it is and tells the seconds of each node of its graph.

    Those of the functions that PyTorch calls there; Python between them counts for nothing. What
    PyTorch fuses where nobody watches (attention) runs in the parts that the graph has.
    """

    def __init__(self, module: nn.Module, graph: Graph, device: torch.device) -> None:
        self._module, self._graph = module, graph
        self._watched = module.inner if isinstance(module, InOrder) else module
        self._marks = Marks(device)

    def seconds(self, inputs: tuple[torch.Tensor, ...]) -> dict[int, float]:
        """Run one pass and return the seconds by node."""
        calls = ModuleCalls()
        places = Places(self._graph, calls)
        calls.watch(self._watched)
        try:
            with uncompiled(), calls, _TimedCalls(places, self._marks):
                timed = self._marks.seconds(lambda: self._module(*inputs))
        finally:
            calls.forget(self._watched)
        return _sums((places.nodes[call], seconds) for call, seconds in timed)


class _TimedCalls(FunctionMode):  # type: ignore[no-untyped-call]
    """Puts every function that PyTorch runs between two marks, by the number of its place."""

    def __init__(self, places: Places, marks: Marks) -> None:
        super().__init__()
        self._places, self._marks = places, marks

    def run(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a function between two marks."""
        place = self._places.enter(name_of(func))
        begin = self._marks.mark()
        result = func(*args, **kwargs)
        self._marks.add(place, begin)
        return result


def _sums(parts: Iterable[tuple[int, float]]) -> dict[int, float]:
    sums: dict[int, float] = {}
    for part, seconds in parts:
        sums[part] = sums.get(part, 0.0) + seconds
    return sums


def layer_times(
    module: nn.Module,
    inputs: tuple[torch.Tensor, ...],
    report: Report,
    rates: Rates,
    device: torch.device,
    *,
    own: bool,
    min_time: float,
    max_time: float,
) -> tuple[LayerTime, ...]:
    """Return the time of every row of ``report.layers`` in inference, in order; times in seconds.

    ``own`` says that the module is the user's, not one made from the graph. Rows that run nothing
    (the input, what only training has) are left out. The bound of a row is its own, at ``rates``.
    """
    module.eval()
    clock: CallClock | NodeClock
    if own:
        clock = CallClock(module, report.shaped.graph, device)
    else:
        made = fx.GraphModule(module, forward_graph(report.shaped, form="inference"))
        clock = NodeClock(made, device)
    passes: list[dict[int, float]] = []
    with torch.inference_mode():
        warm = perf_counter()
        clock.seconds(inputs)
        while perf_counter() - warm < WARM_UP_SHARE * min_time:
            clock.seconds(inputs)
        start = perf_counter()
        while not enough(len(passes), perf_counter() - start, min_time=min_time, max_time=max_time):
            passes.append(clock.seconds(inputs))
    medians = [
        percentile([sum(times.get(node, 0.0) for node in row.nodes) for times in passes], 0.5)
        for row in report.layers
    ]
    rows = zip(report.layers, demands(report, mode="inference"), medians, strict=True)
    whole = sum(medians)
    return tuple(
        _layer_time(row, demand, rates, seconds, whole) for row, demand, seconds in rows if seconds
    )


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
