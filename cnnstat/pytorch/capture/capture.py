"""Runs a copy of a module once on empty tensors and notes every function that PyTorch is asked for.

Calls are seen where PyTorch dispatches them, below the modules, in inference mode: functional
calls, operators and attention appear as themselves. Nothing outside the run is touched: the copy is
thrown away, modes are those of the thread, and random states are put back.
"""

from __future__ import annotations

import inspect
import logging
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from cnnstat.ir.tensor import TensorSpec
from cnnstat.pytorch.capture.answers import known_result
from cnnstat.pytorch.capture.copying import evaluation_copy
from cnnstat.pytorch.named import goes_by_name, parameters_of
from cnnstat.pytorch.returned import returned

Kind = Literal["meta", "fake", "real"]
"""Tensors to run on: on the meta device; fake ones, which may meet real ones; with contents."""


@dataclass(frozen=True, slots=True)
class Call:
    """One function call: ATen name and overload, arguments by name, results, the module it is in.

    Tensors in ``arguments`` and ``results`` are the very objects that flowed, so that identity
    tells which result is read where. ``leaf`` tells whether the module has no submodules.
    """

    function: Any
    name: str
    arguments: dict[str, Any]
    results: tuple[torch.Tensor, ...]
    path: str
    leaf: bool


@dataclass(slots=True)
class Stored:
    """A parameter or buffer: what stands in for it, its spec, every name it goes by."""

    original: torch.Tensor
    tensor: torch.Tensor
    spec: TensorSpec
    trained: bool
    requires_grad: bool
    names: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Trace:
    """All calls of one forward pass, in order, with the inputs, the outputs and what is stored."""

    inputs: dict[str, torch.Tensor]
    stored: list[Stored]
    calls: list[Call] = field(default_factory=list)
    outputs: tuple[torch.Tensor, ...] = ()


class ForwardError(Exception):
    """A forward pass that raised: the innermost module that did, and what that was given."""

    def __init__(self, error: BaseException, path: str, kind: str, given: str) -> None:
        super().__init__(str(error))
        self.error = error
        self.path = path
        self.kind = kind
        self.given = given


def spec_of(tensor: torch.Tensor) -> TensorSpec:
    """Return shape and dtype of a tensor."""
    return TensorSpec(tuple(int(n) for n in tensor.shape), str(tensor.dtype).removeprefix("torch."))


def capture(
    module: nn.Module,
    inputs: Mapping[str, TensorSpec],
    *,
    leaves: Callable[[str], bool],
    kind: Kind,
) -> Trace:
    """Return the trace of one forward pass of ``module`` in evaluation form.

    ``inputs`` are passed by name where the forward pass has arguments of these names, else in
    order. ``leaves`` says of an ATen name whether it is noted as it stands; what is none is split
    into what it is made of where PyTorch knows how. ``kind`` is what tensors it runs on. Raises
    ``ForwardError`` where the forward pass raises.
    """
    with prepared(module, inputs, kind) as run:
        trace = Trace(run.given, run.stored)
        result = forward(run, _Recorder(trace, leaves, empty=kind != "real"))
    trace.outputs = returned(result, torch.Tensor)
    return trace


class Run(NamedTuple):
    """A copy of a module, its inputs and what it stores, and the mode under which it runs."""

    subject: nn.Module
    given: dict[str, torch.Tensor]
    stored: list[Stored]
    mode: AbstractContextManager[Any]


@contextmanager
def prepared(module: nn.Module, inputs: Mapping[str, TensorSpec], kind: Kind) -> Iterator[Run]:
    """Make all that a forward pass on tensors of a kind needs; arguments are those of ``capture``.

    Stand-ins are made and used in inference mode, so that functions arrive undivided.
    """
    with torch.inference_mode(), _random_states_kept(module, drawn=kind == "real"):
        dtype = _float_of(inputs)
        mode = _mode(kind)
        with mode:
            stored = _stored(module, dtype, kind)
            device = stored[0].tensor.device if stored else _device(torch.device("cpu"), kind)
            given = {name: _tensor(spec, device, kind) for name, spec in inputs.items()}
        subject = evaluation_copy(module, {id(each.original): each.tensor for each in stored})
        _keep_own(subject, stored)
        yield Run(subject, given, stored, mode)


def forward(run: Run, watcher: Watcher) -> Any:
    """Run the forward pass under the eyes of a watcher; return its result."""
    _watch(run.subject, watcher)
    arguments, named = _arguments(run.subject, run.given)
    with run.mode, _PlainPaths(), watcher:
        try:
            return run.subject(*arguments, **named)
        except (Exception, SystemExit) as error:
            raise ForwardError(error, *(watcher.failed or ("", "", ""))) from error


def _mode(kind: Kind) -> AbstractContextManager[Any]:
    """Return the mode under which tensors are made and used; each can be entered twice."""
    if kind == "meta":
        return torch.device("meta")  # of what the forward pass makes, too
    if kind == "real":
        return nullcontext()
    from torch._subclasses.fake_tensor import FakeTensorMode  # slow to set up: when needed

    # What fails on fake tensors is logged there at length before it is raised.
    logging.getLogger("torch._subclasses.fake_tensor").setLevel(logging.CRITICAL)
    return FakeTensorMode(allow_non_fake_inputs=True)


def _device(original: torch.device, kind: Kind) -> torch.device:
    """Return where a stand-in lives: where the original does, if that has contents."""
    if kind == "meta":
        return torch.device("meta")
    return torch.device("cpu") if original.type == "meta" else original


@contextmanager
def _random_states_kept(module: nn.Module, *, drawn: bool) -> Iterator[None]:
    """Put back the states of the generators that a forward pass can draw from.

    Empty tensors draw nothing from PyTorch's; ``drawn`` tells that real ones may.
    """
    devices = {t.device.index or 0 for t in module.parameters() if t.device.type == "cuda"}
    state = random.getstate()
    numpy = sys.modules.get("numpy")
    numbers = numpy.random.get_state() if numpy is not None else None
    try:
        with torch.random.fork_rng(sorted(devices), enabled=drawn):
            yield
    finally:
        random.setstate(state)
        if numpy is not None:
            numpy.random.set_state(numbers)


def _float_of(inputs: Mapping[str, TensorSpec]) -> torch.dtype | None:
    kinds = [spec.dtype for spec in inputs.values() if "float" in spec.dtype]
    return getattr(torch, kinds[0]) if kinds else None


def _tensor(spec: TensorSpec, device: torch.device, kind: Kind) -> torch.Tensor:
    dtype = getattr(torch, spec.dtype)
    if kind != "real":
        return torch.empty(spec.shape, dtype=dtype, device=device)
    if dtype.is_floating_point or dtype.is_complex:
        return torch.randn(spec.shape, dtype=torch.float32, device=device).to(dtype)
    return torch.zeros(spec.shape, dtype=dtype, device=device)


def _arguments(
    module: nn.Module, given: dict[str, torch.Tensor]
) -> tuple[tuple[torch.Tensor, ...], dict[str, torch.Tensor]]:
    """Return the inputs by position, or by name where the forward pass knows all their names.

    Raises ``ForwardError`` where several are given and it does not know one of them.
    """
    if goes_by_name(module.forward, given):
        return (), given
    known = parameters_of(module.forward)
    positional = any(p.kind == inspect.Parameter.VAR_POSITIONAL for p in known.values())
    if known and len(given) > 1 and not positional:  # a lone input has one place to go
        wrong = next(name for name in given if name not in known)
        error = TypeError(f"forward() has no argument {wrong!r}")
        raise ForwardError(error, "", "", "")
    return tuple(given.values()), {}


def _stored(module: nn.Module, dtype: torch.dtype | None, kind: Kind) -> list[Stored]:
    """Return what the module stores, each tensor once, floating-point ones in ``dtype``."""
    found: dict[int, Stored] = {}
    pairs: list[tuple[str, torch.Tensor, bool]] = [
        (name, tensor, True) for name, tensor in module.named_parameters(remove_duplicate=False)
    ]
    pairs += [
        (name, tensor, False) for name, tensor in module.named_buffers(remove_duplicate=False)
    ]
    lazy = next((name for name, tensor, _ in pairs if is_lazy(tensor)), None)
    if lazy is not None:
        error = ValueError(f"{lazy} has no shape yet; run the module once on an input of its own")
        raise ForwardError(error, "", "", "")
    main = next((t.dtype for _, t, trained in pairs if trained and t.is_floating_point()), None)
    for name, tensor, trained in pairs:
        if id(tensor) not in found:
            wanted = dtype if dtype is not None and tensor.dtype == main else tensor.dtype
            made = _stand_in(tensor, wanted, kind)
            found[id(tensor)] = Stored(tensor, made, spec_of(made), trained, tensor.requires_grad)
        found[id(tensor)].names.append(name)
    return list(found.values())


def _keep_own(subject: nn.Module, stored: list[Stored]) -> None:
    """Note the tensors that a copy made itself instead of taking stand-ins: a scripted module's."""
    held: dict[str, torch.Tensor] = dict(subject.named_parameters(remove_duplicate=False))
    held.update(subject.named_buffers(remove_duplicate=False))
    for each in stored:
        each.tensor = held.get(each.names[0], each.tensor)


def _stand_in(tensor: torch.Tensor, dtype: torch.dtype, kind: Kind) -> torch.Tensor:
    device = _device(tensor.device, kind)
    if kind != "real":
        return torch.empty_strided(tensor.shape, tensor.stride(), dtype=dtype, device=device)
    if tensor.device.type == "meta":
        return torch.zeros(tensor.shape, dtype=dtype)
    return tensor.detach().to(dtype, copy=True)


class _PlainPaths(TorchFunctionMode):
    """Keeps modules from fused short cuts: with any such mode, attention runs as its parts."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Pass a function on."""
        return func(*args, **(kwargs or {}))


class Watcher(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees calls; ``stack`` holds the path of what runs at the moment and whether it is a leaf."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.stack: list[tuple[str, bool]] = [("", False)]
        self.failed: tuple[str, str, str] | None = None

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Say that no compiler has to be kept out, whose import would take longer than the run."""
        return False


class _Recorder(Watcher):  # type: ignore[no-untyped-call]
    """Notes calls."""

    def __init__(self, trace: Trace, leaves: Callable[[str], bool], *, empty: bool) -> None:
        super().__init__()
        self.trace = trace
        self.leaves = leaves
        self.empty = empty

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
        arguments = _bound(func._schema, args, kwargs)
        result: Any = known_result(name, arguments) if self.empty else None
        if result is None:
            result = func(*args, **kwargs)
        results = tuple(leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor))
        path, leaf = self.stack[-1]
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


def _watch(module: nn.Module, watcher: Watcher) -> None:
    """Keep the watcher's stack at the path of the module that runs; hooks of a copy, not global.

    A module that raises is the first to leave with an exception: its path is what failed.
    """
    stack, outside = watcher.stack, sys.exc_info()[1]  # what is being handled around the run

    def hooks(path: str, leaf: bool) -> tuple[Callable[..., None], Callable[..., None]]:
        def entering(_module: nn.Module, _args: Any) -> None:
            stack.append((path, leaf))

        def leaving(each: nn.Module, args: Any, _result: Any) -> None:
            stack.pop()
            if watcher.failed is None and sys.exc_info()[1] not in (None, outside):
                given = ", ".join(str(spec_of(t)) for t in args if isinstance(t, torch.Tensor))
                watcher.failed = (path, type(each).__name__, given)

        return entering, leaving

    for name, each in module.named_modules():
        leaf = not any(True for _ in each.children())
        entering, leaving = hooks(name.replace(".", "/"), leaf)
        try:
            each.register_forward_pre_hook(entering, prepend=True)
            each.register_forward_hook(leaving, always_call=True)
        except RuntimeError:  # a scripted module takes none: its calls bear the outer path
            continue
