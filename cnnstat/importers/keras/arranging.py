"""Functions of ``keras.ops`` that move elements."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from cnnstat import ops
from cnnstat.importers.keras.call import Call, Results, Tensor
from cnnstat.importers.keras.shapes import filled, padded
from cnnstat.ir.tensor import TensorSpec


def axes_of(call: Call, rank: int) -> tuple[int, ...]:
    """Return the axes that a function names, all where it names none; raises ``ModelError``."""
    axis = call.stated(1, "axis")
    return tuple(range(rank)) if axis is None else call.places(axis, rank)


def transpose(call: Call) -> Tensor:
    """``transpose``: axes in another order, by default the reverse."""
    x = call.as_keras(call.x)
    rank = x.spec.rank
    order = call.stated(1, "axes") or list(reversed(range(rank)))
    if sorted(order) != list(range(rank)):
        raise call.error(f"axes (={order!r}) must be an order of 0 to {rank - 1}")
    return call.permuted(x, tuple(order), "")


def swapaxes(call: Call) -> Tensor:
    """``swapaxes``: two axes exchanged."""
    x = call.as_keras(call.x)
    order = list(range(x.spec.rank))
    one, other = (x.axis(call.stated(k, f"axis{k}")) for k in (1, 2))
    order[one], order[other] = other, one
    return call.permuted(x, tuple(order), "")


def reshape(call: Call) -> Tensor:
    """``reshape``; one extent may be -1, and the first is the batch where it is left open."""
    x = call.as_keras(call.x)
    target = [-1 if v is None else v for v in call.stated(1, "newshape", [])]
    return call.viewed(filled(call, x, target), x)


def stack(call: Call) -> Tensor:
    """``stack``: tensors along a new axis."""
    tensors = [call.as_keras(x) for x in call.tensors]
    shape = tensors[0].spec.shape
    axis = call.stated(1, "axis", 0) % (len(shape) + 1)
    spec = TensorSpec((*shape[:axis], len(tensors), *shape[axis:]), tensors[0].dtype)
    return call.add(ops.Rearrange("stack", (spec,), (("dim", axis),)), *tensors)


def split(call: Call) -> Results:
    """``split``: equal parts along an axis, or parts between positions."""
    x = call.as_keras(call.x)
    axis = x.axis(call.stated(2, "axis", 0))
    parts, extent = call.stated(1, "indices_or_sections"), x.spec.shape[axis]
    if type(parts) is int:
        if parts < 1 or extent % parts:
            raise call.error(f"{extent} elements cannot be split into {parts} parts")
        parts = [extent // parts * k for k in range(1, parts)]
    ends = [0, *(each % (extent + 1) for each in parts), extent]
    sizes = tuple(after - before for before, after in pairwise(ends))
    before, after = x.spec.shape[:axis], x.spec.shape[axis + 1 :]
    specs = tuple(TensorSpec((*before, size, *after), x.dtype) for size in sizes)
    arguments = (("split_sizes", sizes), ("dim", axis))
    return call.add_all(ops.View("split_with_sizes", specs, arguments), x)


def expand_dims(call: Call) -> Tensor | None:
    """``expand_dims``: an axis of one element."""
    x, axis = call.as_keras(call.x), call.stated(1, "axis")
    return _unsqueezed(call, x, axis % (x.spec.rank + 1)) if type(axis) is int else None


def _unsqueezed(call: Call, x: Tensor, axis: int, suffix: str = "") -> Tensor:
    shape = (*x.spec.shape[:axis], 1, *x.spec.shape[axis:])
    return call.viewed(shape, x, "unsqueeze", suffix=suffix, dim=axis)


def squeeze(call: Call) -> Tensor:
    """``squeeze``: axes of one element taken away."""
    x = call.as_keras(call.x)
    single = [a for a, n in enumerate(x.spec.shape) if n == 1]
    axes = single if call.stated(1, "axis") is None else axes_of(call, x.spec.rank)
    return call.viewed(tuple(n for a, n in enumerate(x.spec.shape) if a not in axes), x)


def get_item(call: Call) -> Tensor | None:
    """``x[...]`` by slices, whole numbers, ``...`` and new axes; None for computed indices."""
    key, x = call.stated(1, "key"), call.as_keras(call.x)
    entries = [_index(each) for each in (key if isinstance(key, list) else [key])]
    missing = x.spec.rank - sum(each is not None and each is not ... for each in entries)
    full: list[Any] = []
    for each in entries:
        full += [slice(None)] * missing if each is ... else [each]
    axis = 0
    for number, each in enumerate(full):
        suffix = "" if number == len(full) - 1 else f"index_{number}"
        if each is None:
            x = _unsqueezed(call, x, axis, suffix)
            axis += 1
            continue
        before, (extent, *after) = x.spec.shape[:axis], x.spec.shape[axis:]
        if type(each) is int and -extent <= each < extent:
            shape = (*before, *after)
            x = call.viewed(shape, x, "select", suffix=suffix, dim=axis, index=each)
            continue
        span = range(*each.indices(extent)) if isinstance(each, slice) else range(0)
        if span.step < 1 or not span:
            return None
        if len(span) < extent or suffix == "":
            starts = (*(0 for _ in before), span.start, *(0 for _ in after))
            steps = (*(1 for _ in before), span.step, *(1 for _ in after))
            shape = (*before, len(span), *after)
            x = call.viewed(shape, x, "slice", suffix=suffix, starts=starts, steps=steps)
        axis += 1
    return x


def _index(each: Any) -> Any:
    """Return one part of an index as Python has it."""
    if not isinstance(each, dict):
        return each if each is None or type(each) is int else "computed"
    kind = str(each.get("class_name", ""))
    if kind == "__slice__":
        return slice(*(each["config"].get(key) for key in ("start", "stop", "step")))
    return ... if "ellipsis" in kind.lower() else "computed"


def cast(call: Call) -> Tensor:
    """``cast`` to another element type."""
    return call.cast(call.x, str(call.stated(1, "dtype", call.x.dtype)), "")


def pad(call: Call) -> Tensor | None:
    """``pad`` with a constant."""
    widths, x = call.stated(1, "pad_width"), call.as_keras(call.x)
    if call.stated(2, "mode", "constant") != "constant" or not isinstance(widths, list):
        return None
    sides = widths if isinstance(widths[0], list) else [widths] * x.spec.rank
    return padded(call, x, [(before, after) for before, after in sides])


def flip(call: Call) -> Tensor:
    """``flip``: the elements along some axes in reverse."""
    x = call.as_keras(call.x)
    return call.copied(x.spec.shape, x, "flip", dims=axes_of(call, x.spec.rank))


def roll(call: Call) -> Tensor:
    """``roll``: elements shifted along an axis, the last ones to its beginning."""
    x, axis = call.as_keras(call.x), call.stated(2, "axis")
    if type(axis) is not int:
        return call.copied(x.spec.shape, x, "roll")
    shift = call.stated(1, "shift", 0)
    return call.copied(x.spec.shape, x, "roll", shifts=(shift,), dims=(axis % x.spec.rank,))


def repeat(call: Call) -> Tensor | None:
    """``repeat``: each element several times along an axis."""
    x = call.as_keras(call.x)
    times, axis = call.stated(1, "repeats"), call.stated(2, "axis")
    if type(times) is not int or type(axis) is not int or times < 1:
        return None
    axis = x.axis(axis)
    shape = tuple(n * times if a == axis else n for a, n in enumerate(x.spec.shape))
    return call.copied(shape, x, "repeat_interleave", repeats=times, dim=axis)


def tile(call: Call) -> Tensor | None:
    """``tile``: the whole tensor several times along its axes."""
    x, times = call.as_keras(call.x), call.stated(1, "repeats")
    times = [times] if type(times) is int else times
    if not isinstance(times, list) or any(type(t) is not int or t < 1 for t in times):
        return None
    times = (*[1] * (x.spec.rank - len(times)), *times)
    if len(times) > x.spec.rank:
        return None
    shape = tuple(n * t for n, t in zip(x.spec.shape, times, strict=True))
    return call.copied(shape, x, "repeat", repeats=times)


def one_hot(call: Call) -> Tensor | None:
    """``one_hot``: each index as a row of zeros with a one."""
    count, axis = call.stated(1, "num_classes"), call.stated(2, "axis", -1)
    if type(count) is not int or axis != -1:
        return None
    x = call.as_keras(call.x)
    spec = TensorSpec((*x.spec.shape, count), str(call.option("dtype", "float32")))
    return call.add(ops.Rearrange("one_hot", (spec,)), x)
