"""The bound of every layer on a device, and what fusing a layer with its only reader would save.

Fused with its reader, a layer's output stays on the chip: it is neither written nor read, and both
layers' FLOPs and remaining bytes share one time. The saving is the bound of the two less that of
the fused one, and a bound like them.
"""

from __future__ import annotations

from typing import NamedTuple

from cnnstat.bench.roofline import Bound, Limit, Peak, peak_bound
from cnnstat.count.layer import Layer
from cnnstat.count.report import Report


class LayerBound(NamedTuple):
    """One layer: its bound in milliseconds, what sets it, and what a fusion would save.

    None where an operator has no rule, and where there is nothing to fuse.
    """

    layer: Layer
    flops: int | None
    traffic_bytes: int
    bound_ms: float | None
    limit: Limit | None
    fusion_saves_ms: float | None


def layer_bounds(report: Report, peak: Peak) -> tuple[LayerBound, ...]:
    """Return every layer that computes or moves anything, in the order of execution."""
    layers = report.layers
    traffic = [layer.traffic.total for layer in layers]
    bounds = [
        peak_bound(layer.flops, size, peak) for layer, size in zip(layers, traffic, strict=True)
    ]
    readers = _only_readers(report)
    rows = []
    for number, (layer, size, bound) in enumerate(zip(layers, traffic, bounds, strict=True)):
        if not size and not layer.flops and layer.flops is not None:
            continue
        known = layer.flops is not None
        saving = None
        if number in readers:
            reader, between = readers[number]
            saving = _saving((layer, layers[reader]), (bound, bounds[reader]), between, peak)
        ms = 1e3 * bound.seconds if known else None
        rows.append(
            LayerBound(layer, layer.flops, size, ms, bound.limit if known else None, saving)
        )
    return tuple(rows)


def total_ms(rows: tuple[LayerBound, ...]) -> float:
    """Return the sum of the bounds that are known."""
    return sum(row.bound_ms for row in rows if row.bound_ms is not None)


def _saving(
    pair: tuple[Layer, Layer], bounds: tuple[Bound, Bound], between: int, peak: Peak
) -> float | None:
    if pair[0].flops is None or pair[1].flops is None:
        return None
    left = pair[0].traffic.total + pair[1].traffic.total - 2 * between
    fused = peak_bound(pair[0].flops + pair[1].flops, left, peak).seconds
    return max(0.0, 1e3 * (bounds[0].seconds + bounds[1].seconds - fused))


def _only_readers(report: Report) -> dict[int, tuple[int, int]]:
    """Return the only reader of each layer, by number, and the bytes of what it reads of it.

    A layer whose result leaves the model is left out, and one that reads nothing, as an input.
    """
    shaped = report.shaped
    number = {index: at for at, layer in enumerate(report.layers) for index in layer.nodes}
    leaving = {number[v.node] for v in (*shaped.graph.outputs, *shaped.graph.training_outputs)}
    readers: dict[int, set[int]] = {}
    between: dict[int, dict[object, int]] = {}
    for index, node in enumerate(shaped.nodes):
        for value in node.inputs:
            source, reader = number[value.node], number[index]
            if source == reader:
                continue
            readers.setdefault(source, set()).add(reader)
            between.setdefault(source, {})[value] = shaped.spec(value).nbytes
    return {
        source: (next(iter(reading)), sum(between[source].values()))
        for source, reading in readers.items()
        if len(reading) == 1 and source not in leaving and report.layers[source].traffic.total
    }
