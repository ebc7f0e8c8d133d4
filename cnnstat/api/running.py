"""Models as PyTorch runs them: built, exported, counted, timed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cnnstat.api.model import Inputs, Model
from cnnstat.api.models import (
    called,
    input_specs,
    inputs_of,
    load,
    load_all,
    shaped_graph,
    with_input,
)
from cnnstat.api.reports import analyze, check_runs
from cnnstat.errors import UsageError
from cnnstat.ir.tensor import check_float_dtype

if TYPE_CHECKING:
    from torch.nn import Module

    from cnnstat.bench.benchplan import Progress, Settings
    from cnnstat.bench.measurement import Measurement
    from cnnstat.count.check import Check
    from cnnstat.count.report import Report
    from cnnstat.pytorch.export import Exported
    from cnnstat.pytorch.modules import Scheme


def build(
    reference: str | Model,
    *,
    input: Inputs | None = None,
    classes: int | None = None,
    device: str = "cpu",
    dtype: str | None = None,
    seed: int | None = 0,
) -> Module:
    """Build a model as a PyTorch module, in training mode like any new module.

    Args:
        reference: name of a model, a file, or a ``Model`` that ``load`` returned. A reference to
            a PyTorch module returns that module with its own initialisation.
        input: input shape as for ``analyze``; the module accepts any batch.
        classes: number of classes of a named model.
        device: device of the weights; on ``"meta"`` they have no values.
        dtype: element type of the weights.
        seed: seed of the random weights, which follow the scheme of the model's paper; None for a
            different seed each time.

    Raises:
        UsageError: bad arguments, or PyTorch is not installed.
        ModelError: the model cannot be built.
    """
    from cnnstat.pytorch import require_torch

    require_torch()
    from cnnstat.pytorch.build import build_module

    model = reference if isinstance(reference, Model) else load(reference, classes=classes)
    model.require_forward()
    model, shapes = with_input(model, input)
    specs = input_specs(model, input=shapes, dtype=dtype)
    if model.own is not None:
        return model.own.made().to(device)
    imported = model.graph_for(specs)
    return build_module(
        imported.graph,
        imported.inputs or specs,
        seed=seed,
        device=device,
        scheme=_scheme(model),
    )


def _scheme(model: Model) -> Scheme:
    """Return the scheme of a model's paper for initial weights."""
    from cnnstat.pytorch.modules import scheme_of

    training = model.card.training if model.card is not None else None
    return scheme_of(training.initialization if training is not None else "")


def export_onnx(
    model: Model,
    *,
    input: Inputs | None = None,
    batch: int = 1,
    opset: int | None = None,
    seed: int = 0,
) -> Exported:
    """Return a model as an ONNX model that can be saved, in inference form.

    A zoo model or a spec file gets the weights that its paper's scheme draws from ``seed``, with
    the outputs of auxiliary heads after its own; a PyTorch module keeps its weights, ``seed``
    serves what its callable draws. Raises ``UsageError`` for an ONNX file, for bad arguments and
    where PyTorch or onnxscript is missing, ``ModelError`` for a model that cannot be exported.
    """
    model.require_forward()
    if model.structure is None and model.own is None:
        if model.saved is not None:  # says that it has no graph
            model.graph_for(model.inputs)
        raise UsageError(f"{model.reference}: an ONNX or Keras file can be exported to yaml only")
    from cnnstat.pytorch import require_torch

    require_torch()
    from cnnstat.pytorch import export

    export.check_opset(opset)
    model, shapes = with_input(model, input)
    specs = input_specs(model, input=shapes, batch=batch)
    if model.own is not None:
        from cnnstat.pytorch.random_state import preserved_random_state

        with preserved_random_state(seed=seed):
            module = model.own.made(specs)
    else:
        from cnnstat.pytorch.build import build_full_form

        shaped, _ = shaped_graph(model, specs)
        module = build_full_form(shaped, seed=seed, scheme=_scheme(model))
    return export.export_onnx(model.reference, module, specs, opset=opset)


def check(
    reference: str | Model | Module,
    *,
    input: Inputs | None = None,
    batch: int = 1,
    dtype: str | None = None,
    classes: int | None = None,
) -> Check:
    """Return a model's figures compared with fvcore, FlopCounterMode and an execution.

    The arguments are those of ``analyze``. Nothing is allocated: the model runs on the device
    ``meta``. A module of the user's own runs as it is, under FlopCounterMode alone. Raises
    ``UsageError`` for bad arguments or where PyTorch or fvcore is missing, ``ModelError`` for a
    model that cannot be built.
    """
    model = reference if isinstance(reference, Model) else load(reference, classes=classes)
    model.require_forward()
    analysis = analyze(model, input=input, batch=batch, dtype=dtype)
    return check_report(analysis.model, analysis.report)


def check_report(model: Model, report: Report) -> Check:
    """Return a model's report compared with its counters; errors as ``check``."""
    from cnnstat.count.check import check as compare_with
    from cnnstat.count.check import check_module
    from cnnstat.pytorch import require_torch

    check_runs(report, "a check")
    require_torch()
    model.require_forward()
    if model.own is not None:
        return check_module(report, model.own.count(report.inputs))
    from cnnstat.pytorch.othercounters import measure

    return compare_with(report.shaped, measure(report.shaped))


def bench(
    references: Sequence[str | Model | Module] | None = None,
    *,
    settings: Settings | None = None,
    input: Inputs | None = None,
    arguments: Mapping[str, Any] | None = None,
    batches: Sequence[int] = (1,),
    dtypes: Sequence[str] = ("float32",),
    modes: Sequence[str] = ("inference",),
    call: Mapping[str, Any] | None = None,
    forward_method: str | None = None,
    baseline: str | None = None,
    other_device: bool = False,
    progress: Progress | None = None,
) -> Measurement:
    """Measure models, the ImageNet line-up by default: every batch, dtype and mode of each.

    ``input`` is that of ``analyze``, ``call`` and ``forward_method`` are those of ``load``, for
    every model; ``arguments`` go to each that takes any.
    ``baseline`` is the file of an earlier result, from the same device unless ``other_device``. An
    interrupt ends the measurement early; the result is not ``complete`` then. Raises
    ``MissingDependencyError`` without PyTorch, ``UsageError`` for settings that cannot be met.
    """
    from cnnstat.bench.benchplan import Job, Settings, mode_of
    from cnnstat.bench.measurement import check_same_device, read_result, with_baseline
    from cnnstat.pytorch import require_torch
    from cnnstat.zoo.lineup import IMAGENET

    require_torch()
    earlier = None if baseline is None else read_result(baseline)
    jobs = []
    every = load_all(IMAGENET if references is None else references, arguments)
    for loaded, own in zip(every, inputs_of(every, input), strict=True):
        model = called(loaded, call, forward_method)
        model.require_forward()
        for dtype in map(check_float_dtype, dtypes):
            for mode in map(mode_of, modes):
                for batch in batches:
                    analysis = analyze(model, input=own, batch=batch, dtype=dtype)
                    module = analysis.model.own
                    remake = None if module is None else module.made
                    jobs.append(Job(model.reference, analysis.report, mode, remake))
    from cnnstat.pytorch.bench import measure

    def begin(environment: Mapping[str, Any]) -> None:
        if earlier is not None and not other_device:
            check_same_device(environment, earlier, source=baseline or "")

    measurement = measure(jobs, settings or Settings(), begin=begin, progress=progress)
    if earlier is None or baseline is None:
        return measurement
    return with_baseline(measurement, earlier, source=baseline, other_device=other_device)
