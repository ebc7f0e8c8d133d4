"""Tensors that a module stores: parameters and buffers, each with its path."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from cnnstat.pytorch.module_calls import named_modules


def named_stored(module: nn.Module) -> Iterator[tuple[str, torch.Tensor, bool]]:
    """Yield name and tensor of every parameter, then of every buffer, and whether it is trained.

    Each module is entered once, however deep or circular the module is; a tensor that two modules
    share comes twice.
    """
    modules = list(named_modules(module))
    for trained in (True, False):
        for path, each in modules:
            tensors = each._parameters if trained else each._buffers
            for name, tensor in tensors.items():
                if tensor is not None:
                    yield (f"{path}.{name}" if path else name), tensor, trained


def main_dtype(module: nn.Module) -> torch.dtype | None:
    """Return the dtype of the first floating-point parameter; None where there is none."""
    for _, tensor, trained in named_stored(module):
        if trained and tensor.is_floating_point():
            return tensor.dtype
    return None
