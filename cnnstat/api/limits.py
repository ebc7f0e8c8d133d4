"""Limits that figures must meet, such as ``params < 5M``, in the grammar of ``sweep --where``.

A figure of which only a lower bound is known meets a limit only where every figure from it upwards
does; what is unknown meets none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from cnnstat.bench.measurement import OK, Measurement, Run
from cnnstat.count.compare import FURTHER, MEASURES, Comparison, Entry
from cnnstat.count.report import Report
from cnnstat.errors import UsageError
from cnnstat.memory.fit import Memory, reserve
from cnnstat.memory.memory import MemoryPlan
from cnnstat.sweep.expression import Expression, parse
from cnnstat.sweep.operations import AtLeast, Read

Result = Report | MemoryPlan | Comparison | Measurement
Command = Literal["summary", "memory", "compare", "bench"]

STORED = ("weights", "biases", "params", "trainable_params", "param_bytes")
"""Lower bounds where some weights are not counted."""
WORK = ("macs", "flops")
"""Lower bounds where an operator has no rule."""
TRAINING = ("input_gradient_macs", "weight_gradient_macs", "training_macs", "torch_training_flops")
"""Figures of a training step: lower bounds where an operator has no rule for its gradients."""
ACTIVATIONS = ("activation_bytes", "cached_activation_bytes", "peak_activation_bytes")
"""Lower bounds where the shape of a result is unknown."""
STATE = ("param_bytes", "buffer_bytes", "gradient_bytes", "optimizer_bytes", "input_bytes")
"""Figures of a memory plan that do not depend on the kernels."""
RATIO = "_ratio"
SLOWDOWN = "slowdown"
"""Median over the median of ``--baseline``: 1.1 is 10 % slower."""
FIELDS = {SLOWDOWN: "ratio_to_baseline"}
"""Figures of a measured run whose field has another name."""

REPORT_KEYS = (
    *STORED,
    "buffers",
    *WORK,
    "counted",
    *ACTIVATIONS,
    *("traffic_bytes", "depth", "paths", "receptive_field", "batch"),
    *TRAINING,
)
"""Figures of a count; ``counted`` is the work under ``--convention``."""
MEMORY_KEYS = (
    *STATE,
    *("optimizer_step_bytes", "saved_bytes", "peak_live_bytes", "ideal_peak_bytes"),
    *("backward_peak_bytes", "total_bytes"),
)
"""Figures of a memory plan, as its JSON has them."""
BENCH_KEYS = (
    *("median_ms", "p25_ms", "p75_ms", "p95_ms", "min_ms", "images_per_s", "gmacs_per_s"),
    *("gflops_per_s", "share_of_matmul", "share_of_copy", "bound_ms", "share_of_bound"),
    *("peak_memory_bytes", "predicted_peak_bytes", "macs", "flops", "traffic_bytes"),
    *("macs_per_byte", "param_bytes", "predicted_activation_bytes", "batch", "layers_ms"),
)
"""Figures of a measured run."""
KEYS: dict[Command, tuple[str, ...]] = {
    "summary": REPORT_KEYS,
    "memory": tuple(dict.fromkeys([*MEMORY_KEYS, *REPORT_KEYS])),
    "compare": tuple(dict.fromkeys([*REPORT_KEYS, *MEASURES, *FURTHER])),
    "bench": BENCH_KEYS,
}
"""Figures that each command's limits may name."""
RELATIVE: dict[Command, tuple[str, ...]] = {
    "compare": tuple(f"{key}{RATIO}" for key in MEASURES),
    "bench": (SLOWDOWN,),
}
"""Those relative to a baseline."""
BASELINE = {"compare": "--baseline MODEL or --diff", "bench": "--baseline FILE"}


class Subject(NamedTuple):
    """A model or a run that limits apply to: its figures, and why some of them may be unknown."""

    name: str
    read: Read
    reason: str = ""


def limits(
    texts: Sequence[str], command: Command, *, has_baseline: bool = False
) -> tuple[Expression, ...]:
    """Return limits about the figures of a command.

    Raises ``UsageError`` for a malformed condition or one without a figure, for an unknown figure
    with the nearest ones, for bytes where no figure has any, and for a relative figure without a
    baseline.
    """
    relative = RELATIVE.get(command, ())
    stated = tuple(parse(text, (*KEYS[command], *relative), kind="figure") for text in texts)
    for limit in stated:
        if not limit.names:
            raise UsageError(f"limit {limit.text!r} names no figure: write one as 'params < 5M'")
        if BYTES.search(limit.text) and not any(name.endswith("_bytes") for name in limit.names):
            raise UsageError(
                f"limit {limit.text!r}: {', '.join(limit.names)} counts no bytes: write 5M, not 5MB"
            )
        for name in limit.names:
            if name in relative and not has_baseline:
                raise UsageError(f"limit {limit.text!r}: {name} needs {BASELINE[command]}")
    return stated


BYTES = re.compile(r"[0-9.] ?(k|M|G|T|Ki|Mi|Gi|Ti)?B\b")
"""A number of bytes in a condition."""


def unmet(
    stated: Sequence[Expression], result: Result, into: Memory | None = None
) -> Iterator[str]:
    """Yield a sentence for each limit that a result does not meet, or cannot be shown to meet.

    ``into`` is a memory that a plan must fit into.
    """
    subjects = tuple(_subjects(result))
    if not subjects:
        yield from (f"no run: nothing meets the limit {limit.text.strip()!r}" for limit in stated)
    for subject in subjects:
        for limit in stated:
            answer = limit.value(subject.read)
            if answer is True:
                continue
            figures = ", ".join(
                f"{name} ({_value_text(subject.read(name))})" for name in limit.names
            )
            rule = f"the limit {limit.text.strip()!r}"
            if answer is None:
                reason = f": {_why(subject, limit)}" if _why(subject, limit) else ""
                yield f"{subject.name}: {figures} cannot be shown to meet {rule}{reason}"
            else:
                yield f"{subject.name}: {figures} does not meet {rule}"
    if into is not None and isinstance(result, MemoryPlan):
        yield from _not_fitting(result, into)


def _subjects(result: Result) -> Iterator[Subject]:
    if isinstance(result, Report):
        yield Subject(result.name, lambda key: report_figure(result, key), _reason(result))
    elif isinstance(result, MemoryPlan):
        yield _of_plan(result)
    elif isinstance(result, Comparison):
        yield from (_of_entry(entry, result) for entry in result.entries)
    else:
        yield from map(_of_run, result.runs)


def _why(subject: Subject, limit: Expression) -> str:
    """Return why a limit cannot be said to be met, as far as it is known."""
    if any(name in TRAINING and subject.read(name) is None for name in limit.names):
        return "only training has it; add --mode training"
    return subject.reason


def _value_text(value: object) -> str:
    """Return a figure with its sign: ``=1,000``, ``>=1,000``, ``=?``."""
    sign, number = (">=", value.bound) if isinstance(value, AtLeast) else ("=", value)
    if number is None:
        return f"{sign}?"
    if isinstance(number, float):
        return f"{sign}{number:,.6g}"
    return f"{sign}{number:,}" if isinstance(number, int) else f"{sign}{number}"


def _reason(report: Report) -> str:
    if report.status == "partial":
        return "operators without a rule are not counted"
    if report.params_status == "partial":
        return "some weights are not counted"
    return ""


def report_figure(report: Report, key: str) -> object:
    """Return one figure of ``REPORT_KEYS``: a number, a lower bound, or None."""
    if key == "batch":
        return report.batch
    if key == "receptive_field":
        layer = report.last_map
        field = None if layer is None else layer.receptive_field
        return None if field is None else max(field.size, default=None)
    if key in TRAINING:
        return _training_figure(report, key)
    if not report.knows(key):
        return None
    if key == "traffic_bytes":
        value = sum(each.total for each in report.traffic)
    else:
        value = getattr(report.totals, key)
    partial = (
        (key in STORED and report.params_status == "partial")
        or (key in WORK and report.status == "partial")
        or (key == "counted" and report.totals_figures.unknown_counted > 0)
        or (key in (*ACTIVATIONS, "traffic_bytes") and report.shapes_status == "partial")
    )
    return AtLeast(value) if partial else value


def _training_figure(report: Report, key: str) -> object:
    from cnnstat.render.columns import trained

    if report.training is None:
        return None
    value = trained(report.training.total)[key]
    if report.training.is_complete or not isinstance(value, int):
        return value
    return AtLeast(value)


def _of_plan(plan: MemoryPlan) -> Subject:
    """Return the figures of a memory plan and of its report."""
    from cnnstat.render.memory_payload import totals_payload

    totals = totals_payload(plan)

    def read(key: str) -> object:
        if key not in MEMORY_KEYS:
            return report_figure(plan.report, key)
        value = totals[key]
        lower = plan.report.params_status == "partial"
        lower = lower or (key not in STATE and plan.status == "partial")
        return AtLeast(value) if lower and isinstance(value, int) else value

    reason = _reason(plan.report)
    if plan.unknown:
        reason = f"the memory of {', '.join(plan.unknown)} is unknown"
    return Subject(plan.report.name, read, reason)


def _not_fitting(plan: MemoryPlan, memory: Memory) -> Iterator[str]:
    """Yield why a plan does not fit into a memory, or cannot be said to fit."""
    needed = plan.total_bytes + reserve(memory, plan)
    subject = f"{plan.report.name}: batch {plan.batch:,} needs"
    size = f"{memory.with_unit} ({memory.bytes:,} bytes)"
    if needed > memory.bytes:
        yield f"{subject} {needed:,} bytes and does not fit into {size}"
    elif "partial" in (plan.status, plan.report.params_status):
        reason = _of_plan(plan).reason
        yield f"{subject} at least {needed:,} bytes and may not fit into {size}: {reason}"


def _of_entry(entry: Entry, comparison: Comparison) -> Subject:
    from cnnstat.render.compare import label

    def read(key: str) -> object:
        if key in REPORT_KEYS:
            return report_figure(entry.report, key)
        if key.endswith(RATIO):
            return comparison.ratio(entry, key.removesuffix(RATIO))
        return (MEASURES.get(key) or FURTHER[key])(entry)

    return Subject(label(entry, comparison), read, _reason(entry.report))


def _of_run(run: Run) -> Subject:
    reason = run.note or run.status if run.status != OK else "it was not measured"
    if run.status == OK and run.ratio_to_baseline is None:
        reason = "the baseline has no time of this run"
    name = f"{run.model} {run.dtype} batch {run.batch} {run.mode}"
    return Subject(name, lambda key: getattr(run, FIELDS.get(key, key)), reason)
