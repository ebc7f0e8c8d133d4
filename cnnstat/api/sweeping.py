"""Design spaces: from values to a plan, from a plan to rows, on any engine."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import dataclass, replace

from cnnstat.api.inputs import written
from cnnstat.api.model import Inputs
from cnnstat.api.points import check_inputs, evaluate, named_input, shape_of
from cnnstat.errors import UsageError
from cnnstat.importers.reference import check_argument_names, form_of
from cnnstat.ir.tensor import TensorSpec, check_float_dtype, check_shape
from cnnstat.memory.memory import settings
from cnnstat.sweep.columns import chosen
from cnnstat.sweep.engine import Engine, here
from cnnstat.sweep.plan import Plan, cells_of, check_names
from cnnstat.sweep.rows import row_data
from cnnstat.sweep.run import Counts, Run
from cnnstat.sweep.selection import Choice, Selection, rankings
from cnnstat.sweep.space import NAMED_INPUT, SETTINGS, Space, is_named_input
from cnnstat.sweep.values import AxisValue, check_values, frozen, parse_values

Values = Mapping[str, "str | Sequence[object]"]
"""Values of each axis: a text as on the command line, or a sequence (a range stays lazy)."""

FILES = {"torch": "such a file", "onnx": "an ONNX file", "keras": "a Keras file"}
"""Forms of references that take no arguments."""

LARGEST = 10**7
"""Points that run without being confirmed."""


@dataclass(frozen=True)
class SweepResult:
    """Rows of a sweep as plain data, and how many points there were of each kind.

    ``reason`` is the rule that the first invalid combination breaks.
    """

    plan: Plan
    rows: tuple[Mapping[str, object], ...]
    counts: Counts
    reason: str = ""

    def __repr__(self) -> str:
        counts = self.counts
        return (
            f"<sweep of {self.plan.space.reference}: {counts.evaluated:,} models, "
            f"{counts.kept:,} kept, {counts.failed:,} failed, {counts.skipped:,} invalid>"
        )


def with_inputs(values: Values, input: Inputs | None) -> Values:
    """Return values with an axis of one value for each input; one that has values is an error."""
    if input is None:
        return values
    axes: dict[str, Sequence[object]] = {"input": [input]}
    if isinstance(input, Mapping):
        axes = {f"{NAMED_INPUT}{name}": [shape] for name, shape in input.items()}
    for name in axes:
        if name in values:
            raise UsageError(f"{name} is given twice: by input= and among the values")
    return {**values, **axes}


def make_plan(
    reference: str,
    values: Values,
    *,
    where: str | None = None,
    columns: str | None = None,
    mode: str = "inference",
    optimizer: str | None = None,
    sample: int | None = None,
    seed: int = 0,
    choice: Choice | None = None,
) -> Plan:
    """Return the plan of a sweep.

    Raises ``UsageError`` for what is wrong about it: a placeholder without values, values for
    nothing, an unknown column, a setting that no model can have.
    """
    memory = settings(mode=mode, optimizer=optimizer)
    if sample is not None and sample < 1:
        raise UsageError(f"--sample must be at least 1, got {sample}")
    kind, space = memory.mode, _space(reference, values)
    figures = list(chosen(columns, kind))
    plan = Plan(space, (), where, kind, memory.optimizer, sample, seed)
    if plan.condition is not None:
        figures += check_names(plan.condition.names, space, kind)
        plan.condition.check(cells_of(space))
    if choice is not None:
        figures += check_names(choice.names, space, kind)
    plan = replace(plan, figures=tuple(dict.fromkeys(figures)))
    if space.zoo:  # raises where the first point has no family
        from cnnstat.zoo.catalog import family_of

        family_of(space.point(0).reference)
    if space.inputs:
        check_inputs(plan)
    return plan


def _space(reference: str, values: Values) -> Space:
    form = form_of(reference)
    axes = tuple((name, _values(name, each)) for name, each in values.items())
    space = Space(reference, axes, zoo=form == "zoo")
    library = reference.lower().startswith("keras:")
    if form in FILES and not library and set(space.parameters) - set(space.placeholders):
        raise UsageError(f"{reference}: {FILES[form]} has no parameters to vary, only input, batch")
    if space.placeholders:
        return space
    if form == "spec":
        from cnnstat.importers.spec.reading import template

        template(reference).check_arguments(space.parameters)
    elif library:
        from cnnstat.importers.keras.objects import builder

        check_argument_names(reference, builder(reference), space.parameters)
    elif form == "python":
        from cnnstat.pytorch.capture.loading import check_arguments

        check_arguments(reference, space.parameters)
    return space


def _values(name: str, values: str | Sequence[object]) -> Sequence[AxisValue]:
    if isinstance(values, str):
        read = parse_values(name, values)
    elif isinstance(values, range):
        read = check_values(name, values)
    else:
        read = check_values(name, [_frozen(name, value) for value in values])
    if name in SETTINGS or name == "classes" or is_named_input(name):
        ends = (read[0], read[-1]) if isinstance(read, range) else read
        for value in ends:
            _check_setting(name, value)
    return read


def _frozen(name: str, value: object) -> AxisValue:
    """Return a value of an axis; a shape of an input by name as its text."""
    if not is_named_input(name):
        return frozen(value)
    if isinstance(value, TensorSpec):
        return written(value)
    shape = frozen(value)
    return "x".join(map(str, shape_of(shape))) if isinstance(shape, tuple) else shape


def _check_setting(name: str, value: AxisValue) -> None:
    """Raise ``UsageError`` for a value that no model can have; names of arguments are free."""
    if name == "input":
        check_shape(shape_of(value))
    elif is_named_input(name):
        spec = named_input(value)
        if isinstance(spec, tuple):  # an array is taken as it is
            check_shape(spec.shape if isinstance(spec, TensorSpec) else spec)
    elif name == "dtype":
        check_float_dtype(str(value))
    elif name == "batch" and (type(value) is not int or value < 1):
        raise UsageError(f"batch must be a whole number of at least 1, got {value}")


def check_size(plan: Plan, *, confirmed: bool, workers: int = 1) -> None:
    """Raise ``UsageError`` for a space that takes hours unless that was confirmed."""
    size = plan.space.size
    if plan.sample is not None or size <= LARGEST or confirmed:
        return
    sizes = list(here(evaluate, plan, 0, 1_000, 0.3))
    rate = sum(len(each.outcomes) for each in sizes) / max(sum(s.seconds for s in sizes), 1e-6)
    raise UsageError(
        f"the space has {size:,} points, about {_duration(size / rate / workers)} here; draw some "
        "with --sample 10000, or confirm with --all"
    )


def _duration(seconds: float) -> str:
    for unit, length in (("years", 31_557_600), ("days", 86_400), ("hours", 3_600)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{seconds / 60:,.0f} minutes"


def sweep(
    reference: str,
    values: Values,
    *,
    where: str | None = None,
    columns: str | None = None,
    mode: str = "inference",
    optimizer: str | None = None,
    sample: int | None = None,
    seed: int = 0,
    pareto: str | None = None,
    sort: str | None = None,
    top: int | None = None,
    executor: Executor | None = None,
    in_flight: int | None = None,
    input: Inputs | None = None,
) -> SweepResult:
    """Count every model of a design space; options as in ``cnnstat sweep``.

    Args:
        reference: name with placeholders (``"wrn-{depth}-{width}"``), a spec file or a callable.
        values: values of each placeholder or parameter by name: a sequence, or a text such as
            ``"16,24,32"`` or ``"range(16,65,8)"``.
        where: condition that models must meet: ``"params < 5M and macs < 600M"``.
        columns: keys of figures, comma-separated.
        mode: ``"inference"`` or ``"training"``.
        optimizer: optimiser of a training step.
        sample: number of valid models to draw at random.
        seed: seed of ``sample``.
        pareto: keys of figures; only models that no other dominates are kept.
        sort: keys of figures to sort by, smallest first (largest with a minus).
        top: number of rows.
        executor: any ``concurrent.futures.Executor``; without one, this process does the work.
        in_flight: batches that the executor has at a time; by default four per core.
        input: the input of all models, or their inputs by name, as of ``analyze``; inputs that
            vary are the axes ``input`` or ``input.NAME`` of ``values``.

    Raises:
        UsageError: bad arguments.
    """
    choice = Choice(rankings(pareto), rankings(sort), top)
    plan = make_plan(
        reference,
        with_inputs(values, input),
        where=where,
        columns=columns,
        mode=mode,
        optimizer=optimizer,
        sample=sample,
        seed=seed,
        choice=choice,
    )
    running = Run(plan, evaluate)
    selection = Selection(choice, plan.space)
    engine = None
    if executor is not None:
        engine = nullcontext(Engine(executor, in_flight or 4 * (os.cpu_count() or 1)))
    for batch in running.batches(engine):
        selection.extend(row_data(row, plan) for row in batch.rows)
    return SweepResult(plan, tuple(selection.rows()), running.counts, running.reason)
