"""Memory of models: planned, measured, and what fits."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cnnstat.api.model import Inputs, Model
from cnnstat.api.models import load
from cnnstat.api.reports import analyze, check_runs, quantized_dtype
from cnnstat.errors import PASSED_ON, CnnstatError, ModelError, UsageError, one_line

if TYPE_CHECKING:
    from torch.nn import Module

    from cnnstat.count.report import Report
    from cnnstat.memory.fit import Fit, Memory
    from cnnstat.memory.memory import Measured, MemoryPlan
    from cnnstat.memory.passes import Settings as MemorySettings


def memory(
    reference: str | Model | Module,
    settings: MemorySettings | None = None,
    *,
    input: Inputs | None = None,
    batch: int = 1,
    dtype: str | None = None,
    classes: int | None = None,
) -> MemoryPlan:
    """Return what a model needs of memory, by default for inference; errors as ``analyze``.

    ``settings`` come from ``cnnstat.memory.memory.settings``: mode, optimiser, mixed precision,
    recomputation, device.
    """
    from cnnstat.memory.memory import plan
    from cnnstat.memory.passes import Settings

    model = reference if isinstance(reference, Model) else load(reference, classes=classes)
    settings = settings or Settings()
    bits = quantized_dtype(dtype, settings.mode)
    model.require_forward()
    analysis = analyze(model, input=input, batch=batch, dtype=dtype)
    report = analysis.report
    return plan(report, settings) if bits else plan_of(analysis.model, report, settings)


def plan_of(model: Model, report: Report, settings: MemorySettings) -> MemoryPlan:
    """Return the plan of a report: a module of the user's own is rehearsed, a graph is lowered.

    Raises ``UsageError`` for blocks of a module, which only a graph is cut into.
    """
    from cnnstat.memory.memory import plan

    if model.own is None:
        return plan(report, settings)
    if settings.checkpoint:
        raise UsageError(
            f"{model.reference}: only models of the zoo and files are cut into blocks; "
            "call torch.utils.checkpoint in the module's own code instead of --checkpoint"
        )
    from contextlib import redirect_stdout

    from cnnstat.pytorch.rehearsal import rehearse

    with redirect_stdout(sys.stderr):  # a model may print what it likes
        rehearsed = rehearse(
            model.own.filled_copy,
            report.shaped,
            settings,
            real=model.own.real_copy,
            examples=model.own.examples,
        )
    if settings.mode == "training":
        for reason in rehearsed.foreign:
            if hint := model.own.missing_argument(reason):
                raise UsageError(f"{model.reference}: {hint}")
    return plan(report, settings, rehearsed)


def measured_memory(model: Model, predicted: MemoryPlan) -> tuple[Measured, Measured]:
    """Return the measured memory of a plan's model, and the prediction for the measurement.

    A zoo model, a spec or an ONNX file runs as the module that cnnstat generates, a module of the
    user's own as it is. Raises ``UsageError`` where PyTorch is missing or there is too little
    memory, ``ModelError`` for a model that PyTorch cannot run.
    """
    from dataclasses import replace

    from cnnstat.pytorch import require_torch

    check_runs(predicted.report, "a measurement")
    require_torch()
    from cnnstat.pytorch.device import out_of_memory
    from cnnstat.pytorch.measured_memory import check_room, measure, own_subject, subject

    settings = predicted.settings
    check_room(predicted)
    shaped = predicted.report.shaped
    try:
        if model.own is None:
            chosen = subject(shaped, settings)
        else:
            chosen = own_subject(model.own.made(), shaped, settings, examples=model.own.examples)
        measured = measure(chosen)
    except CnnstatError:
        raise
    except PASSED_ON:
        raise
    except BaseException as error:
        if out_of_memory(error):
            raise UsageError(
                f"measuring {predicted.report.name} ran out of memory: workspaces of kernels come "
                f"on top of the predicted {predicted.total_bytes:,} bytes; take a smaller batch"
            ) from error
        raise ModelError(f"{model.reference} cannot run: {one_line(error)}") from error
    tracked = replace(settings, tracked=settings.device == "cpu")
    return measured, plan_of(model, predicted.report, tracked).predicted


def fit(
    reference: str | Model | Module,
    memories: Sequence[Memory],
    settings: MemorySettings | None = None,
    *,
    input: Inputs | None = None,
    dtype: str | None = None,
    classes: int | None = None,
    search_input: bool = True,
) -> tuple[Fit, ...]:
    """Return the largest batch and the largest input of one image that fit into each memory.

    Memories come from ``cnnstat.memory.fit.memory("24GiB")``. The input is searched where the
    model has one input of three extents. Errors as ``analyze``.
    """
    from functools import cache

    from cnnstat.memory.fit import fit as search

    model = reference if isinstance(reference, Model) else load(reference, classes=classes)

    @cache
    def at(batch: int, side: int | None) -> MemoryPlan:
        shape = input if side is None else (side, side)
        return memory(model, settings, input=shape, batch=batch, dtype=dtype)

    alone = search_input and len(model.inputs) == 1 and not isinstance(input, Mapping)
    return tuple([search(at, each, search_input=alone) for each in memories])
