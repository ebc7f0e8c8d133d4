"""What a model really takes: storages seen by PyTorch's dispatcher, or CUDA's allocator.

On the CPU every storage that an operator returns is followed from the step that makes it until
PyTorch lets it go; what autograd keeps is what passes its saved-tensor hooks. PyTorch does not add
gradients in place while it is watched so; a prediction to compare with must say ``tracked``. On
CUDA the caching allocator's own counters are read, workspaces and rounding included.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import torch
from torch import fx, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.fx.passes.split_module import split_module
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.checkpoint import checkpoint

from cnnstat.backends.torch.build import NODE, forward_graph, make_modules
from cnnstat.backends.torch.steps import random_inputs
from cnnstat.engine.memory import Measured, MemoryPlan, Settings
from cnnstat.engine.passes import blocks
from cnnstat.errors import UsageError
from cnnstat.ir.graph import ShapedGraph

LEARNING_RATE = 1e-5


class Tracker(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows the storages that operators return; ``owned`` ones, and what they share, are not."""

    def __init__(self, owned: Iterable[torch.Tensor] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._sizes: dict[int, int] = {}
        self._owned = storages(owned)
        self.live_bytes = 0
        self.peak_bytes = 0

    def follow(self, tensor: torch.Tensor) -> None:
        """Count a tensor's storage from now on until it is gone."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._sizes or key in self._owned:
            return
        self._sizes[key] = storage.nbytes()
        self.live_bytes += self._sizes[key]
        self.peak_bytes = max(self.peak_bytes, self.live_bytes)
        weakref.finalize(storage, self._gone, key)

    def _gone(self, key: int) -> None:
        self.live_bytes -= self._sizes.pop(key, 0)

    def restart(self) -> None:
        """Forget the peak so far."""
        self.peak_bytes = self.live_bytes

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run an operator and follow its results."""
        found = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(found):
            if isinstance(leaf, torch.Tensor):
                self.follow(leaf)
        return found


def storages(tensors: Iterable[torch.Tensor]) -> set[int]:
    """Return the identities of the tensors' storages."""
    return {tensor.untyped_storage()._cdata for tensor in tensors}


def storage_bytes(tensors: Iterable[torch.Tensor]) -> int:
    """Return the bytes of the tensors' storages, each once."""
    found = {t.untyped_storage()._cdata: t.untyped_storage().nbytes() for t in tensors}
    return sum(found.values())


class GivenGradients(torch.autograd.Function):
    """A loss of no bytes that hands gradients of ones to the outputs, and holds neither."""

    @staticmethod
    def forward(ctx: Any, *outputs: torch.Tensor) -> torch.Tensor:
        """Remember shapes alone."""
        ctx.like = [(output.shape, output.dtype, output.device) for output in outputs]
        return outputs[0].new_empty(0)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        """Make the gradients."""
        return tuple(torch.ones(s, dtype=dtype, device=at) for s, dtype, at in ctx.like)


class _Again(nn.Module):
    """A block that is recomputed in the backward pass."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *inputs: Any) -> Any:
        """Run the block, keeping what enters it."""
        return checkpoint(self.inner, *inputs, use_reentrant=False)


class Subject(NamedTuple):
    """A module in the form that is measured, its inputs, and how it is run.

    ``holder`` has every parameter, also of what this form leaves out.
    """

    module: nn.Module
    holder: nn.Module
    inputs: tuple[torch.Tensor, ...]
    autocast: Callable[[], AbstractContextManager[Any]]

    @property
    def owned(self) -> list[torch.Tensor]:
        """Parameters and buffers."""
        return [*self.holder.parameters(), *self.holder.buffers()]

    @property
    def param_bytes(self) -> int:
        """Bytes of the parameters."""
        return storage_bytes(self.holder.parameters())

    @property
    def buffer_bytes(self) -> int:
        """Bytes of the buffers that belong to the model; index tables of a layer do not."""
        kept = self.holder.state_dict(keep_vars=True)
        return storage_bytes(t for name, t in self.holder.named_buffers() if name in kept)

    def outputs(self) -> tuple[torch.Tensor, ...]:
        """Run the forward pass."""
        with self.autocast():
            found = self.module(*self.inputs)
        return tuple(leaf for leaf in tree_leaves(found) if isinstance(leaf, torch.Tensor))


def subject(shaped: ShapedGraph, settings: Settings, *, seed: int = 0) -> Subject:
    """Return the module that cnnstat generates for a graph, with random weights and inputs."""
    dtype = next(
        (
            getattr(torch, f.outputs[0].dtype)
            for node, f in zip(shaped.nodes, shaped.facts, strict=True)
            if node.op.is_input and "float" in f.outputs[0].dtype
        ),
        torch.float32,
    )
    device = torch.device(settings.device)
    root = make_modules(shaped, seed=seed, device=device, dtype=dtype)
    module: nn.Module = fx.GraphModule(root, forward_graph(shaped, form=settings.mode))
    if settings.checkpoint:
        module = recomputing(module, shaped)
    module.train(settings.mode == "training")
    return _subject(module, root, shaped, settings, dtype, seed)


def own_subject(
    module: nn.Module, shaped: ShapedGraph, settings: Settings, *, seed: int = 0
) -> Subject:
    """Return a module of the user's own, in the mode of the settings."""
    module.to(torch.device(settings.device)).train(settings.mode == "training")
    return _subject(module, module, shaped, settings, torch.float32, seed)


def _subject(
    module: nn.Module,
    holder: nn.Module,
    shaped: ShapedGraph,
    settings: Settings,
    dtype: torch.dtype,
    seed: int,
) -> Subject:
    device = torch.device(settings.device)
    inputs = random_inputs(shaped, device, dtype, seed=seed)
    lower = getattr(torch, settings.amp or "bfloat16")

    def autocast() -> AbstractContextManager[Any]:
        return torch.autocast(settings.device, lower, enabled=settings.amp is not None)

    return Subject(module, holder, inputs, autocast)


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
            setattr(parts, name, _Again(child))
    return parts


def check_room(found: MemoryPlan) -> None:
    """Raise ``UsageError`` where the device has less free memory than a plan needs."""
    needed = found.total_bytes
    if found.settings.device == "cuda":
        if not torch.cuda.is_available():
            raise UsageError("device 'cuda': PyTorch sees no CUDA device here")
        free: int | None = torch.cuda.mem_get_info()[0]
    else:
        free = available_bytes()
    if free is not None and needed > free:
        raise UsageError(
            f"measuring {found.report.name} needs {needed:,} bytes, but {free:,} are free: "
            "take a smaller batch"
        )


def available_bytes() -> int | None:
    """Return the main memory that can be had without swapping; None where nobody says."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            lines = dict(line.split(":", 1) for line in file)
    except OSError:
        return None
    return int(lines["MemAvailable"].split()[0]) * 1024


def measure(chosen: Subject, settings: Settings) -> Measured:
    """Return what a pass or a training step takes; needs the memory that it measures."""
    if settings.device == "cuda":
        return _on_cuda(chosen, settings)
    if settings.mode == "inference":
        return _inference(chosen)
    return _training(chosen, settings)


def _inference(chosen: Subject) -> Measured:
    tracker = _tracker(chosen)
    with torch.no_grad(), tracker:
        outputs = chosen.outputs()
    del outputs
    return Measured(
        chosen.param_bytes,
        chosen.buffer_bytes,
        tracker.peak_bytes,
    )


def _training(chosen: Subject, settings: Settings) -> Measured:
    module = chosen.module
    saved = None if settings.checkpoint else saved_bytes(chosen)
    optimizer = make_optimizer(module, settings.optimizer)
    tracker = _tracker(chosen)
    with tracker:
        outputs = chosen.outputs()
        forward = tracker.peak_bytes
        loss = GivenGradients.apply(*outputs)  # type: ignore[no-untyped-call]
        del outputs
        if saved is None:
            saved = tracker.live_bytes
        tracker.restart()
        loss.backward(loss.new_empty(0))
        backward = tracker.peak_bytes
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    optimizer.step()  # makes the state
    state = [t for kept in optimizer.state.values() for t in kept.values() if torch.is_tensor(t)]
    working = Tracker([*chosen.owned, *gradients, *state])
    with working:
        optimizer.step()
    return Measured(
        chosen.param_bytes,
        chosen.buffer_bytes,
        forward,
        backward,
        saved,
        storage_bytes(gradients),
        storage_bytes(state),
        working.peak_bytes,
    )


def _tracker(chosen: Subject) -> Tracker:
    tracker = Tracker(chosen.owned)
    for given in chosen.inputs:
        tracker.follow(given)
    return tracker


def saved_bytes(chosen: Subject) -> int:
    """Return the bytes that autograd keeps of a forward pass, parameters and buffers left out."""
    owned = storages(chosen.owned)
    kept: dict[int, torch.Tensor] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        key = tensor.untyped_storage()._cdata
        if key not in owned:
            kept[key] = tensor
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        chosen.outputs()
    return storage_bytes(kept.values())


def make_optimizer(module: nn.Module, name: str) -> torch.optim.Optimizer:
    """Return an optimiser of a module's parameters by its name in ``OPTIMIZERS``."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    makers: dict[str, Callable[[], torch.optim.Optimizer]] = {
        "sgd": lambda: torch.optim.SGD(parameters, LEARNING_RATE),
        "momentum": lambda: torch.optim.SGD(parameters, LEARNING_RATE, momentum=0.9),
        "adam": lambda: torch.optim.Adam(parameters, LEARNING_RATE),
        "adamw": lambda: torch.optim.AdamW(parameters, LEARNING_RATE),
    }
    return makers[name]()


def _on_cuda(chosen: Subject, settings: Settings) -> Measured:
    """Return the allocator's peaks, less what was there before; the second of two steps counts.

    The workspace is what the allocator gave out beyond the storages of the forward pass.
    """
    module = chosen.module
    owned = [*chosen.owned, *chosen.inputs]
    if settings.mode == "inference":
        with torch.no_grad():
            before = torch.cuda.memory_allocated() - storage_bytes(chosen.inputs)
            tracker = _tracker(chosen)
            with tracker:
                chosen.outputs()
            torch.cuda.reset_peak_memory_stats()
            chosen.outputs()
        peak = torch.cuda.max_memory_allocated() - before
        return Measured(
            chosen.param_bytes,
            chosen.buffer_bytes,
            peak,
            workspace_bytes=max(0, peak - tracker.peak_bytes),
        )
    optimizer = make_optimizer(module, settings.optimizer)
    forward = backward = update = 0
    for _ in range(2):
        optimizer.zero_grad(set_to_none=True)
        state = [t for kept in optimizer.state.values() for t in kept.values() if t.is_cuda]
        fixed = storage_bytes([*owned, *state]) - storage_bytes(chosen.inputs)
        torch.cuda.reset_peak_memory_stats()
        outputs = chosen.outputs()
        forward = torch.cuda.max_memory_allocated() - fixed
        loss = GivenGradients.apply(*outputs)  # type: ignore[no-untyped-call]
        del outputs
        torch.cuda.reset_peak_memory_stats()
        loss.backward(loss.new_empty(0))
        del loss
        torch.cuda.synchronize()
        backward = torch.cuda.max_memory_allocated() - fixed
        torch.cuda.reset_peak_memory_stats()
        kept_back = torch.cuda.memory_allocated()
        optimizer.step()
        update = torch.cuda.max_memory_allocated() - kept_back
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    return Measured(
        chosen.param_bytes,
        chosen.buffer_bytes,
        forward,
        backward,
        None,
        storage_bytes(gradients),
        storage_bytes(state),
        update,
    )
