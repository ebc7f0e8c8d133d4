"""Tensors: spec and storage of one, those that a module stores, those in a result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from cnnstat.ir.tensor import TensorSpec

Kind = TypeVar("Kind")


def spec_of(tensor: torch.Tensor) -> TensorSpec:
    """Return shape and dtype of a tensor; of a nested one, which has no shape, its elements."""
    shape = (tensor.numel(),) if tensor.is_nested else tuple(int(n) for n in tensor.shape)
    return TensorSpec(shape, str(tensor.dtype).removeprefix("torch."))


def float_dtype(specs: Mapping[str, TensorSpec]) -> torch.dtype | None:
    """Return the first floating-point dtype of these specs; None where there is none."""
    name = next((spec.dtype for spec in specs.values() if "float" in spec.dtype), None)
    return None if name is None else getattr(torch, name)


def storages(tensors: Iterable[torch.Tensor]) -> set[int]:
    """Return the identities of the tensors' storages."""
    return {tensor.untyped_storage()._cdata for tensor in tensors}


def storage_bytes(tensors: Iterable[torch.Tensor]) -> int:
    """Return the bytes of the tensors' storages, each once."""
    sizes = {t.untyped_storage()._cdata: t.untyped_storage().nbytes() for t in tensors}
    return sum(sizes.values())


def leaves(tree: Any) -> list[torch.Tensor]:
    """Return the tensors in containers as PyTorch flattens them."""
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def named_modules(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield every module with its name, each once, in PyTorch's order, however deep they nest."""
    seen: set[int] = set()
    waiting = [("", module)]
    while waiting:
        name, each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield name, each
        prefix = f"{name}." if name else ""
        waiting += reversed([(prefix + key, child) for key, child in each.named_children()])


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


def returned(result: object, kind: type[Kind]) -> tuple[Kind, ...]:
    """Return the instances of a kind (a tensor's class) in a result, each once, in order.

    Containers are entered, and the attributes of objects.
    """
    instances: dict[int, Kind] = {}
    for each in _walk(result, kind, set()):
        instances.setdefault(id(each), each)
    return tuple(instances.values())


def _walk(value: Any, kind: type[Kind], seen: set[int]) -> Iterator[Kind]:
    if isinstance(value, kind):
        yield value
        return
    if id(value) in seen or isinstance(value, str | bytes | type):
        return
    seen.add(id(value))
    inside: Any = ()
    if isinstance(value, Mapping):
        inside = value.values()
    elif isinstance(value, list | tuple | set | frozenset):
        inside = value
    elif hasattr(value, "__dict__"):
        inside = vars(value).values()
    else:
        names = getattr(type(value), "__slots__", ())
        inside = [getattr(value, name, None) for name in names if isinstance(name, str)]
    for each in list(inside):
        yield from _walk(each, kind, seen)
