"""Merging, reshaping and embedding layers of Keras, and what they share with its functions."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from cnnstat import ops
from cnnstat.importers.keras.call import Call, Tensor
from cnnstat.ir.tensor import TensorSpec

MERGED = {
    **{"Add": "add", "Subtract": "sub", "Multiply": "mul"},
    **{"Maximum": "maximum", "Minimum": "minimum"},
}
"""Kinds of ``Pointwise`` of layers that merge tensors."""


def merging(call: Call) -> Tensor | None:
    """``Add``, ``Subtract``, ``Multiply``, ``Maximum`` ...: elementwise, with broadcasting."""
    return _merged(call, MERGED[call.layer.kind])


def _merged(call: Call, kind: str, suffix: str = "") -> Tensor | None:
    """Return all tensors of a call, two or more, as one."""
    tensors = call.alike(call.tensors)
    if len(tensors) < 2:
        return None
    if kind == "add" and len({x.spec.shape for x in tensors}) == 1:
        return call.add(ops.Add(), *tensors, suffix=suffix)
    made = tensors[0]
    for number, other in enumerate(tensors[1:], 1):
        end = suffix if number == len(tensors) - 1 else f"{kind}_{number}"
        made = call.add(ops.Pointwise(kind), made, other, suffix=end)
    return made


def average(call: Call) -> Tensor | None:
    """``Average``: the sum divided by the number of tensors."""
    summed = _merged(call, "add", "add")
    if summed is None:
        return None
    return call.add(ops.Pointwise("div", None, (("other", len(call.tensors)),)), summed)


def concatenate(call: Call) -> Tensor:
    """``Concatenate`` along one axis."""
    tensors = call.alike(call.tensors)
    return call.add(ops.Concat(tensors[0].axis(call.stated(1, "axis", -1))), *tensors)


def flatten(call: Call) -> Tensor:
    """``Flatten``: all axes but the batch as one."""
    x = call.x
    return call.viewed((*x.spec.shape, 1), x) if x.spec.rank == 1 else call.add(ops.Flatten(), x)


def reshape(call: Call) -> Tensor:
    """``Reshape``; one extent may be -1."""
    target, x = call.option("target_shape", []), call.x
    if not isinstance(target, list | tuple) or any(type(v) is not int for v in target):
        raise call.error(f"target_shape (={target!r}) must be whole numbers")
    n, *shape = filled(call, x, (x.spec.shape[0], *target))
    if len(shape) > 1 and set(shape[:-1]) == {1}:  # one position: no axis changes its place
        made = TensorSpec((n, shape[-1], *shape[:-1]), x.dtype)
        return call.add(ops.View("reshape", (made,)), x, channels_first=True)
    return call.viewed((n, *shape), call.as_keras(x))


def filled(call: Call, x: Tensor, target: Sequence[int]) -> tuple[int, ...]:
    """Return a shape for the elements of a tensor, of which one extent may be -1."""
    total, rest = x.spec.numel, prod(v for v in target if v != -1)
    if target.count(-1) > 1 or rest < 1 or total % rest or (-1 not in target and rest != total):
        raise call.error(f"{total} elements cannot be reshaped to {list(target)}")
    return tuple(total // rest if v == -1 else v for v in target)


def permute(call: Call) -> Tensor:
    """``Permute``: axes in another order, counted from 1 after the batch."""
    x, dims = call.as_keras(call.x), call.option("dims", [])
    if sorted(dims) != list(range(1, x.spec.rank)):
        raise call.error(f"dims (={dims!r}) must be an order of 1 to {x.spec.rank - 1}")
    return call.permuted(x, (0, *dims), "")


def padded(call: Call, x: Tensor, sides: Sequence[tuple[int, int]]) -> Tensor:
    """Return a tensor with constants before and after each of its axes."""
    shape = tuple(b + n + a for n, (b, a) in zip(x.spec.shape, sides, strict=True))
    before, after = zip(*sides, strict=True)
    return call.copied(shape, x, "pad", before=before, after=after)


def repeat_vector(call: Call) -> Tensor:
    """``RepeatVector``: (n, c) -> (n, times, c)."""
    n, c = call.x.spec.shape
    size = (n, call.integer("n"), c)
    single = call.viewed((n, 1, c), call.x, "unsqueeze", suffix="unsqueeze", dim=1)
    return call.viewed(size, single, "expand", size=size)


def embedding(call: Call) -> Tensor | None:
    """``Embedding``."""
    x = call.x if "int" in call.x.dtype else call.cast(call.x, "int32")
    if call.option("lora_rank") or call.layer.policy.quantized:
        return None
    rows = call.add(ops.Embedding(call.integer("input_dim"), call.integer("output_dim")), x)
    return call.cast(rows, call.layer.policy.compute)
