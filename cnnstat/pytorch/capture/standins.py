"""What a run needs: a copy of a module, with tensors that stand in for its own, and its inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from cnnstat.ir.tensor import TensorSpec
from cnnstat.pytorch.capture.copying import evaluation_copy
from cnnstat.pytorch.named import use_settings
from cnnstat.pytorch.random_state import preserved_random_state
from cnnstat.pytorch.tensors import float_dtype, main_dtype, named_stored, spec_of

Kind = Literal["meta", "fake", "real", "zeros"]
"""Tensors to run on: on the meta device; fake ones, which may meet real ones; real ones, whole
numbers being 1 or 0."""


class ForwardArguments(NamedTuple):
    """Arguments of a forward pass by name: ``inputs`` by their specs, batch included.

    ``constants`` are example tensors for inputs, which a run on contents takes, and other
    arguments. An input that the forward pass has no argument of that name for is the next one.
    """

    inputs: Mapping[str, TensorSpec]
    constants: Mapping[str, object] = MappingProxyType({})

    @property
    def settings(self) -> dict[str, object]:
        """The other arguments."""
        return {key: value for key, value in self.constants.items() if key not in self.inputs}


EMPTY: tuple[Kind, ...] = ("meta", "fake")
"""Kinds of fake tensors, the fastest first."""


@dataclass(slots=True)
class Stored:
    """A parameter or buffer: what stands in for it, its spec and its name."""

    original: torch.Tensor
    tensor: torch.Tensor
    spec: TensorSpec
    trained: bool
    requires_grad: bool
    name: str


def _input_tensors(
    arguments: ForwardArguments, device: torch.device, kind: Kind
) -> dict[str, torch.Tensor]:
    """Return the inputs as tensors of a kind, under its mode."""
    made = {}
    for name, spec in arguments.inputs.items():
        example = arguments.constants.get(name)
        made[name] = _tensor(spec, device, kind, example)
        if getattr(example, "requires_grad", False):
            made[name].requires_grad_()
    return made


def _tensor(spec: TensorSpec, device: torch.device, kind: Kind, example: object) -> torch.Tensor:
    dtype = getattr(torch, spec.dtype)
    if kind in EMPTY:
        return torch.empty(spec.shape, dtype=dtype, device=device)
    if isinstance(example, torch.Tensor):
        return example.detach().to(device, dtype, copy=True)
    if dtype.is_floating_point or dtype.is_complex:
        return torch.randn(spec.shape, dtype=torch.float32, device=device).to(dtype)
    # Not 0, which stands for padding where it stands for anything.
    return torch.full(spec.shape, kind == "real", dtype=dtype, device=device)


class _StandIns:
    """Makes stand-ins of a kind; floating-point tensors of the main dtype take the inputs'.

    ``made`` has them by the identity of the originals. ``lasting`` ones of parameters are such.
    """

    def __init__(
        self,
        module: nn.Module,
        inputs: Mapping[str, TensorSpec],
        kind: Kind,
        mode: AbstractContextManager[Any],
        *,
        lasting: bool = False,
    ) -> None:
        self.main, self.dtype = main_dtype(module), float_dtype(inputs)
        self.kind, self.mode, self.lasting = kind, mode, lasting
        self.made: dict[int, torch.Tensor] = {}
        self.others: list[torch.Tensor] = []

    def __call__(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return the stand-in of a tensor, always the same."""
        if id(tensor) not in self.made:
            dtype = self.dtype if tensor.dtype == self.main else None
            made = _stand_in(tensor, dtype or tensor.dtype, self.kind)
            if self.lasting and isinstance(tensor, nn.Parameter) and not is_lazy(tensor):
                made = nn.Parameter(made, requires_grad=tensor.requires_grad)
            self.made[id(tensor)] = made
        return self.made[id(tensor)]

    def unregistered(self, tensor: torch.Tensor) -> torch.Tensor:
        """Make one outside the mode, of a tensor that the module does not know of."""
        with self.mode:
            made = self(tensor)
        if isinstance(tensor, nn.Parameter):
            self.others.append(made)
        return made


def _stored_tensors(module: nn.Module, stand_ins: _StandIns) -> list[Stored]:
    """Return what the module stores, each tensor once."""
    stored: dict[int, Stored] = {}
    for name, tensor, trained in named_stored(module):
        if id(tensor) not in stored:
            made = stand_ins(tensor)
            spec = TensorSpec(()) if is_lazy(made) else spec_of(made)
            stored[id(tensor)] = Stored(tensor, made, spec, trained, tensor.requires_grad, name)
    return list(stored.values())


def _stand_in(tensor: torch.Tensor, dtype: torch.dtype, kind: Kind) -> torch.Tensor:
    device = _device_of(tensor.device, kind)
    if is_lazy(tensor):
        lazy: Any = type(tensor)
        made: torch.Tensor = lazy(tensor.requires_grad, device, dtype)
        return made
    strided = tensor.layout == torch.strided and not tensor.is_nested
    if kind in EMPTY and strided:
        return torch.empty_strided(tensor.shape, tensor.stride(), dtype=dtype, device=device)
    if tensor.device.type == "meta":
        return torch.zeros(tensor.shape, dtype=dtype)
    return tensor.detach().to(dtype, copy=True)


def _device_of(original: torch.device, kind: Kind) -> torch.device:
    """Return where a stand-in lives: where the original does, if that has contents."""
    if kind == "meta":
        return torch.device("meta")
    return torch.device("cpu") if original.type == "meta" else original


SEED = 0
"""Where random numbers start in a run that depends on values: the same figures every time."""


class Run(NamedTuple):
    """A copy of a module, its inputs and what it stores, and the mode under which it runs."""

    subject: nn.Module
    inputs: dict[str, torch.Tensor]
    stored: list[Stored]
    unregistered: list[torch.Tensor]
    mode: AbstractContextManager[Any]
    own_forward: Any
    """A forward pass of the instance, which the settings of a call stand in front of; or None."""


@contextmanager
def prepared(
    module: nn.Module, arguments: ForwardArguments, kind: Kind, *, lasting: bool = False
) -> Iterator[Run]:
    """Make all that a forward pass on tensors of a kind needs.

    Stand-ins are made and used in inference mode, so that functions arrive undivided; not where the
    copy is ``lasting``, a module with parameters.
    """
    devices = None  # empty tensors draw nothing
    if kind not in EMPTY:
        places = [tensor.device for _, tensor, _ in named_stored(module)]
        devices = {place.index or 0 for place in places if place.type == "cuda"}
    guard = torch.no_grad() if lasting else torch.inference_mode()
    with guard, preserved_random_state(devices, seed=SEED):
        mode = mode_of(kind)
        stand_ins = _StandIns(module, arguments.inputs, kind, mode, lasting=lasting)
        with mode:
            stored = _stored_tensors(module, stand_ins)
            device = stored[0].tensor.device if stored else _device_of(torch.device("cpu"), kind)
            entering = _input_tensors(arguments, device, kind)
        subject = evaluation_copy(module, stand_ins.made, stand_ins.unregistered)
        # a scripted module makes its tensors itself
        own = {name: tensor for name, tensor, _ in named_stored(subject)}
        for each in stored:
            each.tensor = own.get(each.name, each.tensor)
        own_forward = subject.__dict__.get("forward")
        use_settings(subject, arguments.settings)
        yield Run(subject, entering, stored, stand_ins.others, mode, own_forward)


def mode_of(kind: Kind) -> AbstractContextManager[Any]:
    """Return the mode under which tensors are made and used; each can be entered twice."""
    if kind == "meta":
        return torch.device("meta")  # of what the forward pass makes, too
    if kind not in EMPTY:
        return nullcontext()
    from torch._subclasses.fake_tensor import FakeTensorMode  # slow to set up: when needed

    return FakeTensorMode(allow_non_fake_inputs=True)
