"""Design spaces: what ``cnnstat sweep`` and ``cnnstat.sweep`` call; one batch of points here.

``evaluate`` runs in whatever process an executor puts it; each thread remembers models' parsed
files and operators' answers as long as the plan is the same.
"""

from __future__ import annotations

import gc
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from cnnstat.api.inputs import input_of, input_shape, single_example
from cnnstat.api.model import Inputs, Model, default_inputs
from cnnstat.api.models import input_specs, load, with_input
from cnnstat.count.counted import Counted, Memory
from cnnstat.errors import CnnstatError, UsageError, unknown
from cnnstat.importers.reference import file_and_name, form_of
from cnnstat.ir.tensor import TensorSpec
from cnnstat.sweep.columns import BY_KEY, PLANNED
from cnnstat.sweep.plan import DROPPED, FAILED, KEPT, SKIPPED, Batch, Plan, Row, figure_of
from cnnstat.sweep.rows import row_data
from cnnstat.sweep.selection import getter
from cnnstat.sweep.space import NAMED_INPUT, Point, is_named_input
from cnnstat.sweep.values import AxisValue

if TYPE_CHECKING:
    from cnnstat.importers.spec.reading import Template
    from cnnstat.memory.memory import MemoryPlan

MODELS, ZOO_MODELS = 64, 1024
"""Models that are remembered: points that differ in input, batch or dtype share one.

A graph of the zoo is a few blocks, any other model may be large.
"""

_PLANNED = {figure.key for figure in PLANNED}
LEGAL_WITHIN = 100
"""Points among which one is looked for that tells the names of the models' inputs."""


class _Evaluator:
    """Evaluates points of one plan in one process."""

    def __init__(self, plan: Plan, folder: str = "") -> None:
        self.plan = plan
        self.folder = folder
        self.form = form_of(plan.space.reference)
        self.reason = ""
        self._memory = Memory()
        self._models: OrderedDict[object, Model] = OrderedDict()
        self._templates: dict[str, Template] = {}
        names = () if plan.condition is None else plan.condition.names
        self._columns = {name: getter(name, plan.space) for name in names}

    def batch(self, start: int, stop: int) -> Batch:
        begun = time.perf_counter()
        outcomes = bytearray()
        rows = []
        self.reason = error = ""
        for position in range(start, stop):
            outcome, row = self.point(position)
            outcomes.append(outcome)
            if row is not None:
                rows.append(row)
                error = error or row.error
        taken = time.perf_counter() - begun
        return Batch(start, bytes(outcomes), tuple(rows), taken, self.reason, error)

    def point(self, position: int) -> tuple[int, Row | None]:
        """Return the outcome of the point at a position, and its row where there is one."""
        point = self.plan.space.point(self.plan.order[position])
        try:
            try:
                model = self.model(point)
            except UsageError as error:
                self.reason = self.reason or str(error)
                return SKIPPED, None
            return self._counted(position, point, model)
        except CnnstatError as error:
            return FAILED, self.failed(position, point, str(error))
        except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
            return FAILED, self.failed(position, point, f"{type(error).__name__}: {error}")

    def failed(self, position: int, point: Point, error: str) -> Row:
        """Return the row that says why, with the file as the reference names it."""
        reference = point.reference
        if self.folder:
            path = file_and_name(_in_folder(reference, self.folder))[0]
            error = error.replace(path, file_and_name(reference)[0])
        message = " ".join(error.split())
        return Row(position, reference, point.values, (), 0, "", "failed", (), message)

    def model(self, point: Point) -> Model:
        """Return the model of a point; raise ``UsageError`` where its family has none such."""
        key = (point.reference, point.settings.get("classes"), tuple(point.arguments.items()))
        known = self._models.get(key)
        if known is not None:
            self._models.move_to_end(key)
            return known
        model = self._models[key] = self._load(point)
        if len(self._models) > (ZOO_MODELS if self.form == "zoo" else MODELS):
            self._models.popitem(last=False)
        return model

    def _load(self, point: Point) -> Model:
        reference = _in_folder(point.reference, self.folder)
        if self.form == "spec":
            spec = self.template(reference).spec(point.arguments)
            return Model(reference, default_inputs(spec.graph), spec.graph)
        if self.form != "zoo":
            arguments = {name: _mutable(value) for name, value in point.arguments.items()}
            return load(reference, arguments=arguments or None)
        classes = point.settings.get("classes")
        return load(reference, classes=classes if isinstance(classes, int) else None)

    def template(self, path: str) -> Template:
        """Return a spec file, read once."""
        from cnnstat.importers.spec.reading import template

        if path not in self._templates:
            self._templates[path] = template(path)
        return self._templates[path]

    def _counted(self, position: int, point: Point, model: Model) -> tuple[int, Row | None]:
        model, specs = _specs(model, point.settings, self.folder)
        if model.structure is not None:
            counted = Counted(self._memory, model.structure, specs)
        else:
            imported = model.graph_for(specs)
            inputs = imported.inputs or specs
            counted = Counted(Memory(), imported.graph, inputs, imported.frozen_params)
        figure = _figures(self.plan, model, counted)
        first = next(iter(specs.values()))
        single = single_example(specs, model.inputs)
        batch, shape = (1, first.shape) if single else (first.shape[0], first.shape[1:])
        status = "complete" if counted.complete else "partial"
        row = Row(position, point.reference, point.values, shape, batch, first.dtype, status, ())
        if self.plan.condition is not None:
            data = row_data(row, self.plan)

            def read(name: str) -> object:
                key = figure_of(name, self.plan.space)
                return self._columns[name](data) if key is None else figure(key)

            if not self.plan.condition.holds(read):
                return DROPPED, None
        return KEPT, row._replace(figures=tuple([figure(key) for key in self.plan.figures]))


def _figures(plan: Plan, model: Model, counted: Counted) -> Callable[[str], int | None]:
    """Return the figures of one model by key, each worked out once."""

    @cache
    def planned() -> MemoryPlan:
        from cnnstat.api.planning import plan_of
        from cnnstat.memory.memory import settings

        optimizer = plan.optimizer if plan.mode == "training" else None
        return plan_of(model, counted.report, settings(mode=plan.mode, optimizer=optimizer))

    @cache
    def figure(key: str) -> int | None:
        return BY_KEY[key].read(planned() if key in _PLANNED else counted)

    return figure


def _in_folder(reference: str, folder: str) -> str:
    """Return a reference to the same file in another folder."""
    if not folder:
        return reference
    file, name = file_and_name(reference)
    path = os.path.join(folder, file)
    if not os.path.exists(path):
        path = os.path.join(folder, os.path.basename(file))
    return f"{path}:{name}" if name else path


def _specs(
    model: Model, settings: Mapping[str, AxisValue], folder: str
) -> tuple[Model, dict[str, TensorSpec]]:
    """Return the input specs of a model under a point's settings, which were checked before.

    The model is one that knows the arrays of files among its inputs.
    """
    batch, dtype, shape = settings.get("batch"), settings.get("dtype"), settings.get("input")
    inputs: Inputs | None = None if shape is None else shape_of(shape)
    named = {
        axis.removeprefix(NAMED_INPUT): named_input(value, folder)
        for axis, value in settings.items()
        if is_named_input(axis)
    }
    if named:
        model, inputs = with_input(model, named)
    return model, input_specs(
        model,
        input=inputs,
        batch=batch if isinstance(batch, int) else 1,
        dtype=dtype if isinstance(dtype, str) else None,
    )


def named_input(value: AxisValue, folder: str = "") -> Any:
    """Read an input by name of an axis: as ``--input`` has it behind the name."""
    return input_of(value, folder) if isinstance(value, str) else shape_of(value)


def check_inputs(plan: Plan) -> None:
    """Raise ``UsageError`` for the name of an input that the models of a plan do not have.

    PyTorch modules tell their arguments when they run.
    """
    evaluator = _Evaluator(plan)
    for number in range(min(plan.space.size, LEGAL_WITHIN)):
        try:
            model = evaluator.model(plan.space.point(number))
        except CnnstatError:
            continue
        for axis in plan.space.inputs:
            name = axis.removeprefix(NAMED_INPUT)
            if model.own is None and name not in model.inputs:
                raise unknown("input", name, model.inputs)
        return


def shape_of(value: AxisValue) -> tuple[int, ...]:
    """Read an input of an axis: ``224``, ``"3x224x224"`` or ``[3, 224, 224]``."""
    if isinstance(value, str):
        return input_shape(value)
    if type(value) is int:
        return (value,)
    if isinstance(value, tuple) and all(type(extent) is int for extent in value):
        return tuple(extent for extent in value if isinstance(extent, int))
    raise UsageError(
        f"input {value!r}: expected whole numbers joined by x, as in 3x224x224, 224x224 or 224"
    )


def _mutable(value: AxisValue) -> object:
    return [_mutable(each) for each in value] if isinstance(value, tuple) else value


_LOCAL = threading.local()
"""``evaluator`` is that of this thread, for the plan that it worked on last."""


def evaluate(plan: Plan, start: int, stop: int, folder: str = "") -> Batch:
    """Return what becomes of the points at positions ``start`` to ``stop`` of a plan's order.

    ``folder`` is where the file of the reference is, under its own path or its name alone.
    """
    evaluator: _Evaluator | None = getattr(_LOCAL, "evaluator", None)
    if evaluator is None or (evaluator.plan.key, evaluator.folder) != (plan.key, folder):
        evaluator = _LOCAL.evaluator = _Evaluator(plan, folder)
    with _no_collection() if evaluator.form in ("zoo", "spec") else nullcontext():
        return evaluator.batch(start, stop)


def skipped(plan: Plan, stop: int) -> int:
    """Return how many of the first positions of a plan's order are invalid combinations."""
    evaluator, count = _Evaluator(plan), 0
    for position in range(stop):
        with suppress(CnnstatError):
            try:
                evaluator.model(plan.space.point(plan.order[position]))
            except UsageError:
                count += 1
    return count


@contextmanager
def _no_collection() -> Iterator[None]:
    """Leave garbage alone: counting a graph leaves no cycles, and looking for them takes time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
