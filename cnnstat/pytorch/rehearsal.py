"""Rehearsal of a pass or a training step: PyTorch runs a copy of a module on fake tensors.

They have shape, layout and dtype and no contents. How long the user's code refers to a tensor,
which form of attention is chosen, where a view is copied and what autograd saves is PyTorch's own
doing; the storages that its dispatcher makes and frees are recorded as a tape (``recorder.py``). A
pass that depends on values runs on real tensors instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from types import MappingProxyType

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode, is_fake
from torch.autograd.graph import saved_tensors_hooks

from cnnstat.errors import PASSED_ON, one_line
from cnnstat.ir.graph import ShapedGraph
from cnnstat.memory.passes import Pass, Settings, StateBytes, inputs_alone
from cnnstat.pytorch import FAKE_TENSORS, unlogged
from cnnstat.pytorch.measured_memory import (
    Subject,
    UnitGradients,
    available_bytes,
    gradients_of,
    own_subject,
    stored_bytes,
)
from cnnstat.pytorch.random_state import preserved_random_state
from cnnstat.pytorch.recorder import Packed, RandomBranchError, Recorder
from cnnstat.pytorch.steps import called_as_captured, empty_inputs
from cnnstat.pytorch.tensors import float_dtype, storage_bytes
from cnnstat.pytorch.watching import ModuleCalls, Places, uncompiled

Filling = Callable[[torch.Tensor], torch.Tensor]
Copied = Callable[[Filling], nn.Module]
"""Returns a copy of a module whose stored tensors are what the given function makes of them."""


def rehearse(
    copied: Copied,
    shaped: ShapedGraph,
    settings: Settings,
    *,
    real: Callable[[], nn.Module] | None = None,
    examples: Mapping[str, torch.Tensor] = MappingProxyType({}),
) -> Pass:
    """Return the pass of a module on the CPU.

    ``shaped`` is its captured graph: its nodes tell to which layer a kernel belongs. Where the
    module does not run on fake tensors, ``real`` returns a copy with real tensors, ``examples`` has
    real inputs. Where that fails, too, branches on random numbers, or is to run on another
    device, its state and its inputs are all that is known.
    """
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    state = StateBytes(0, 0, 0, ())
    try:
        module = copied(_standing_in(mode, float_dtype(shaped.entering)))
        state = StateBytes(*stored_bytes(module), 0, ())
        rehearsed = _rehearsed(_on_fake(module, mode, shaped, settings), mode, shaped)
    except PASSED_ON:
        raise
    except BaseException as error:
        reason = error
        if real is not None and settings.device == "cpu" and _has_room(state, shaped, settings):
            try:
                return _on_real(real(), shaped, settings, examples)
            except PASSED_ON:
                raise
            except BaseException as other:
                reason = other
        return inputs_alone(shaped, _why(reason), state)
    if settings.device != "cpu":
        return inputs_alone(
            shaped, f"a module's kernels on {settings.device}", rehearsed.state or state
        )
    return rehearsed


def _on_fake(
    module: nn.Module, mode: FakeTensorMode, shaped: ShapedGraph, settings: Settings
) -> Subject:
    learns = settings.mode == "training"
    module.train(learns)
    if learns and not all(map(is_fake, module.parameters())):
        raise TypeError(SCRIPTED)
    called = called_as_captured(module, shaped)
    with mode:
        inputs = empty_inputs(shaped)
    return Subject(called, module, inputs, replace(settings, device="cpu"))


def _on_real(
    module: nn.Module,
    shaped: ShapedGraph,
    settings: Settings,
    examples: Mapping[str, torch.Tensor],
) -> Pass:
    subject = own_subject(module, shaped, settings, examples=examples)
    if settings.mode == "training" and any(not p.is_leaf for p in module.parameters()):
        raise TypeError(SCRIPTED)
    with preserved_random_state(seed=0):
        return _rehearsed(subject, nullcontext(), shaped)


def _has_room(state: StateBytes, shaped: ShapedGraph, settings: Settings) -> bool:
    """Return whether weights, their gradients and every result fit into the memory that is free."""
    free = available_bytes()
    made = sum(spec.nbytes for facts in shaped.facts for spec in facts.outputs)
    copies = 2 if settings.mode == "training" else 1
    return free is None or copies * (state.param_bytes + made) < free


def _rehearsed(subject: Subject, mode: AbstractContextManager[object], shaped: ShapedGraph) -> Pass:
    module = subject.holder
    calls = ModuleCalls(fused=True)
    calls.watch(module)
    recorder = Recorder(subject.owned, Places(shaped.graph, calls))
    random_state, quiet = preserved_random_state(), unlogged(FAKE_TENSORS)
    with random_state, quiet, uncompiled(), mode, calls, recorder:
        recorder.enter(subject.inputs)
        forward_steps = _run(subject, recorder)
    gradients = gradients_of(module) if subject.settings.mode == "training" else []
    for gradient in gradients:
        recorder.set_kind(gradient, "parameter_gradient")
    sizes = tuple(gradient.nbytes for gradient in gradients)
    return Pass(
        recorder.tape(tracked=subject.settings.tracked),
        forward_steps,
        recorder.saved(len(shaped.nodes)),
        foreign=tuple(recorder.unknown),
        state=StateBytes(*stored_bytes(module), storage_bytes(gradients), sizes),
    )


def _run(subject: Subject, recorder: Recorder) -> int:
    """Run one pass or one step; return where its forward pass ends."""
    if subject.settings.mode == "inference":
        with torch.no_grad():
            outputs = subject.outputs()
        forward_steps = len(recorder.steps)
        del outputs
        return forward_steps
    with saved_tensors_hooks(recorder.pack, Packed.unpack):
        outputs = subject.outputs()
    recorder.end_forward()
    loss = UnitGradients.apply(*outputs)  # type: ignore[no-untyped-call]
    forward_steps = len(recorder.steps)
    del outputs
    recorder.making = "activation_gradient"
    if loss.requires_grad:
        loss.backward(loss.new_empty(0))
    return forward_steps


SCRIPTED = "a scripted module has no gradients without its weights"
"""The reason given for a module whose copy has parameters that no gradient is kept of."""

BRANCHES = "a pass that branches on a tensor's value (a random branch such as LayerDrop, a loop)"
"""The reason given for a pass that reads a value from a tensor that has none (meta or fake)."""


def _why(error: BaseException) -> str:
    function = getattr(error, "func", None)  # the one that asks fake tensors for their contents
    name = "" if function is None else str(function.name()).removeprefix("aten::")
    if isinstance(error, RandomBranchError) or name == "_local_scalar_dense":
        return BRANCHES
    return name or one_line(error)


def _standing_in(mode: FakeTensorMode, dtype: torch.dtype | None) -> Filling:
    """Return what makes fake tensors laid out as stored ones, parameters first.

    Those of the main dtype, that of the first floating-point parameter, take the input's.
    """
    main: torch.dtype | None = None

    def filling(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal main
        trained = isinstance(tensor, nn.Parameter)
        if main is None and trained and tensor.is_floating_point():
            main = tensor.dtype
        kind = (dtype if tensor.dtype == main else None) or tensor.dtype
        with mode:
            made = torch.empty_strided(tensor.shape, tensor.stride(), dtype=kind, device="cpu")
        return nn.Parameter(made, requires_grad=tensor.requires_grad) if trained else made

    return filling
