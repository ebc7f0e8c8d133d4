"""A copy of a module with stand-ins for its tensors: the run touches the copy alone.

Whatever the forward pass changes (mode, buffers, attributes, hooks) it changes in the copy.
Settings are shared, containers copied; parameters and buffers take no memory.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

_WAYS = ("__deepcopy__", "__getstate__", "__setstate__", "__reduce__", "__reduce_ex__")
_SHARED = (int, float, str, bytes, type(None), type, torch.dtype, torch.device, torch.Size)


def filled_copy(module: nn.Module, filling: Callable[[torch.Tensor], torch.Tensor]) -> nn.Module:
    """Return such a copy whose stored tensors are what ``filling`` makes of each."""
    stored = [*module.parameters(), *module.buffers()]
    return evaluation_copy(module, {id(tensor): filling(tensor) for tensor in stored})


def evaluation_copy(module: nn.Module, stand_ins: Mapping[int, torch.Tensor]) -> nn.Module:
    """Return a copy of ``module`` in evaluation mode whose stored tensors are ``stand_ins``.

    ``stand_ins`` has one for the identity of every parameter and buffer.
    """
    memo: dict[int, Any] = dict(stand_ins)
    parts = list(module.modules())
    plain = [part for part in parts if _is_plain(type(part))]
    for part in plain:
        memo[id(part)] = type(part).__new__(type(part))
    for part in parts:
        if id(part) not in memo and not _copies_itself(part, memo):
            memo[id(part)] = type(part).__new__(type(part))
            plain.append(part)
    for part in plain:
        made = memo[id(part)].__dict__
        for key, value in part.__dict__.items():
            if key != "_compiled_call_impl":  # it would call the original
                made[key] = _copied(value, memo)
    for part in parts:
        memo[id(part)].training = False
    found: nn.Module = memo[id(module)]
    return found


def _is_plain(kind: type[nn.Module]) -> bool:
    """Return whether a class copies as its attributes; one with a way of its own keeps it."""
    own = [vars(base) for base in kind.__mro__ if base not in (nn.Module, object)]
    return not any(name in names for names in own for name in _WAYS)


def _copies_itself(part: nn.Module, memo: dict[int, Any]) -> bool:
    """Copy a module in its own way into the memo; return whether that went well."""
    try:
        memo[id(part)] = copy.deepcopy(part, memo)
    except Exception:
        return False
    return True


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
