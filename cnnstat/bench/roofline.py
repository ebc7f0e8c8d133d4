"""The roofline bound: what a step has to compute and to move, at a device's known rates.

Work and traffic are predicted from the graph, never measured. A bound is computed row by row: a
layer takes at least the time of its multiply-accumulates at the device's matrix-product rate, and
at least the time of its bytes at the device's copy rate. It is a bound for layers that each read
and write main memory and multiply as the definition does: caches, fusion over rows and Winograd
convolutions can beat it, and a share above 100 % says that they did.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from cnnstat.count.report import Layer, Report
from cnnstat.ir.graph import ShapedGraph
from cnnstat.ir.tensor import DTYPE_BYTES

Mode = Literal["inference", "training"]
Limit = Literal["compute", "memory"]


class Rates(NamedTuple):
    """Rates of a device on a large matrix product and on a large copy (read plus written)."""

    macs_per_s: float
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
    compute = demand.macs / rates.macs_per_s
    memory = demand.traffic_bytes / rates.bytes_per_s
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
    enters = not any(shaped.nodes[index].inputs for index in row.nodes)
    skipped = mode == "inference" and all(shaped.nodes[index].training_only for index in row.nodes)
    if enters or skipped:
        return Demand(0, 0)
    x = sum(spec.nbytes for spec in row.inputs)
    y = row.activation_bytes
    w = row.params * DTYPE_BYTES[report_dtype(row.report)]
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


def report_dtype(report: Report) -> str:
    """Return the dtype of the weights: that of the first input, float32 for an integer one."""
    return report.input.dtype if "float" in report.input.dtype else "float32"
