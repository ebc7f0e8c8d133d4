"""Normalisation layers of Keras, over any axes, with a scale and a shift or one of them."""

from __future__ import annotations

from math import prod

from cnnstat import ops
from cnnstat.importers.keras.call import Call, Tensor
from cnnstat.importers.keras.shapes import permuted
from cnnstat.ir.op import Op
from cnnstat.ir.tensor import TensorSpec

Order = tuple[int, ...]


def _channels_at_1(call: Call) -> tuple[Tensor, Order]:
    """Return the first tensor with the option's ``axis`` as its axis 1, and how the axes moved."""
    axis = call.option("axis", -1)
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    x = call.x
    rank = x.spec.rank
    if type(axis) is not int or not -rank <= axis < rank:
        raise call.error(f"axis (={axis!r}) must be one of {rank}")
    place = axis % rank
    if place == rank - 1:
        return call.with_channels_first(x), ()
    x = call.as_keras(x)
    if place == 1:
        return x, ()
    order = (0, place, *(each for each in range(1, rank) if each != place))
    return permuted(call, x, order, "permute"), order


def _back(call: Call, x: Tensor, order: Order) -> Tensor:
    """Undo a permutation of axes."""
    return permuted(call, x, tuple(map(order.index, range(len(order)))), "back") if order else x


def _scaled(call: Call, x: Tensor, shape: Order, *, scale: bool, center: bool) -> Tensor:
    """Return x * gamma + beta with one of the two, or both, as parameters of this shape."""
    for wanted, kind, name in ((scale, "mul", "gamma"), (center, "add", "beta")):
        if wanted:
            value = call.parameter(shape, name, "weight" if name == "gamma" else "bias")
            x = call.add(ops.Pointwise(kind), x, value, suffix=kind)
    return x


def _normalized(call: Call, op: Op, plain: Op, x: Tensor, shape: Order) -> Tensor:
    """Return a tensor behind ``op``; behind ``plain`` and one parameter where it has only that."""
    scale, center = call.flag("scale", default=True), call.flag("center", default=True)
    if scale == center:
        return call.add(op if scale else plain, x)
    return _scaled(call, call.add(plain, x), shape, scale=scale, center=center)


def batch_norm(call: Call) -> Tensor:
    """``BatchNormalization``; the moving statistics are buffers."""
    x, order = _channels_at_1(call)
    eps = float(call.option("epsilon", 1e-3))
    shape = (x.spec.shape[1], *(1,) * (x.spec.rank - 2))
    ways = ops.BatchNorm2d(eps=eps), ops.BatchNorm2d(False, eps=eps)
    return _back(call, _normalized(call, *ways, x, shape), order)


def group_norm(call: Call) -> Tensor:
    """``GroupNormalization``; -1 groups are one for each channel."""
    x, order = _channels_at_1(call)
    channels, groups = x.spec.shape[1], call.integer("groups", 32)
    groups = channels if groups == -1 else groups
    eps = float(call.option("epsilon", 1e-3))
    shape = (channels, *(1,) * (x.spec.rank - 2))
    ways = ops.GroupNorm(groups, True, eps), ops.GroupNorm(groups, False, eps)
    return _back(call, _normalized(call, *ways, x, shape), order)


def _axes_last(call: Call) -> tuple[Tensor, int, Order]:
    """Return the first tensor with the option's ``axis`` last, their number, how the axes moved."""
    x = call.as_keras(call.x)
    rank = x.spec.rank
    axis = call.option("axis", -1)
    stated = axis if isinstance(axis, list) else [axis]
    if not stated or any(type(a) is not int or not -rank <= a < rank for a in stated):
        raise call.error(f"axis (={axis!r}) must be among {rank}")
    axes = sorted({a % rank for a in stated})
    order = (*(a for a in range(rank) if a not in axes), *axes)
    moved = order if order != tuple(range(rank)) else ()
    return permuted(call, x, order, "permute"), len(axes), moved


def layer_norm(call: Call) -> Tensor:
    """``LayerNormalization`` over any axes."""
    x, count, order = _axes_last(call)
    shape, eps = x.spec.shape[-count:], float(call.option("epsilon", 1e-3))
    if call.flag("rms_scaling", default=False):
        return _back(call, call.add(ops.RMSNorm(count, True, eps), x), order)
    ways = ops.LayerNorm(count, True, True, eps), ops.LayerNorm(count, False, False, eps)
    return _back(call, _normalized(call, *ways, x, shape), order)


def rms_norm(call: Call) -> Tensor:
    """``RMSNormalization`` over one axis or several."""
    x, count, order = _axes_last(call)
    eps = float(call.option("epsilon", 1e-6))
    return _back(call, call.add(ops.RMSNorm(count, True, eps), x), order)


def unit_norm(call: Call) -> Tensor:
    """``UnitNormalization``: each vector along the axes divided by its length."""
    x, count, order = _axes_last(call)
    *front, last = (*x.spec.shape[:-count], prod(x.spec.shape[-count:]))
    joined = x if count == 1 else call.viewed((*front, last), x, suffix="join")
    arguments = (("dim", -1), ("p", 2))
    made = call.add(ops.Function("lp_normalization", (joined.spec,), arguments), joined)
    return _back(
        call, made if count == 1 else call.viewed(x.spec.shape, made, suffix="split"), order
    )


def rescaling(call: Call) -> Tensor:
    """``Rescaling``: x * scale + offset; each may be a list, a number for each channel."""
    x = call.x if "float" in call.x.dtype else call.cast(call.x, call.policy.compute)
    scale, offset = call.option("scale", 1.0), call.option("offset", 0.0)
    scaled = call.add(ops.Pointwise("mul", None, _number(scale)), x)
    if not offset:
        return scaled
    return call.add(ops.Pointwise("add", None, _number(offset)), scaled, suffix="offset")


def _number(value: object) -> tuple[tuple[str, float], ...]:
    return (("other", float(value)),) if isinstance(value, int | float) else ()


def normalization(call: Call) -> Tensor:
    """Read ``Normalization``: by constants, or by adapted statistics, which are buffers."""
    x = call.x if "float" in call.x.dtype else call.cast(call.x, call.policy.compute)
    if call.option("mean") is not None:
        centered = call.add(ops.Pointwise("sub"), x)
        return call.add(ops.Pointwise("div"), centered, suffix="div")
    axis = call.layer.options.get("axis", -1)
    rank = x.spec.rank
    stated = [] if axis is None else axis if isinstance(axis, list) else [axis]
    if any(type(a) is not int or not -rank <= a < rank for a in stated):
        raise call.error(f"axis (={axis!r}) must be among {rank}")
    axes = sorted(a % rank for a in stated)
    shape = tuple(x.shape[a] for a in axes)
    statistics = [call.parameter(shape, name, "buffer") for name in ("mean", "variance")]
    call.parameter((), "count", "buffer", "int32")
    places = {x.axis(a): x.shape[a] for a in axes}
    wide = tuple(places.get(place, 1) for place in range(rank))
    for kind, value in zip(("sub", "div"), statistics, strict=True):
        if wide[rank - len(shape) :] != shape:
            view = ops.View("reshape", (TensorSpec(wide, value.dtype),))
            value = call.add(view, value, suffix=f"{kind}/reshape")
        x = call.add(ops.Pointwise(kind), x, value, suffix="" if kind == "sub" else kind)
    return x
