"""A copy of a module with stand-ins for its tensors: the run touches the copy alone.

Whatever the forward pass changes (mode, buffers, attributes, hooks) it changes in the copy.
Settings are shared, containers copied; parameters and buffers take no memory.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

_SHARED = (int, float, str, bytes, type(None), type, torch.dtype, torch.device, torch.Size)


def evaluation_copy(module: nn.Module, stand_ins: Mapping[int, torch.Tensor]) -> nn.Module:
    """Return a copy of ``module`` in evaluation mode whose stored tensors are ``stand_ins``.

    ``stand_ins`` has one for the identity of every parameter and buffer.
    """
    memo: dict[int, Any] = dict(stand_ins)
    parts = list(module.modules())
    plain = [part for part in parts if _is_plain(type(part))]
    for part in plain:
        memo[id(part)] = type(part).__new__(type(part))
    for part in plain:
        made = memo[id(part)].__dict__
        for key, value in part.__dict__.items():
            made[key] = _copied(value, memo)
    for part in parts:
        _copied(part, memo).training = False
    found: nn.Module = memo[id(module)]
    return found


def _is_plain(kind: type[nn.Module]) -> bool:
    """Return whether a class copies as its attributes; one with a way of its own keeps it."""
    return (
        not hasattr(kind, "__deepcopy__")
        and not issubclass(kind, torch.jit.ScriptModule)
        and kind.__reduce_ex__ is object.__reduce_ex__
        and getattr(kind, "__getstate__", None) is getattr(object, "__getstate__", None)
    )


def _copied(value: Any, memo: dict[int, Any]) -> Any:
    if isinstance(value, _SHARED):
        return value
    known = memo.get(id(value))
    if known is not None:
        return known
    if type(value) in (dict, OrderedDict, list, set) and not value:
        return type(value)()
    if type(value) is dict:
        return {key: _copied(each, memo) for key, each in value.items()}
    try:
        return copy.deepcopy(value, memo)
    except Exception:  # a lock, a file, a tensor of a computation: shared, as it cannot be copied
        return value
