"""Lazy modules: one forward pass of a copy gives every parameter its shape."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from cnnstat.ir.tensor import TensorSpec
from cnnstat.pytorch.capture.capture import ForwardError, Run, Watcher, forward, mode_of
from cnnstat.pytorch.capture.copying import evaluation_copy
from cnnstat.pytorch.capture.standins import Kind, StandIns, input_tensors
from cnnstat.pytorch.higher_order import eagerly
from cnnstat.pytorch.named import use_settings
from cnnstat.pytorch.random_state import preserved_random_state
from cnnstat.pytorch.stored import named_stored

ALL_KINDS: tuple[Kind, ...] = ("meta", "real")  # a fake tensor cannot get a shape later


def with_shapes(
    module: nn.Module,
    inputs: Mapping[str, TensorSpec],
    constants: Mapping[str, object] = MappingProxyType({}),
    *,
    kinds: tuple[Kind, ...] = ALL_KINDS,
) -> nn.Module:
    """Return a copy of a lazy module in which every parameter has a shape; else the module itself.

    ``kinds`` are the tensors to run on, in turn; the copy keeps those of the first that works.
    Raises ``ForwardError`` where none does.
    """
    if not any(is_lazy(tensor) for _, tensor, _ in named_stored(module)):
        return module
    for kind in kinds:
        try:
            return _filled(module, inputs, constants, kind)
        except ForwardError as error:
            failure = error
    raise failure


def _filled(
    module: nn.Module,
    inputs: Mapping[str, TensorSpec],
    constants: Mapping[str, object],
    kind: Kind,
) -> nn.Module:
    mode = mode_of(kind)
    stand_ins = StandIns(module, inputs, kind, mode)
    with torch.no_grad(), preserved_random_state(seed=0):
        with mode:
            for _, tensor, _ in named_stored(module):
                made = stand_ins(tensor)
                if isinstance(tensor, nn.Parameter) and not is_lazy(tensor):
                    made = nn.Parameter(made, requires_grad=tensor.requires_grad)
                    stand_ins.made[id(tensor)] = made
            device = torch.device("meta" if kind == "meta" else "cpu")
            entering = input_tensors(inputs, device, kind, constants)
        subject = evaluation_copy(module, stand_ins.made, stand_ins.unregistered)
        patched = subject.__dict__.get("forward")
        use_settings(subject, {key: constants[key] for key in constants if key not in inputs})
        watcher = _Passing()
        forward(Run(subject, entering, [], [], mode), watcher)
    watcher.modules.forget(subject)
    subject.__dict__.pop("forward", None)
    if patched is not None:
        subject.__dict__["forward"] = patched
    return subject


class _Passing(Watcher):  # type: ignore[no-untyped-call]
    """Sees nothing but which module runs."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Pass a function on."""
        if run := eagerly(self, func, args, kwargs):
            return run()
        return func(*args, **(kwargs or {}))
