"""A pass or a training step rehearsed: PyTorch runs a copy of a module on empty tensors.

What the user's code holds on to, which form of attention is chosen, where a view has to be copied,
what autograd keeps: nobody has to know, PyTorch does it all, but on fake tensors, which have shape,
layout and dtype and no contents. What its dispatcher makes and lets go is written down as a tape.
Only functions whose empty results are laid out as the CPU's own (``emptykernels.py``) are known.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode, is_fake
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from cnnstat.ir.graph import ShapedGraph
from cnnstat.memory.memory import Settings
from cnnstat.memory.passes import Held, Pass
from cnnstat.memory.tape import Kind, Step, Tape
from cnnstat.pytorch.emptykernels import as_on_cpu, is_known
from cnnstat.pytorch.measured_memory import GivenGradients, stored_bytes
from cnnstat.pytorch.meters import storage_bytes, storages
from cnnstat.pytorch.module_calls import ModuleCalls, named_modules
from cnnstat.pytorch.places import Places
from cnnstat.pytorch.random_state import random_state_kept
from cnnstat.pytorch.returned import returned
from cnnstat.pytorch.steps import called_as_captured, float_dtype

Copied = Callable[[Callable[[torch.Tensor], torch.Tensor]], nn.Module]
"""Returns a copy of a module whose stored tensors are what the given function makes of them."""


class CannotRehearseError(Exception):
    """A pass that cannot run on empty tensors, and why."""


def rehearse(copied: Copied, shaped: ShapedGraph, settings: Settings) -> Pass:
    """Return the pass of a module on the CPU; raise ``CannotRehearseError`` where it does not run.

    ``shaped`` is its captured graph: its nodes tell to which layer a kernel belongs.
    """
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    inputs = _inputs(shaped, mode)
    module = copied(_StandIns(mode, float_dtype(shaped)))
    module.train(settings.mode == "training")
    if settings.mode == "training" and not all(map(is_fake, module.parameters())):
        raise CannotRehearseError("the gradients of a scripted module")
    called = called_as_captured(module, shaped)
    calls = ModuleCalls()
    calls.watch(module)
    paths = [name.replace(".", "/") for name, _ in named_modules(module)]
    places = Places([node.name for node in shaped.nodes], paths, calls)
    scribe = Scribe([*module.parameters(), *module.buffers()], places)
    with random_state_kept(), _not_logged(), mode, scribe:
        for given in inputs:
            scribe.follow(given)
        scribe.steps.append(_Call(places.last, tuple(range(len(scribe.sizes)))))
        try:
            forward_steps = _run(called, inputs, scribe, settings)
        except (Exception, SystemExit) as error:
            raise CannotRehearseError(_why(error)) from error
    learning = module.parameters() if settings.mode == "training" else ()
    trained = [parameter for parameter in learning if parameter.grad is not None]
    gradients = [parameter.grad for parameter in trained if parameter.grad is not None]
    for gradient in gradients:
        scribe.call_it(gradient, "parameter_gradient")
    sizes = tuple(parameter.numel() * parameter.element_size() for parameter in trained)
    held = Held(*stored_bytes(module), storage_bytes(gradients), sizes)
    tape = scribe.tape(tracked=settings.tracked)
    saved = scribe.saved(len(shaped.nodes))
    return Pass(tape, forward_steps, saved, (), tuple(scribe.unknown), held)


def _run(
    module: nn.Module, inputs: tuple[torch.Tensor, ...], scribe: Scribe, settings: Settings
) -> int:
    """Run one pass or one step; return where its forward pass ends."""
    lower = getattr(torch, settings.amp or "bfloat16")

    def outputs_of() -> tuple[torch.Tensor, ...]:
        with torch.autocast("cpu", lower, enabled=settings.amp is not None):
            found = module(*inputs)
        return returned(found, torch.Tensor)

    if settings.mode == "inference":
        with torch.no_grad():
            outputs = outputs_of()
        forward_steps = len(scribe.steps)
        del outputs
        return forward_steps
    with saved_tensors_hooks(scribe.keep, lambda tensor: tensor):
        outputs = outputs_of()
    loss = GivenGradients.apply(*outputs)  # type: ignore[no-untyped-call]
    forward_steps = len(scribe.steps)
    del outputs
    scribe.making = "activation_gradient"
    loss.backward(loss.new_empty(0))
    return forward_steps


def _why(error: BaseException) -> str:
    function = getattr(error, "func", None)  # of what fake tensors cannot tell
    if function is not None:
        return str(function.name()).removeprefix("aten::")
    said = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {said[0]}".rstrip(": ")


def _inputs(shaped: ShapedGraph, mode: FakeTensorMode) -> tuple[torch.Tensor, ...]:
    pairs = zip(shaped.nodes, shaped.facts, strict=True)
    specs = [facts.outputs[0] for node, facts in pairs if node.op.is_input]
    with mode:
        return tuple(torch.empty(spec.shape, dtype=getattr(torch, spec.dtype)) for spec in specs)


class _StandIns:
    """Makes empty tensors laid out as stored ones, parameters first.

    Those of the main dtype, that of the first floating-point parameter, take the input's.
    """

    def __init__(self, mode: FakeTensorMode, dtype: torch.dtype | None) -> None:
        self._mode, self._dtype = mode, dtype
        self._main: torch.dtype | None = None

    def __call__(self, tensor: torch.Tensor) -> torch.Tensor:
        trained = isinstance(tensor, nn.Parameter)
        if self._main is None and trained and tensor.is_floating_point():
            self._main = tensor.dtype
        other = self._dtype is None or tensor.dtype != self._main
        dtype = tensor.dtype if other else self._dtype
        with self._mode:
            made = torch.empty_strided(tensor.shape, tensor.stride(), dtype=dtype, device="cpu")
        return nn.Parameter(made, requires_grad=tensor.requires_grad) if trained else made


@contextmanager
def _not_logged() -> Iterator[None]:
    """Keep PyTorch from logging what does not run on empty tensors."""
    log = logging.getLogger("torch._subclasses.fake_tensor")
    disabled, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = disabled


class _Call(NamedTuple):
    """A call of a function at a node, and the storages that it makes."""

    node: int
    makes: tuple[int, ...]


class _Sum(NamedTuple):
    """A sum of two gradients for one result: the step, the first one's storage, the sum's."""

    step: int
    first: int
    made: int


class Scribe(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes down which storages calls make and when they are gone; stored tensors are left out."""

    def __init__(self, owned: list[torch.Tensor], places: Places) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.sizes: list[int] = []
        self.steps: list[_Call] = []
        self.unknown: dict[str, None] = {}
        self.making: Kind = "input"
        self._places = places
        self._owned = storages(owned)
        self._alive: dict[int, int] = {}  # identity of a storage -> its number
        self._kinds: list[Kind] = []
        self._born: list[int] = []
        self._last: dict[int, int] = {}
        self._sums: list[_Sum] = []
        self._node_of: dict[int, int] = {}  # autograd's number of a call -> node
        self._kept: dict[int, tuple[int, int]] = {}  # storage -> autograd's number, bytes
        self._going_back = (-1, 0)  # the autograd node that runs, and the step at which it began

    def follow(self, tensor: torch.Tensor) -> int | None:
        """Return the number of a tensor's storage if it is a new one."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._alive or key in self._owned:
            return None
        number = self._alive[key] = len(self.sizes)
        self.sizes.append(storage.nbytes())
        self._kinds.append(self.making)
        self._born.append(len(self.steps))
        weakref.finalize(storage, self._gone, key)
        return number

    def _gone(self, key: int) -> None:
        self._last[self._alive.pop(key)] = len(self.steps) - 1

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run a function and note it."""
        namespace, _, name = func._schema.name.partition("::")
        if namespace == "prim":  # a question about a tensor, such as its device
            return func(*args, **(kwargs or {}))
        if not is_known(func, args):
            self.unknown[name if namespace == "aten" else func._schema.name] = None
        if self.making == "input":
            self.making = "activation"
        first = self._number(args[0]) if args else None
        node = self._node(name.strip("_"))
        found = as_on_cpu(func, args, func(*args, **(kwargs or {})))
        copied = name == "_to_copy" and self.making == "activation" and first is None
        made = [self.follow(leaf) for leaf in tree_leaves(found) if isinstance(leaf, torch.Tensor)]
        new = tuple(number for number in made if number is not None)
        if copied and new:
            self._kinds[new[0]] = "weight_copy"
        self.steps.append(_Call(node, new))
        if name == "add" and new and first is not None and self._is_sum(args, first):
            self._sums.append(_Sum(len(self.steps) - 1, first, new[0]))
        return found

    def _number(self, value: Any) -> int | None:
        if not isinstance(value, torch.Tensor):
            return None
        return self._alive.get(value.untyped_storage()._cdata)

    def _node(self, function: str) -> int:
        """Return the node that a call belongs to: in the backward pass, that of its forward one."""
        if self.making == "activation_gradient":
            running = torch._C._current_autograd_node()
            number = -1 if running is None else running._sequence_nr()
            if number != self._going_back[0]:
                self._going_back = (number, len(self.steps))
            self._places.last = self._node_of.get(number, self._places.last)
            return self._places.last
        node = self._places.of(function)
        self._node_of[torch._C._autograd._get_sequence_nr() - 1] = node
        return node

    def _is_sum(self, args: tuple[Any, ...], first: int) -> bool:
        """Return whether autograd adds up two gradients: the first was there when this node began.

        Only one that fills its storage can be added to in place.
        """
        old = args[0]
        if self._kinds[first] != "activation_gradient" or not isinstance(args[1], torch.Tensor):
            return False
        return (
            self._born[first] < self._going_back[1]
            and old.shape == args[1].shape
            and old.numel() * old.element_size() == self.sizes[first]
            and self._number(args[1]) != first
        )

    def keep(self, tensor: torch.Tensor) -> torch.Tensor:
        """Note a tensor that autograd saves."""
        key = tensor.untyped_storage()._cdata
        if key not in self._owned:
            number = torch._C._autograd._get_sequence_nr() - 1
            found = self._alive.get(key, -1 - key)
            self._kept.setdefault(found, (number, tensor.untyped_storage().nbytes()))
        return tensor

    def call_it(self, tensor: torch.Tensor, kind: Kind) -> None:
        """Say what a tensor's storage is for."""
        number = self._number(tensor)
        if number is not None:
            self._kinds[number] = kind

    def saved(self, nodes: int) -> tuple[int, ...]:
        """Return the bytes that each node is the first to keep."""
        found = [0] * nodes
        for number, size in self._kept.values():
            found[self._node_of.get(number, 0)] += size
        return tuple(found)

    def tape(self, *, tracked: bool) -> Tape:
        """Return the tape; gradients are added up in place where PyTorch does it untracked."""
        last = dict(self._last)
        kinds = list(self._kinds)
        makes = [list(step.makes) for step in self.steps]
        instead: dict[int, int] = {}
        for each in () if tracked else self._sums:
            first = instead.get(each.first, each.first)
            if last.get(each.first) != each.step:  # somebody else has it, too
                continue
            instead[each.made] = first
            makes[each.step].remove(each.made)
            kinds[first] = kinds[each.made]
            last.pop(first, None)
            if each.made in last:
                last[first] = last[each.made]
        uses: list[list[int]] = [[] for _ in self.steps]
        for storage, at in last.items():
            if storage not in instead:
                uses[at].append(storage)
        steps = [
            Step(call.node, tuple(new), tuple(old))
            for call, new, old in zip(self.steps, makes, uses, strict=True)
        ]
        lasting = set(range(len(self.sizes))) - set(last) - set(instead)
        return Tape(
            training=False,
            tracked=tracked,
            sizes=list(self.sizes),
            kinds=kinds,
            steps=steps,
            lasting=lasting,
        )
