"""Runs a module once on fake tensors and notes every function that PyTorch is asked for.

Calls are seen where PyTorch dispatches them, below the modules, in inference mode: functional
calls, operators and attention appear as themselves. Nothing of the module is touched: its
parameters are stood in for, its mode and the random state are put back, hooks are global for the
time of the run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from cnnstat.ir.tensor import TensorSpec


@dataclass(frozen=True, slots=True)
class Call:
    """One function call: ATen name and overload, arguments by name, results, the module it is in.

    Tensors in ``arguments`` and ``results`` are the very objects that flowed, so that identity
    tells which result is read where.
    """

    function: Any
    name: str
    arguments: dict[str, Any]
    results: tuple[torch.Tensor, ...]
    path: str
    leaf: bool


@dataclass(frozen=True, slots=True)
class Stored:
    """A parameter or buffer: the stand-in that flowed, its real spec, every name it goes by."""

    tensor: torch.Tensor
    spec: TensorSpec
    names: tuple[str, ...]
    trained: bool
    requires_grad: bool


@dataclass(slots=True)
class Trace:
    """All calls of one forward pass, in order, with the inputs, the outputs and what is stored."""

    inputs: dict[str, torch.Tensor]
    stored: list[Stored]
    calls: list[Call] = field(default_factory=list)
    outputs: tuple[torch.Tensor, ...] = ()
    real: bool = False
    """Whether real tensors had to be used, because the forward pass asks for values."""


def spec_of(tensor: torch.Tensor) -> TensorSpec:
    """Return shape and dtype of a tensor."""
    return TensorSpec(tuple(int(n) for n in tensor.shape), str(tensor.dtype).removeprefix("torch."))


def capture(
    module: nn.Module,
    inputs: Mapping[str, TensorSpec],
    *,
    leaves: Callable[[str], bool],
) -> Trace:
    """Return the trace of one forward pass of ``module`` in evaluation form.

    ``inputs`` are passed in order. ``leaves`` says of an ATen name whether it is noted as it
    stands; what is none is split into what it is made of where PyTorch knows how. Falls back to
    real tensors where the forward pass asks for values. Raises whatever the module raises.
    """
    modes = {each: each.training for each in module.modules()}
    state = torch.get_rng_state()
    fast_path = torch.backends.mha.get_fastpath_enabled()
    try:
        torch.backends.mha.set_fastpath_enabled(False)  # attention as its parts, not fused away
        for each in modes:
            each.training = False
        try:
            return _run(module, inputs, leaves, real=False)
        except Exception:
            return _run(module, inputs, leaves, real=True)
    finally:
        for each, training in modes.items():
            each.training = training
        torch.set_rng_state(state)
        torch.backends.mha.set_fastpath_enabled(fast_path)


def _run(
    module: nn.Module,
    inputs: Mapping[str, TensorSpec],
    leaves: Callable[[str], bool],
    *,
    real: bool,
) -> Trace:
    fake = FakeTensorMode(allow_non_fake_inputs=True)
    # Stand-ins are made and used in inference mode, so that functions arrive undivided.
    with torch.inference_mode(), _entered(None if real else fake):
        stored, replaced = _stand_ins(module, real=real)
        given = {name: _tensor(spec) for name, spec in inputs.items()}
        trace = Trace(given, stored, real=real)
        recorder = _Recorder(trace, leaves, fake=not real)
        with _paths(module, recorder), recorder:
            result = torch.func.functional_call(
                module, replaced, tuple(given.values()), strict=False, tie_weights=False
            )
    trace.outputs = tuple(leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor))
    return trace


@contextmanager
def _entered(mode: FakeTensorMode | None) -> Iterator[None]:
    if mode is None:
        yield
        return
    with mode:
        yield


def _tensor(spec: TensorSpec) -> torch.Tensor:
    dtype = getattr(torch, spec.dtype)
    if dtype.is_floating_point or dtype.is_complex:
        return torch.randn(spec.shape, dtype=torch.float32).to(dtype)
    return torch.zeros(spec.shape, dtype=dtype)


def _stand_ins(module: nn.Module, *, real: bool) -> tuple[list[Stored], dict[str, torch.Tensor]]:
    """Return what the module stores, and the tensors that stand in for it by name."""
    by_identity: dict[int, Stored] = {}
    replaced: dict[str, torch.Tensor] = {}
    pairs: list[tuple[str, torch.Tensor, bool]] = [
        (name, tensor, True) for name, tensor in module.named_parameters(remove_duplicate=False)
    ]
    pairs += [
        (name, tensor, False) for name, tensor in module.named_buffers(remove_duplicate=False)
    ]
    for name, tensor, trained in pairs:
        known = by_identity.get(id(tensor))
        if known is None:
            stand_in = _stand_in(tensor, real=real)
            known = Stored(stand_in, spec_of(tensor), (), trained, bool(tensor.requires_grad))
        known = Stored(
            known.tensor, known.spec, (*known.names, name), known.trained, known.requires_grad
        )
        by_identity[id(tensor)] = known
        replaced[name] = known.tensor
    return list(by_identity.values()), replaced


def _stand_in(tensor: torch.Tensor, *, real: bool) -> torch.Tensor:
    if not real:
        return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype)
    if tensor.device.type == "meta":
        return torch.zeros(tensor.shape, dtype=tensor.dtype)
    return tensor.detach().clone()


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes calls; ``stack`` holds the path and the module of what runs at the moment."""

    def __init__(self, trace: Trace, leaves: Callable[[str], bool], *, fake: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.trace = trace
        self.leaves = leaves
        self.fake = fake
        self.stack: list[tuple[str, bool]] = [("", False)]

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Note one call and pass it on."""
        kwargs = kwargs or {}
        namespace, _, name = func._schema.name.partition("::")
        if namespace == "prim":  # a question about a tensor, such as its device
            return func(*args, **kwargs)
        if not self.leaves(name):
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        result = func(*args, **kwargs)
        results = tuple(leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor))
        path, leaf = self.stack[-1]
        arguments = _bound(func._schema, args, kwargs)
        self.trace.calls.append(Call(func, name, arguments, results, path, leaf))
        return result


def _bound(schema: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call by the names of its schema, defaults filled in."""
    found = {}
    for index, argument in enumerate(schema.arguments):
        if index < len(args):
            found[argument.name] = args[index]
        elif argument.name in kwargs:
            found[argument.name] = kwargs[argument.name]
        elif argument.has_default_value():
            found[argument.name] = argument.default_value
    return found


@contextmanager
def _paths(module: nn.Module, recorder: _Recorder) -> Iterator[None]:
    """Keep the recorder's stack at the path of the module that runs, in this thread alone."""
    names = {id(each): name.replace(".", "/") for name, each in module.named_modules()}
    leaves = {id(each) for each in module.modules() if not any(True for _ in each.children())}
    thread = threading.get_ident()

    def entering(each: nn.Module, _args: Any) -> None:
        if threading.get_ident() == thread and id(each) in names:
            recorder.stack.append((names[id(each)], id(each) in leaves))

    def leaving(each: nn.Module, _args: Any, _result: Any) -> None:
        if threading.get_ident() == thread and id(each) in names:
            recorder.stack.pop()

    before = register_module_forward_pre_hook(entering)
    after = register_module_forward_hook(leaving, always_call=True)
    try:
        yield
    finally:
        before.remove()
        after.remove()
