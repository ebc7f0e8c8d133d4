"""Merging, reshaping and embedding layers of Keras, and its elementwise functions."""

from __future__ import annotations

from math import prod

from cnnstat import ops
from cnnstat.importers.keras.call import Call, Rule, Tensor
from cnnstat.ir.op import Arguments, Op
from cnnstat.ir.tensor import TensorSpec


def _other(*number: float) -> Arguments:
    """Return the argument of an operation with a number."""
    return tuple(("other", each) for each in number)


def merging(kind: str) -> Rule:
    """``Add``, ``Subtract``, ``Multiply``, ``Maximum`` ...: elementwise, with broadcasting."""
    return lambda call: merged(call, kind)


def merged(call: Call, kind: str, suffix: str = "") -> Tensor | None:
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
    summed = merged(call, "add", "add")
    if summed is None:
        return None
    return call.add(ops.Pointwise("div", None, _other(len(call.tensors))), summed)


def concatenate(call: Call) -> Tensor:
    """``Concatenate`` along one axis."""
    tensors = call.alike(call.tensors)
    axis = call.option("axis", -1)
    return call.add(ops.Concat(tensors[0].axis(axis)), *tensors)


def flatten(call: Call) -> Tensor:
    """``Flatten``: all axes but the batch as one."""
    x = call.x
    if x.spec.rank == 1:
        return call.viewed((x.spec.shape[0], 1), x)
    return call.add(ops.Flatten(), x, channels_first=False)


def reshape(call: Call) -> Tensor:
    """``Reshape``; one extent may be -1."""
    target = call.option("target_shape", [])
    x = call.x
    n, total = x.spec.shape[0], prod(x.spec.shape[1:])
    if not isinstance(target, list | tuple) or any(type(v) is not int for v in target):
        raise call.error(f"target_shape (={target!r}) must be whole numbers")
    rest = prod(v for v in target if v != -1)
    if target.count(-1) > 1 or rest < 1 or total % rest or (-1 not in target and rest != total):
        raise call.error(f"{total} elements cannot be reshaped to {target}")
    shape = (n, *(total // rest if v == -1 else v for v in target))
    if len(shape) > 2 and set(shape[1:-1]) == {1}:  # one position: no axis changes its place
        made = TensorSpec((n, shape[-1], *shape[1:-1]), x.dtype)
        return call.add(ops.View("reshape", (made,)), x, channels_first=True)
    return call.viewed(shape, call.as_keras(x))


def permute(call: Call) -> Tensor:
    """``Permute``: axes in another order, counted from 1 after the batch."""
    x = call.as_keras(call.x)
    dims = call.option("dims", [])
    if sorted(dims) != list(range(1, x.spec.rank)):
        raise call.error(f"dims (={dims!r}) must be an order of 1 to {x.spec.rank - 1}")
    shape = (x.spec.shape[0], *(x.spec.shape[d] for d in dims))
    return call.viewed(shape, x, "permute", (("dims", (0, *dims)),))


def repeat_vector(call: Call) -> Tensor:
    """``RepeatVector``: (n, c) -> (n, times, c)."""
    n, c = call.x.spec.shape
    times = call.integer("n")
    single = call.viewed((n, 1, c), call.x, "unsqueeze", (("dim", 1),), suffix="unsqueeze")
    return call.viewed((n, times, c), single, "expand", (("size", (n, times, c)),))


def embedding(call: Call) -> Tensor | None:
    """``Embedding``."""
    x = call.x if "int" in call.x.dtype else call.cast(call.x, "int32")
    if call.layer.options.get("lora_rank") or call.policy.quantized:
        return None
    op: Op = ops.Embedding(call.integer("input_dim"), call.integer("output_dim"))
    return call.computed(call.add(op, x), "to")


def permuted(call: Call, x: Tensor, order: tuple[int, ...], suffix: str) -> Tensor:
    """Return a tensor in Keras' order of axes with its axes in another order."""
    if order == tuple(range(x.spec.rank)):
        return x
    shape = tuple(x.spec.shape[axis] for axis in order)
    return call.viewed(shape, x, "permute", (("dims", order),), suffix=suffix)
