"""What watches the storages that PyTorch makes and frees: how much is alive, or all as a tape.

The recorder runs on fake tensors, or on real ones. Of fake ones, only functions whose results are
laid out as the CPU's own (``emptykernels.py``) are known.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from torch._subclasses.fake_tensor import is_fake, unset_fake_temporarily

from cnnstat.memory.tape import Kind, Step, Tape
from cnnstat.pytorch.emptykernels import as_on_cpu, is_known
from cnnstat.pytorch.tensors import leaves, storages
from cnnstat.pytorch.watching import FunctionMode, Places, name_of


class Tracker(FunctionMode):  # type: ignore[no-untyped-call]
    """Follows the storages that operators return; ``owned`` ones, and what they share, are not."""

    def __init__(self, owned: Iterable[torch.Tensor] = ()) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self._owned = storages(owned)
        self._alive: dict[int, int] = {}  # identity of a storage -> its number
        self.live_bytes = 0
        self.peak_bytes = 0

    def key(self, tensor: torch.Tensor) -> int:
        """Return the identity of a tensor's storage."""
        identity: int = tensor.untyped_storage()._cdata
        return identity

    def follow(self, tensor: torch.Tensor, *, known: bool = True) -> int | None:
        """Count a tensor's storage until it is gone; return its number if it is a new one.

        Of an unknown function's result, no more than its elements is sure to take memory.
        """
        storage, key = tensor.untyped_storage(), self.key(tensor)
        if key in self._alive or key in self._owned:
            return None
        number = self._alive[key] = len(self.sizes)
        elements = storage.nbytes() if known else tensor.numel() * tensor.element_size()
        self.sizes.append(min(storage.nbytes(), elements))
        self.live_bytes += self.sizes[number]
        self.peak_bytes = max(self.peak_bytes, self.live_bytes)
        weakref.finalize(storage, self.forget, key)
        return number

    def forget(self, key: int) -> int:
        """Note that a storage is gone; return its number."""
        number = self._alive.pop(key)
        self.live_bytes -= self.sizes[number]
        return number

    def restart(self) -> None:
        """Forget the peak so far."""
        self.peak_bytes = self.live_bytes

    def run(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run an operator and follow its results."""
        results = func(*args, **kwargs)
        for tensor in leaves(results):
            self.follow(tensor)
        return results


class Packed:
    """A tensor that autograd saves, without its history: a result would refer to itself."""

    __slots__ = ("__weakref__", "tensor")

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor.detach()

    def unpack(self) -> torch.Tensor:
        """Return the tensor."""
        return self.tensor


class _Saving(NamedTuple):
    """A tensor that autograd saves: storage and bytes, autograd's number of the call, its place."""

    storage: int
    bytes: int
    number: int
    place: int
    packed: weakref.ref[Packed]


class RandomBranchError(Exception):
    """A pass that reads a random number, and may do something else the next time."""


READS = ("_local_scalar_dense", "is_nonzero", "equal")
"""Functions that tell Python a tensor's value."""


class Recorder(Tracker):  # type: ignore[no-untyped-call]
    """Records which storages calls make and when they are freed; stored tensors are left out."""

    def __init__(self, owned: list[torch.Tensor], places: Places) -> None:
        super().__init__(owned)
        self.steps: list[Step] = []  # by the numbers of their places
        self.unknown: dict[str, None] = {}
        self.making: Kind = "input"
        self._places = places
        self._kinds: list[Kind] = []
        self._born: list[int] = []
        self._last: dict[int, int] = {}
        # of two gradients: the step, the storages of the first one and of the sum
        self._sums: list[tuple[int, int, int]] = []
        self._place_of: dict[int, int] = {}  # autograd's number of a call -> its place
        self._place = 0
        self._packed: list[_Saving] = []
        self._saved: dict[int, _Saving] = {}  # storage -> the first that saves it to the end
        self._views: list[torch.Tensor] = []
        self._real: dict[int, int] = {}  # storage of a fake view -> that of the plain tensor
        self._is_packing = False
        self._is_real = False
        self._random: set[int] = set()  # storages whose values depend on random numbers
        self._going_back = (-1, 0)  # the autograd node that runs, and the step at which it began

    def enter(self, inputs: tuple[torch.Tensor, ...]) -> None:
        """Record the inputs, which the caller refers to."""
        self._is_real = not any(map(is_fake, inputs))
        for tensor in inputs:
            self.follow(tensor)
        self.steps.append(Step(0, tuple(range(len(self.sizes))), ()))

    def follow(self, tensor: torch.Tensor, *, known: bool = True) -> int | None:
        """Record a tensor's storage if it is a new one."""
        number = super().follow(tensor, known=known)
        if number is not None:
            self._kinds.append(self.making)
            self._born.append(len(self.steps))
        return number

    def forget(self, key: int) -> int:
        """Record the last step before a storage is gone."""
        self._random.discard(key)
        number = super().forget(key)
        self._last[number] = len(self.steps) - 1
        return number

    def run(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a function and record it."""
        if self._is_packing:
            return func(*args, **kwargs)
        name = name_of(func)
        has_values = self._has_values(args, kwargs)
        known = has_values or is_known(func, args)
        if not known:
            self.unknown[name] = None
        if self.making == "input":
            self.making = "activation"
        first = self._number(args[0]) if args else None
        self._move(name)
        with unset_fake_temporarily() if has_values else nullcontext():
            results = func(*args, **kwargs)
        results = results if has_values else as_on_cpu(func, args, results)
        if self._is_real:
            self._follow_chance(func, name, (args, kwargs), results)
        copied = name == "_to_copy" and self.making == "activation" and first is None
        tensors = leaves(results)
        shows = func.is_view and isinstance(args[0], torch.Tensor) and not is_fake(args[0])
        if shows and any(map(is_fake, tensors)):
            tensors = self._shown(args[0], tensors)
        made = [self.follow(tensor, known=known) for tensor in tensors]
        new = tuple(number for number in made if number is not None)
        if copied and new:
            self._kinds[new[0]] = "weight_copy"
        self.steps.append(Step(self._place, new, ()))
        if name == "add" and new and first is not None and self._is_sum(args, first):
            self._sums.append((len(self.steps) - 1, first, new[0]))
        return results

    def _follow_chance(self, func: Any, name: str, entering: Any, results: Any) -> None:
        """Note results that depend on random numbers; none may decide what the pass does."""
        read = set(map(self.key, leaves(entering)))
        if not (torch.Tag.nondeterministic_seeded in func.tags or read & self._random):
            return
        if name in READS and self.making == "activation":
            raise RandomBranchError
        self._random.update(map(self.key, leaves(results)))

    def _has_values(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Return whether all that a function reads has values: no parameter or input is read."""
        entering = leaves((args, kwargs))
        return self._is_real or (bool(entering) and not any(map(is_fake, entering)))

    def _shown(self, real: torch.Tensor, views: list[torch.Tensor]) -> list[torch.Tensor]:
        """Return a plain tensor that a module refers to instead of fake views of it."""
        self._views += views  # the identity of a storage that is freed would be used again
        self._real.update(dict.fromkeys(storages(views), real.untyped_storage()._cdata))
        return [real]

    def key(self, tensor: torch.Tensor) -> int:
        """Return the identity of a tensor's storage; of a fake view, of what it shows."""
        identity = super().key(tensor)
        return self._real.get(identity, identity)

    def _number(self, value: Any) -> int | None:
        if not isinstance(value, torch.Tensor):
            return None
        return self._alive.get(self.key(value))

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
        key = self.key(tensor)
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
        for step, old, made in () if tracked else self._sums:
            first = instead.get(old, old)
            if last.get(old) != step:  # another tensor shares it
                continue
            instead[made] = first
            makes[step].remove(made)
            kinds[first] = kinds[made]
            last.pop(first, None)
            if made in last:
                last[first] = last[made]
        uses: list[list[int]] = [[] for _ in self.steps]
        for storage, at in last.items():
            if storage not in instead:
                uses[at].append(storage)
        node = self._places.nodes
        steps = [
            Step(node[step.node], tuple(new), tuple(used))
            for step, new, used in zip(self.steps, makes, uses, strict=True)
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
