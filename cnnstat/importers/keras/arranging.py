"""Functions of ``keras.ops`` that move elements, and the arguments of functions."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import prod
from typing import Any

from cnnstat import ops
from cnnstat.importers.keras.call import Call, Rule, Tensor
from cnnstat.importers.keras.shapes import permuted
from cnnstat.ir.op import Arguments
from cnnstat.ir.tensor import TensorSpec


def stated(call: Call, position: int, name: str, default: Any = None) -> Any:
    """Return an argument of a function: of its call, else among its options."""
    positional = call.arguments.positional
    if position < len(positional):
        return positional[position]
    value = call.named.get(name)
    return call.layer.options.get(name, default) if value is None else value


def axes_of(call: Call, rank: int, name: str = "axis") -> tuple[int, ...]:
    """Return the axes that a function names, all where it names none; raises ``ModelError``."""
    axis = stated(call, 1, name)
    listed = range(rank) if axis is None else axis if isinstance(axis, list) else [axis]
    if any(type(a) is not int or not -rank <= a < max(rank, 1) for a in listed):
        raise call.error(f"axis (={axis!r}) must be among {rank}")
    return tuple(a % rank for a in listed)


def transpose(call: Call) -> Tensor:
    """``transpose``: axes in another order, by default the reverse."""
    x = call.as_keras(call.x)
    rank = x.spec.rank
    order = stated(call, 1, "axes") or list(reversed(range(rank)))
    if sorted(order) != list(range(rank)):
        raise call.error(f"axes (={order!r}) must be an order of 0 to {rank - 1}")
    return permuted(call, x, tuple(order), "")


def swapaxes(call: Call) -> Tensor:
    """``swapaxes``: two axes exchanged."""
    x = call.as_keras(call.x)
    order = list(range(x.spec.rank))
    one, other = (x.axis(stated(call, k, f"axis{k}")) for k in (1, 2))
    order[one], order[other] = other, one
    return permuted(call, x, tuple(order), "")


def reshape(call: Call) -> Tensor:
    """``reshape``; one extent may be -1, and the first is the batch where it is left open."""
    x = call.as_keras(call.x)
    target = [-1 if v is None else v for v in stated(call, 1, "newshape", [])]
    rest = prod(v for v in target if v != -1)
    if target.count(-1) > 1 or rest < 1 or x.spec.numel % rest:
        raise call.error(f"{x.spec.numel} elements cannot be reshaped to {target}")
    return call.viewed(tuple(x.spec.numel // rest if v == -1 else v for v in target), x)


def concatenate(call: Call) -> Tensor:
    """``concatenate`` along one axis."""
    tensors = call.alike(call.tensors)
    return call.add(ops.Concat(tensors[0].axis(stated(call, 1, "axis", -1))), *tensors)


def stack(call: Call) -> Tensor:
    """``stack``: tensors along a new axis."""
    tensors = [call.as_keras(x) for x in call.tensors]
    shape = tensors[0].spec.shape
    axis = stated(call, 1, "axis", 0) % (len(shape) + 1)
    spec = TensorSpec((*shape[:axis], len(tensors), *shape[axis:]), tensors[0].dtype)
    return call.add(ops.Rearrange("stack", (spec,), (("dim", axis),)), *tensors)


def split(call: Call) -> tuple[Tensor, ...]:
    """``split``: equal parts along an axis, or parts between positions."""
    x = call.as_keras(call.x)
    axis = x.axis(stated(call, 2, "axis", 0))
    parts, extent = stated(call, 1, "indices_or_sections"), x.spec.shape[axis]
    if type(parts) is int:
        if parts < 1 or extent % parts:
            raise call.error(f"{extent} elements cannot be split into {parts} parts")
        parts = [extent // parts * k for k in range(1, parts)]
    ends = [0, *(each % (extent + 1) for each in parts), extent]
    sizes = [after - before for before, after in pairwise(ends)]
    before, after = x.spec.shape[:axis], x.spec.shape[axis + 1 :]
    specs = tuple(TensorSpec((*before, size, *after), x.dtype) for size in sizes)
    arguments = (("split_sizes", tuple(sizes)), ("dim", axis))
    return call.add_all(ops.View("split_with_sizes", specs, arguments), x)


def expand_dims(call: Call) -> Tensor | None:
    """``expand_dims``: an axis of one element."""
    x = call.as_keras(call.x)
    axis = stated(call, 1, "axis")
    if type(axis) is not int:
        return None
    axis %= x.spec.rank + 1
    shape = (*x.spec.shape[:axis], 1, *x.spec.shape[axis:])
    return call.viewed(shape, x, "unsqueeze", (("dim", axis),))


def squeeze(call: Call) -> Tensor:
    """``squeeze``: axes of one element taken away."""
    x = call.as_keras(call.x)
    single = [a for a, n in enumerate(x.spec.shape) if n == 1]
    axes = single if stated(call, 1, "axis") is None else axes_of(call, x.spec.rank)
    shape = tuple(n for a, n in enumerate(x.spec.shape) if a not in axes)
    return call.viewed(shape, x)


def get_item(call: Call) -> Tensor | None:
    """``x[...]`` by slices, whole numbers, ``...`` and new axes; None for computed indices."""
    key = stated(call, 1, "key")
    entries = key if isinstance(key, list) else [key]
    x = call.as_keras(call.x)
    fixed = sum(each is not None and not _is_ellipsis(each) for each in entries)
    full: list[Any] = []
    for each in entries:
        missing = x.spec.rank - fixed if _is_ellipsis(each) else 0
        full += [slice(None)] * missing if _is_ellipsis(each) else [_index(each)]
    axis = 0
    for number, each in enumerate(full):
        suffix = "" if number == len(full) - 1 else f"index_{number}"
        extent = x.spec.shape[axis] if each is not None else 1
        before, after = x.spec.shape[:axis], x.spec.shape[axis + (each is not None) :]
        if each is None:
            x = call.viewed((*before, 1, *after), x, "unsqueeze", (("dim", axis),), suffix=suffix)
            axis += 1
        elif type(each) is int and -extent <= each < extent:
            chosen = (("dim", axis), ("index", each))
            x = call.viewed((*before, *after), x, "select", chosen, suffix=suffix)
        elif isinstance(each, slice):
            span = range(*each.indices(extent))
            if span.step < 1 or not span:
                return None
            starts = (*(0 for _ in before), span.start, *(0 for _ in after))
            steps = (*(1 for _ in before), span.step, *(1 for _ in after))
            if len(span) < extent or suffix == "":
                arguments = (("starts", starts), ("steps", steps))
                shape = (*before, len(span), *after)
                x = call.viewed(shape, x, "slice", arguments, suffix=suffix)
            axis += 1
        else:
            return None
    return x


def _is_ellipsis(each: Any) -> bool:
    return isinstance(each, dict) and "ellipsis" in str(each.get("class_name", "")).lower()


def _index(each: Any) -> Any:
    if isinstance(each, dict) and each.get("class_name") == "__slice__":
        config = each["config"]
        return slice(config.get("start"), config.get("stop"), config.get("step"))
    return each if each is None or type(each) is int else "computed"


def cast(call: Call) -> Tensor:
    """``cast`` to another element type."""
    kind = str(stated(call, 1, "dtype", call.x.dtype))
    return call.cast(call.x, kind, "")


def pad(call: Call) -> Tensor | None:
    """``pad`` with a constant."""
    widths = stated(call, 1, "pad_width")
    x = call.as_keras(call.x)
    if stated(call, 2, "mode", "constant") != "constant" or not isinstance(widths, list):
        return None
    sides = widths if isinstance(widths[0], list) else [widths] * x.spec.rank
    shape = tuple(b + n + a for n, (b, a) in zip(x.spec.shape, sides, strict=True))
    before, after = zip(*map(tuple, sides), strict=True)
    arguments = (("before", before), ("after", after))
    return call.add(ops.Rearrange("pad", (TensorSpec(shape, x.dtype),), arguments), x)


def moved(kind: str, arguments: Callable[[Call, Tensor], Arguments]) -> Rule:
    """Return the rule of a function that moves elements within one shape."""

    def rule(call: Call) -> Tensor:
        x = call.as_keras(call.x)
        return call.add(ops.Rearrange(kind, (x.spec,), arguments(call, x)), x)

    return rule


def flipped(call: Call, x: Tensor) -> Arguments:
    """Return the axes that ``flip`` turns round."""
    return (("dims", axes_of(call, x.spec.rank)),)


def rolled(call: Call, x: Tensor) -> Arguments:
    """Return the axis along which ``roll`` shifts, and how far."""
    axis, shift = stated(call, 2, "axis"), stated(call, 1, "shift", 0)
    if type(axis) is not int:
        return ()
    return (("shifts", (shift,)), ("dims", (axis % x.spec.rank,)))


def repeat(call: Call) -> Tensor | None:
    """``repeat``: each element several times along an axis."""
    x = call.as_keras(call.x)
    times, axis = stated(call, 1, "repeats"), stated(call, 2, "axis")
    if type(times) is not int or type(axis) is not int or times < 1:
        return None
    axis = x.axis(axis)
    shape = tuple(n * times if a == axis else n for a, n in enumerate(x.spec.shape))
    arguments = (("repeats", times), ("dim", axis))
    return call.add(ops.Rearrange("repeat_interleave", (TensorSpec(shape, x.dtype),), arguments), x)


def tile(call: Call) -> Tensor | None:
    """``tile``: the whole tensor several times along its axes."""
    x = call.as_keras(call.x)
    times = stated(call, 1, "repeats")
    times = [times] if type(times) is int else times
    if not isinstance(times, list) or any(type(t) is not int or t < 1 for t in times):
        return None
    times = [*[1] * (x.spec.rank - len(times)), *times]
    if len(times) > x.spec.rank:
        return None
    shape = tuple(n * t for n, t in zip(x.spec.shape, times, strict=True))
    arguments = (("repeats", tuple(times)),)
    return call.add(ops.Rearrange("repeat", (TensorSpec(shape, x.dtype),), arguments), x)


def one_hot(call: Call) -> Tensor | None:
    """``one_hot``: each index as a row of zeros with a one."""
    count, axis = stated(call, 1, "num_classes"), stated(call, 2, "axis", -1)
    dtype = str(call.layer.options.get("dtype") or "float32")
    if type(count) is not int or axis != -1:
        return None
    x = call.as_keras(call.x)
    spec = TensorSpec((*x.spec.shape, count), dtype)
    return call.add(ops.Rearrange("one_hot", (spec,)), x)
