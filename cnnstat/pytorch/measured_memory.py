"""Measured memory of a model: storages seen by PyTorch's dispatcher, or CUDA's allocator.

On the CPU every storage that an operator returns is followed from the step that makes it until
PyTorch frees it; autograd's saved tensors are those that its hooks see. PyTorch does not add
gradients in place under a dispatch mode; a prediction to compare with must say ``tracked``. On
CUDA the caching allocator's own counters are read, workspaces and rounding included.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import fx, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.fx.passes.split_module import split_module
from torch.utils.checkpoint import checkpoint

from cnnstat.errors import UsageError
from cnnstat.ir.graph import ShapedGraph
from cnnstat.memory.memory import Measured, MemoryPlan
from cnnstat.memory.passes import Settings, blocks
from cnnstat.pytorch.build import NODE, forward_graph, make_modules
from cnnstat.pytorch.device import release
from cnnstat.pytorch.recorder import Packed, Tracker
from cnnstat.pytorch.steps import (
    LEARNING_RATE,
    MOMENTUM,
    called_as_captured,
    random_inputs,
    take_dtype,
)
from cnnstat.pytorch.tensors import float_dtype, returned, storage_bytes, storages
from cnnstat.pytorch.watching import uncompiled


def stored_bytes(module: nn.Module) -> tuple[int, int]:
    """Return the bytes of a module's parameters, and of its buffers that belong to the model."""
    persistent = module.state_dict(keep_vars=True)
    buffers = storage_bytes(t for name, t in module.named_buffers() if name in persistent)
    return storage_bytes(module.parameters()), buffers


class UnitGradients(torch.autograd.Function):
    """A loss of no bytes that gives the outputs gradients of ones, and refers to neither."""

    @staticmethod
    def forward(ctx: Any, *outputs: torch.Tensor) -> torch.Tensor:
        """Note shapes alone."""
        ctx.like = [(output.shape, output.dtype, output.device) for output in outputs]
        return outputs[0].new_empty(0)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        """Make the gradients."""
        return tuple(torch.ones(s, dtype=dtype, device=at) for s, dtype, at in ctx.like)


class _Recomputed(nn.Module):
    """A block that is recomputed in the backward pass."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *inputs: Any) -> Any:
        """Run the block, saving its inputs alone."""
        return checkpoint(self.inner, *inputs, use_reentrant=False)


class Subject(NamedTuple):
    """A module in the form that is measured, its inputs, and how it is run.

    ``holder`` has every parameter, also of what this form leaves out.
    """

    module: nn.Module
    holder: nn.Module
    inputs: tuple[torch.Tensor, ...]
    settings: Settings

    @property
    def owned(self) -> list[torch.Tensor]:
        """Parameters and buffers."""
        return [*self.holder.parameters(), *self.holder.buffers()]

    def outputs(self) -> tuple[torch.Tensor, ...]:
        """Run the forward pass, in mixed precision if it is asked for."""
        amp = self.settings.amp
        lower = getattr(torch, amp or "bfloat16")
        with torch.autocast(self.settings.device, lower, enabled=amp is not None):
            result = self.module(*self.inputs)
        return returned(result, torch.Tensor)


def subject(shaped: ShapedGraph, settings: Settings) -> Subject:
    """Return the module that cnnstat generates for a graph, with random weights and inputs."""
    dtype = float_dtype(shaped.entering) or torch.float32
    device = torch.device(settings.device)
    root = make_modules(shaped, device=device, dtype=dtype)
    module: nn.Module = fx.GraphModule(root, forward_graph(shaped, form=settings.mode))
    if settings.checkpoint:
        module = recomputing(module, shaped)
    module.train(settings.mode == "training")
    return Subject(module, root, random_inputs(shaped, device, dtype, seed=0), settings)


def own_subject(
    module: nn.Module,
    shaped: ShapedGraph,
    settings: Settings,
    *,
    examples: Mapping[str, torch.Tensor] = MappingProxyType({}),
) -> Subject:
    """Return a module of the user's own, in the dtype of its graph and the mode of the settings.

    ``examples`` are real tensors for inputs by name; the others are random.
    """
    dtype, device = float_dtype(shaped.entering), torch.device(settings.device)
    if dtype is not None:
        take_dtype(module, dtype)
    module.to(device).train(settings.mode == "training")
    inputs = random_inputs(shaped, device, dtype or torch.float32, seed=0, examples=examples)
    return Subject(called_as_captured(module, shaped), module, inputs, settings)


def recomputing(module: Any, shaped: ShapedGraph) -> nn.Module:
    """Return a generated module whose blocks are each recomputed in the backward pass."""
    block_of = blocks(shaped)

    def block(node: fx.Node) -> int:
        while NODE not in node.meta:  # picks one of several results
            node = node.all_input_nodes[0]
        return block_of[node.meta[NODE]] or 0

    parts: nn.Module = split_module(module, module, block)
    for name, child in list(parts.named_children()):
        if name.startswith("submod_"):
            setattr(parts, name, _Recomputed(child))
    return parts


def check_room(plan: MemoryPlan) -> None:
    """Raise ``UsageError`` where the device has less free memory than a plan needs."""
    needed = plan.total_bytes
    if plan.settings.device == "cuda":
        if not torch.cuda.is_available():
            raise UsageError("device 'cuda': PyTorch sees no CUDA device here")
        release(torch.device("cuda"))
        cached = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
        free: int | None = torch.cuda.mem_get_info()[0] + cached
    else:
        free = available_bytes()
    if free is not None and needed > free:
        raise UsageError(
            f"measuring {plan.report.name} needs {needed:,} bytes, but {free:,} are free: "
            "take a smaller batch"
        )


def available_bytes() -> int | None:
    """Return the main memory that is free without swapping; None where it is not known."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            lines = dict(line.split(":", 1) for line in file)
    except OSError:
        return None
    return int(lines["MemAvailable"].split()[0]) * 1024


def measure(chosen: Subject) -> Measured:
    """Return what a pass or a training step takes; needs the memory that it measures."""
    with uncompiled():
        if chosen.settings.device == "cuda":
            return on_cuda(chosen)
        if chosen.settings.mode == "inference":
            return Measured(*stored_bytes(chosen.holder), _tracked_inference(chosen))
        return _training(chosen)


def _tracked_inference(chosen: Subject) -> int:
    tracker = _tracker(chosen)
    with torch.no_grad(), tracker:
        chosen.outputs()
    return tracker.peak_bytes


class Allocator:
    """CUDA's caching allocator as a meter: the bytes that are allocated beyond ``fixed_bytes``."""

    def __init__(self, fixed_bytes: int) -> None:
        self._fixed_bytes = fixed_bytes

    @property
    def live_bytes(self) -> int:
        """Bytes allocated now."""
        return torch.cuda.memory_allocated() - self._fixed_bytes

    @property
    def peak_bytes(self) -> int:
        """The most allocated at once since the last ``restart``."""
        return torch.cuda.max_memory_allocated() - self._fixed_bytes

    def restart(self) -> None:
        """Forget the peak so far."""
        torch.cuda.reset_peak_memory_stats()


class Passes(NamedTuple):
    """Readings of one meter in a forward and a backward pass; ``between`` is alive in between.

    ``backward`` is None where no result has a gradient.
    """

    forward: int
    between: int
    backward: int | None


def both_passes(chosen: Subject, *meters: Tracker | Allocator) -> tuple[Passes, ...]:
    """Run a forward and a backward pass, and return the readings of each meter."""
    for meter in meters:
        meter.restart()
    outputs = chosen.outputs()
    forward = [meter.peak_bytes for meter in meters]
    loss = UnitGradients.apply(*outputs)  # type: ignore[no-untyped-call]
    del outputs
    between = [meter.live_bytes for meter in meters]
    for meter in meters:
        meter.restart()
    if not loss.requires_grad:
        return tuple(Passes(*each, None) for each in zip(forward, between, strict=True))
    loss.backward(loss.new_empty(0))
    backward = [meter.peak_bytes for meter in meters]
    return tuple(map(Passes, forward, between, backward))


def _training(chosen: Subject) -> Measured:
    optimizer = make_optimizer(chosen)
    tracker = _tracker(chosen)
    with tracker:
        (passes,) = both_passes(chosen, tracker)
    gradients = gradients_of(chosen.module)
    saved = passes.between if chosen.settings.checkpoint else saved_bytes(chosen)
    optimizer.step()  # makes the state
    state = _state(optimizer)
    working = Tracker([*chosen.owned, *gradients, *state])
    with working:
        optimizer.step()
    return Measured(
        *stored_bytes(chosen.holder),
        passes.forward,
        passes.backward,
        saved,
        storage_bytes(gradients),
        storage_bytes(state),
        working.peak_bytes,
    )


def _state(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    states = optimizer.state.values()
    return [value for state in states for value in state.values() if torch.is_tensor(value)]


def _tracker(chosen: Subject) -> Tracker:
    tracker = Tracker(chosen.owned)
    for tensor in chosen.inputs:
        tracker.follow(tensor)
    return tracker


def saved_bytes(chosen: Subject) -> int:
    """Return the bytes that autograd saves at the end of a forward pass, without stored tensors.

    Tensors of a branch that is not returned are freed with it.
    """
    owned = storages(chosen.owned)
    references: list[weakref.ref[Packed]] = []

    def pack(tensor: torch.Tensor) -> Packed:
        packed = Packed(tensor)
        references.append(weakref.ref(packed))
        return packed

    with saved_tensors_hooks(pack, Packed.unpack):
        outputs = chosen.outputs()
    tensors = [packed.tensor for packed in (each() for each in references) if packed is not None]
    del outputs
    return storage_bytes(t for t in tensors if t.untyped_storage()._cdata not in owned)


OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "momentum": partial(torch.optim.SGD, momentum=MOMENTUM),
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}


def make_optimizer(chosen: Subject) -> torch.optim.Optimizer:
    """Return the optimiser of a module's parameters that its settings name."""
    parameters = [p for p in chosen.module.parameters() if p.requires_grad]
    parameters = parameters or [nn.Parameter(torch.empty(0))]  # it refuses to have none
    return OPTIMIZERS[chosen.settings.optimizer](parameters, LEARNING_RATE)


def gradients_of(module: nn.Module) -> list[torch.Tensor]:
    """Return the gradients that the parameters of a module have."""
    return [p.grad for p in module.parameters() if p.grad is not None]


def on_cuda(chosen: Subject) -> Measured:
    """Return the allocator's peaks beyond weights, optimiser state and permanent workspaces.

    A first pass lets libraries choose their kernels and make their permanent workspaces. The
    workspace is what is allocated, in a pass that is also tracked, beyond the storages that were
    alive: temporary memory of kernels, and what the allocator rounds up.
    """
    if chosen.settings.mode == "training":
        return _training_on_cuda(chosen)
    with torch.no_grad():
        chosen.outputs()
        allocator = Allocator(torch.cuda.memory_allocated() - storage_bytes(chosen.inputs))
        allocator.restart()
        chosen.outputs()
        peak = allocator.peak_bytes
        allocator.restart()
        tracked = _tracked_inference(chosen)
        workspace = allocator.peak_bytes - tracked
    return Measured(*stored_bytes(chosen.holder), peak, workspace_bytes=workspace)


def _training_on_cuda(chosen: Subject) -> Measured:
    optimizer = make_optimizer(chosen)
    both_passes(chosen)
    optimizer.step()  # makes the state
    optimizer.zero_grad(set_to_none=True)
    allocator = Allocator(torch.cuda.memory_allocated() - storage_bytes(chosen.inputs))
    (passes,) = both_passes(chosen, allocator)
    gradients = gradients_of(chosen.module)
    gradient_bytes = storage_bytes(gradients)
    before = allocator.live_bytes
    allocator.restart()
    optimizer.step()
    update = allocator.peak_bytes - before
    del gradients
    optimizer.zero_grad(set_to_none=True)
    tracker = _tracker(chosen)
    with tracker:
        allocated, alive = both_passes(chosen, allocator, tracker)
    higher = max((allocated.forward, alive.forward), (allocated.backward or 0, alive.backward or 0))
    return Measured(
        *stored_bytes(chosen.holder),
        passes.forward,
        passes.backward,
        None,
        gradient_bytes,
        storage_bytes(t for t in _state(optimizer) if t.device == chosen.inputs[0].device),
        update,
        higher[0] - higher[1],
    )
