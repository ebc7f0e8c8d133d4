"""Counts of PyTorch's ``FlopCounterMode`` for a module of the user's own, by module.

The run is that of the capture, with the counter in the place of the capture's notes. Attention is
made of its products: the counter has no rule for the fused form of processors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cnnstat.count.check import LIMITATIONS, ModuleMeasurement
from cnnstat.ir.tensor import TensorSpec
from cnnstat.pytorch.capture.capture import Watcher, forward, prepared
from cnnstat.pytorch.capture.importing import on_emptiest
from cnnstat.pytorch.capture.standins import Kind
from cnnstat.pytorch.tensors import named_stored


def count_module(
    name: str,
    module: nn.Module,
    inputs: Mapping[str, TensorSpec],
    *,
    remake: Callable[[], nn.Module] | None = None,
    constants: Mapping[str, object] = MappingProxyType({}),
) -> ModuleMeasurement:
    """Return the count of one forward pass in evaluation form; arguments and errors as the import.

    Stored tensors are the module's own word, each once.
    """

    def counted(subject: nn.Module, kind: Kind) -> ModuleMeasurement:
        with (
            prepared(subject, inputs, kind, constants) as run,
            FlopCounterMode(display=False) as counter,
        ):
            shares = _Shares(counter)
            forward(run, shares)
        return _measurement(subject, shares.flops, counter.get_total_flops())

    return on_emptiest(name, module, inputs, counted, remake, constants)[0]


def _measurement(module: nn.Module, flops: Mapping[str, int], total: int) -> ModuleMeasurement:
    """Return what was counted of a module, and the elements of what it stores, each once."""
    elements = {True: 0, False: 0}
    left_out = {row.tensor for row in LIMITATIONS}
    distinct = {id(each[1]): each for each in reversed(list(named_stored(module)))}
    for path, tensor, trained in distinct.values():
        if path.rpartition(".")[2] not in left_out:
            elements[trained] += tensor.numel()
    return ModuleMeasurement(elements[True], elements[False], flops, total)


class _Shares(Watcher):  # type: ignore[no-untyped-call]
    """Notes what the calls of each module add to a counter; modules without calls are left out."""

    def __init__(self, counter: FlopCounterMode) -> None:
        super().__init__()
        self._counter = counter
        self.flops: dict[str, int] = {"": 0}

    def run(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Pass a function on to the counter and note what that makes of it."""
        before = self._counter.get_total_flops()
        aten = torch.ops.aten
        if func is aten.scaled_dot_product_attention.default:
            result = aten._scaled_dot_product_attention_math(*args, **kwargs)[0]
        else:
            result = func(*args, **kwargs)
        path = self.modules.path
        added = self._counter.get_total_flops() - before
        self.flops[path] = self.flops.get(path, 0) + added
        return result
