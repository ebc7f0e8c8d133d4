"""The roofline bound: what a step has to compute and to move, at a device's known rates.

The rates are measured (``Rates``) or those of a data sheet (``Peak``). Work and traffic are
predicted from the graph, never measured. A bound is computed row by row: a layer takes at least the
time of its multiply-accumulates at the device's matrix-product rate, and at least the time of its
bytes at the device's copy rate. It is a bound for layers that each read and write main memory and
multiply as the definition does: caches, fusion over rows and Winograd convolutions can beat it, and
a share above 100 % says that they did.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from cnnstat.count.layer import Layer
from cnnstat.count.report import Report
from cnnstat.ir.graph import ShapedGraph

Mode = Literal["inference", "training"]
Limit = Literal["compute", "memory"]


class Rates(NamedTuple):
    """Rates of a device on a large matrix product and on a large copy (read plus written)."""

    macs_per_s: float
    bytes_per_s: float


class Peak(NamedTuple):
    """Peak rates of a device by its data sheet: FLOPs per second, bytes per second."""

    flops_per_s: float
    bytes_per_s: float


class Demand(NamedTuple):
    """Work and traffic of one step of a row: multiply-accumulates, bytes to and from memory."""

    macs: int
    traffic_bytes: int

    @property
    def macs_per_byte(self) -> float | None:
        """Arithmetic intensity; None where nothing is moved."""
        return self.macs / self.traffic_bytes if self.traffic_bytes else None


class Bound(NamedTuple):
    """The least time of a step in seconds and what sets it: ``compute`` or ``memory``."""

    seconds: float
    limit: Limit


def bound(demand: Demand, rates: Rates) -> Bound:
    """Return the larger of the two times that one row needs at these rates.

    macs / macs_per_s against traffic_bytes / bytes_per_s: memory-bound below the ridge point
    macs_per_s / bytes_per_s of arithmetic intensity.
    """
    return _slower(demand.macs / rates.macs_per_s, demand.traffic_bytes / rates.bytes_per_s)


def peak_bound(flops: int | None, traffic_bytes: int, peak: Peak) -> Bound:
    """Return the same of FLOPs and bytes at a device's peak; unknown FLOPs take no time."""
    return _slower((flops or 0) / peak.flops_per_s, traffic_bytes / peak.bytes_per_s)


def _slower(compute: float, memory: float) -> Bound:
    return Bound(compute, "compute") if compute >= memory else Bound(memory, "memory")


def total_bound(demands: tuple[Demand, ...], rates: Rates) -> Bound:
    """Return the sum of the rows' bounds; ``limit`` is what sets the larger part of the time."""
    bounds = [bound(demand, rates) for demand in demands]
    compute = sum(bound.seconds for bound in bounds if bound.limit == "compute")
    memory = sum(bound.seconds for bound in bounds if bound.limit == "memory")
    return Bound(compute + memory, "compute" if compute >= memory else "memory")


def demands(report: Report, *, mode: Mode) -> tuple[Demand, ...]:
    """Return what each row of ``report.layers`` has to do in one step.

    With x the inputs, y the outputs and w the parameters of a row, in bytes:

    inference: macs; x + w + y
    training: forward x + w + y; backward reads y's gradient, x and w and writes the gradients of x
    and w (2x + 2w + y); momentum SGD reads w, gradient and momentum and writes w and momentum (5w):
    3x + 8w + 2y. One product as large as the forward one makes the gradient of the weights and
    another that of the input, which is left out, with its bytes, where nothing before is trained.
    """
    depends = dependent(report.shaped)
    return tuple(_demand(row, mode, depends) for row in report.layers)


def _demand(row: Layer, mode: Mode, depends: tuple[bool, ...]) -> Demand:
    shaped = row.report.shaped
    facts = [(index, shaped.facts[index]) for index in row.nodes]
    skipped = mode == "inference" and all(shaped.nodes[index].training_only for index in row.nodes)
    if skipped:
        return Demand(0, 0)
    x, w, y = row.traffic
    forward = sum(each.work.macs for _, each in facts if each.work)
    if mode == "inference":
        return Demand(forward, x + w + y)
    macs = forward
    for index, each in facts:
        behind = any(depends[value.node] for value in shaped.nodes[index].inputs)
        macs += (each.work.macs if each.work else 0) * (bool(each.weights) + behind)
    inside = set(row.nodes)
    entering = {v.node for i in inside for v in shaped.nodes[i].inputs} - inside
    passed_back = any(depends[index] for index in entering)
    return Demand(macs, (3 if passed_back else 2) * x + 8 * w + 2 * y)


def dependent(shaped: ShapedGraph) -> tuple[bool, ...]:
    """Return per node whether its results depend on a trained weight: only then have a gradient."""
    depends: list[bool] = []
    for node, facts in zip(shaped.nodes, shaped.facts, strict=True):
        trained = any(weight.role != "buffer" for weight in facts.weights)
        depends.append(trained or any(depends[value.node] for value in node.inputs))
    return tuple(depends)


def compute_dtype(report: Report) -> str:
    """Return the dtype of the products: the first of floating-point or of 8-bit activations."""
    for facts in report.shaped.facts:
        for spec in facts.outputs:
            if spec.is_float or spec.dtype in ("int8", "uint8"):
                return "int8" if spec.dtype == "uint8" else spec.dtype
    return "float32"


def report_dtype(report: Report) -> str:
    """Return the dtype of the weights: that of the first input, float32 for an integer one."""
    return report.input.dtype if "float" in report.input.dtype else "float32"


def node_bounds_ms(report: Report, peak: Peak) -> tuple[float | None, ...]:
    """Return each operator's part of its layer's bound in milliseconds; None if unknown.

    The parts are those of what sets the bound, FLOPs or bytes, so that they add up in every view.
    """
    parts: list[float | None] = [0.0] * len(report.nodes)
    for row in report.layers:
        size, flops = row.traffic.total, row.flops
        time, limit = peak_bound(flops, size, peak)
        for index in row.nodes:
            own = report.nodes[index]
            if flops is None:
                parts[index] = None
            elif limit == "memory":
                parts[index] = 1e3 * time * report.traffic[index].total / size if size else 0.0
            else:
                parts[index] = 1e3 * time * own.work.flops / flops if flops else 0.0
    return tuple(parts)


def row_bound_ms(parts: Sequence[float | None], row: Layer) -> float | None:
    """Return the bound of one row of any view; None where a part of it is unknown."""
    known = [part for part in (parts[index] for index in row.nodes) if part is not None]
    return sum(known) if len(known) == len(row.nodes) else None
