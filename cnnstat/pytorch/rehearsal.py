"""Rehearsal of a pass or a training step: PyTorch runs a copy of a module on fake tensors.

They have shape, layout and dtype and no contents. How long the user's code refers to a tensor,
which form of attention is chosen, where a view is copied and what autograd saves is PyTorch's own
doing; the storages that its dispatcher makes and frees are recorded as a tape. Only functions whose
fake results are laid out as the CPU's own (``emptykernels.py``) are known.
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

from cnnstat.errors import PASSED_ON, said
from cnnstat.ir.graph import ShapedGraph
from cnnstat.memory.memory import Settings
from cnnstat.memory.passes import Pass, StateBytes, inputs_alone
from cnnstat.memory.tape import Kind, Step, Tape
from cnnstat.pytorch.emptykernels import as_on_cpu, is_known
from cnnstat.pytorch.higher_order import eagerly
from cnnstat.pytorch.measured_memory import Packed, UnitGradients, stored_bytes
from cnnstat.pytorch.meters import storage_bytes, storages
from cnnstat.pytorch.module_calls import ModuleCalls
from cnnstat.pytorch.places import Places
from cnnstat.pytorch.random_state import preserved_random_state
from cnnstat.pytorch.returned import returned
from cnnstat.pytorch.steps import called_as_captured, float_dtype

Copied = Callable[[Callable[[torch.Tensor], torch.Tensor]], nn.Module]
"""Returns a copy of a module whose stored tensors are what the given function makes of them."""


def rehearse(copied: Copied, shaped: ShapedGraph, settings: Settings) -> Pass:
    """Return the pass of a module on the CPU.

    ``shaped`` is its captured graph: its nodes tell to which layer a kernel belongs. Where the
    module does not run on fake tensors, or is to run on another device, its state and its inputs
    are all that is known.
    """
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    state = StateBytes(0, 0, 0, ())
    try:
        module = copied(_StandIns(mode, float_dtype(shaped)))
        state = StateBytes(*stored_bytes(module), 0, ())
        rehearsed = _rehearsed(module, mode, shaped, settings)
    except PASSED_ON:
        raise
    except BaseException as error:
        return inputs_alone(shaped, _why(error), state)
    if settings.device != "cpu":
        return inputs_alone(
            shaped, f"a module's kernels on {settings.device}", rehearsed.state or state
        )
    return rehearsed


def _rehearsed(
    module: nn.Module, mode: FakeTensorMode, shaped: ShapedGraph, settings: Settings
) -> Pass:
    learns = settings.mode == "training"
    module.train(learns)
    if learns and not all(map(is_fake, module.parameters())):
        raise TypeError("a scripted module has no gradients without its weights")
    calls = ModuleCalls(fused=True)
    calls.watch(module)
    called = called_as_captured(module, shaped)
    recorder = Recorder([*module.parameters(), *module.buffers()], Places(shaped.graph, calls))
    inputs = _inputs(shaped, mode)
    with preserved_random_state(), _not_logged(), mode, calls.functions, recorder:
        recorder.enter(inputs)
        forward_steps = _run(called, inputs, recorder, settings)
    trained = [p for p in module.parameters() if learns and p.grad is not None]
    gradients = [p.grad for p in trained if p.grad is not None]
    for gradient in gradients:
        recorder.set_kind(gradient, "parameter_gradient")
    sizes = tuple(parameter.numel() * parameter.element_size() for parameter in trained)
    return Pass(
        recorder.tape(tracked=settings.tracked),
        forward_steps,
        recorder.saved(len(shaped.nodes)),
        foreign=tuple(recorder.unknown),
        state=StateBytes(*stored_bytes(module), storage_bytes(gradients), sizes),
    )


def _run(
    module: nn.Module, inputs: tuple[torch.Tensor, ...], recorder: Recorder, settings: Settings
) -> int:
    """Run one pass or one step; return where its forward pass ends."""
    lower = getattr(torch, settings.amp or "bfloat16")

    def outputs_of() -> tuple[torch.Tensor, ...]:
        with torch.autocast("cpu", lower, enabled=settings.amp is not None):
            result = module(*inputs)
        return returned(result, torch.Tensor)

    if settings.mode == "inference":
        with torch.no_grad():
            outputs = outputs_of()
        forward_steps = len(recorder.steps)
        del outputs
        return forward_steps
    with saved_tensors_hooks(recorder.pack, Packed.unpack):
        outputs = outputs_of()
    recorder.end_forward()
    loss = UnitGradients.apply(*outputs)  # type: ignore[no-untyped-call]
    forward_steps = len(recorder.steps)
    del outputs
    recorder.making = "activation_gradient"
    if loss.requires_grad:
        loss.backward(loss.new_empty(0))
    return forward_steps


BRANCHES = "a pass that branches on a tensor's value (a random branch such as LayerDrop, a loop)"
"""The reason given for a pass that reads a number from a tensor without contents."""


def _why(error: BaseException) -> str:
    function = getattr(error, "func", None)  # the one that asks fake tensors for their contents
    if function is None:
        return said(error)
    name = str(function.name()).removeprefix("aten::")
    return BRANCHES if name == "_local_scalar_dense" else name


def _inputs(shaped: ShapedGraph, mode: FakeTensorMode) -> tuple[torch.Tensor, ...]:
    pairs = zip(shaped.nodes, shaped.facts, strict=True)
    specs = [facts.outputs[0] for node, facts in pairs if node.op.is_input]
    with mode:
        return tuple(torch.empty(spec.shape, dtype=getattr(torch, spec.dtype)) for spec in specs)


class _StandIns:
    """Makes fake tensors laid out as stored ones, parameters first.

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
    """Keep PyTorch from logging errors on fake tensors."""
    log = logging.getLogger("torch._subclasses.fake_tensor")
    disabled, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = disabled


class _Call(NamedTuple):
    """A call of a function, its number among the places, and the storages that it makes."""

    place: int
    makes: tuple[int, ...]


class _Sum(NamedTuple):
    """A sum of two gradients for one result: the step, the first one's storage, the sum's."""

    step: int
    first: int
    made: int


class _Saving(NamedTuple):
    """A tensor that autograd saves: storage and bytes, autograd's number of the call, its place."""

    storage: int
    bytes: int
    number: int
    place: int
    packed: weakref.ref[Packed]


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records which storages calls make and when they are freed; stored tensors are left out."""

    supports_higher_order_operators = True

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
        self._place_of: dict[int, int] = {}  # autograd's number of a call -> its place
        self._place = 0
        self._packed: list[_Saving] = []
        self._saved: dict[int, _Saving] = {}  # storage -> the first that saves it to the end
        self._views: list[torch.Tensor] = []
        self._real: dict[int, int] = {}  # storage of a fake view -> that of the plain tensor
        self._is_packing = False
        self._going_back = (-1, 0)  # the autograd node that runs, and the step at which it began

    def enter(self, inputs: tuple[torch.Tensor, ...]) -> None:
        """Record the inputs, which the caller holds."""
        for tensor in inputs:
            self._follow(tensor)
        self.steps.append(_Call(0, tuple(range(len(self.sizes)))))

    def _follow(self, tensor: torch.Tensor, *, known: bool = True) -> int | None:
        """Return the number of a tensor's storage if it is a new one.

        Of an unknown function's result, no more than its elements is sure to take memory.
        """
        storage, key = tensor.untyped_storage(), self._key(tensor)
        if key in self._alive or key in self._owned:
            return None
        number = self._alive[key] = len(self.sizes)
        elements = storage.nbytes() if known else tensor.numel() * tensor.element_size()
        self.sizes.append(min(storage.nbytes(), elements))
        self._kinds.append(self.making)
        self._born.append(len(self.steps))
        weakref.finalize(storage, self._gone, key)
        return number

    def _gone(self, key: int) -> None:
        self._last[self._alive.pop(key)] = len(self.steps) - 1

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run a function and record it."""
        if run := eagerly(self, func, args, kwargs):
            return run()
        namespace, _, name = func._schema.name.partition("::")
        if namespace == "prim" or self._is_packing:  # prim: a question, such as a tensor's device
            return func(*args, **(kwargs or {}))
        known = is_known(func, args)
        if not known:
            self.unknown[name if namespace == "aten" else func._schema.name] = None
        if self.making == "input":
            self.making = "activation"
        first = self._number(args[0]) if args else None
        self._move(name)
        results = as_on_cpu(func, args, func(*args, **(kwargs or {})))
        copied = name == "_to_copy" and self.making == "activation" and first is None
        tensors = [leaf for leaf in tree_leaves(results) if isinstance(leaf, torch.Tensor)]
        if func.is_view and isinstance(args[0], torch.Tensor) and not is_fake(args[0]):
            tensors = self._shown(args[0], tensors)
        made = [self._follow(tensor, known=known) for tensor in tensors]
        new = tuple(number for number in made if number is not None)
        if copied and new:
            self._kinds[new[0]] = "weight_copy"
        self.steps.append(_Call(self._place, new))
        if name == "add" and new and first is not None and self._is_sum(args, first):
            self._sums.append(_Sum(len(self.steps) - 1, first, new[0]))
        return results

    def _shown(self, real: torch.Tensor, views: list[torch.Tensor]) -> list[torch.Tensor]:
        """Return a plain tensor that a module refers to instead of fake views of it."""
        self._views += views  # the identity of a storage that is freed would be used again
        self._real.update(dict.fromkeys(storages(views), real.untyped_storage()._cdata))
        return [real]

    def _key(self, tensor: torch.Tensor) -> int:
        """Return the identity of a tensor's storage."""
        key: int = tensor.untyped_storage()._cdata
        return self._real.get(key, key)

    def _number(self, value: Any) -> int | None:
        if not isinstance(value, torch.Tensor):
            return None
        return self._alive.get(self._key(value))

    def _move(self, function: str) -> None:
        """Go to the place of a call; in the backward pass, to that of its forward call."""
        if self.making == "activation_gradient":
            running = torch._C._current_autograd_node()
            number = -1 if running is None else running._sequence_nr()
            if number != self._going_back[0]:
                self._going_back = (number, len(self.steps))
            self._place = self._place_of.get(number, self._place)
        else:
            self._place = self._places.enter(function)
            self._place_of[torch._C._autograd._get_sequence_nr() - 1] = self._place

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

    def pack(self, tensor: torch.Tensor) -> Packed:
        """Record a tensor that autograd saves."""
        self._is_packing = True
        try:
            packed = Packed(tensor)
        finally:
            self._is_packing = False
        key = self._key(tensor)
        if key not in self._owned:
            number = torch._C._autograd._get_sequence_nr() - 1
            storage = self._alive.get(key, -1 - key)
            size = tensor.untyped_storage().nbytes() if storage < 0 else self.sizes[storage]
            self._packed.append(_Saving(storage, size, number, self._place, weakref.ref(packed)))
        return packed

    def end_forward(self) -> None:
        """Note what autograd saves now: what went into a branch that is not returned is freed."""
        for saving in self._packed:
            if saving.packed() is not None:
                self._saved.setdefault(saving.storage, saving)

    def set_kind(self, tensor: torch.Tensor, kind: Kind) -> None:
        """Say what a tensor's storage is for."""
        number = self._number(tensor)
        if number is not None:
            self._kinds[number] = kind

    def saved(self, nodes: int) -> tuple[int, ...]:
        """Return the bytes that each node is the first to save."""
        sizes, node = [0] * nodes, self._places.nodes
        for saving in self._saved.values():
            sizes[node[self._place_of.get(saving.number, saving.place)]] += saving.bytes
        return tuple(sizes)

    def tape(self, *, tracked: bool) -> Tape:
        """Return the tape; gradients are added up in place where PyTorch does it untracked."""
        last = dict(self._last)
        kinds = list(self._kinds)
        makes = [list(step.makes) for step in self.steps]
        instead: dict[int, int] = {}
        for each in () if tracked else self._sums:
            first = instead.get(each.first, each.first)
            if last.get(each.first) != each.step:  # another tensor shares it
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
        node = self._places.nodes
        steps = [
            Step(node[call.place], tuple(new), tuple(old))
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
