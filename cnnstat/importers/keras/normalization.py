"""Normalisation layers of Keras, over any axes, with a scale and a shift or one of them."""

from __future__ import annotations

from math import prod

from cnnstat import ops
from cnnstat.importers.keras.call import Call, Tensor
from cnnstat.ir.op import Arguments, Op

Order = tuple[int, ...]


def _channels_at_1(call: Call) -> tuple[Tensor, Order]:
    """Return the first tensor with the option's ``axis`` as its axis 1, and how the axes moved."""
    x, rank = call.x, call.x.spec.rank
    place, *more = call.places(call.option("axis", -1), rank)
    if more:
        raise call.error("axis must be a single one")
    if place == rank - 1:
        return call.with_channels_first(x), ()
    return _moved(call, (0, place, *(each for each in range(1, rank) if each != place)))


def _axes_last(call: Call) -> tuple[Tensor, int, Order]:
    """Return the first tensor with the option's ``axis`` last, their number, how the axes moved."""
    rank = call.x.spec.rank
    axes = sorted(set(call.places(call.option("axis", -1), rank)))
    x, order = _moved(call, (*(a for a in range(rank) if a not in axes), *axes))
    return x, len(axes), order


def _moved(call: Call, order: Order) -> tuple[Tensor, Order]:
    moved = order if order != tuple(range(len(order))) else ()
    return call.permuted(call.as_keras(call.x), order), moved


def _back(call: Call, x: Tensor, order: Order) -> Tensor:
    """Undo a permutation of axes."""
    return call.permuted(x, tuple(map(order.index, range(len(order)))), "back") if order else x


def _normalized(call: Call, op: Op, plain: Op, x: Tensor, shape: Order) -> Tensor:
    """Return a tensor behind ``op``; behind ``plain`` and one parameter where it has only that."""
    scale, center = (bool(call.option(key, default=True)) for key in ("scale", "center"))
    if scale == center:
        return call.add(op if scale else plain, x)
    x = call.add(plain, x)
    if scale:
        return call.add(ops.Pointwise("mul"), x, call.parameter(shape, "gamma"), suffix="mul")
    return call.add(ops.Pointwise("add"), x, call.parameter(shape, "beta", "bias"), suffix="add")


def batch_norm(call: Call) -> Tensor:
    """``BatchNormalization``; the moving statistics are buffers."""
    x, order = _channels_at_1(call)
    eps = float(call.option("epsilon", 1e-3))
    return _by_channel(call, x, order, ops.BatchNorm2d(eps=eps), ops.BatchNorm2d(False, eps=eps))


def group_norm(call: Call) -> Tensor:
    """``GroupNormalization``; -1 groups are one for each channel."""
    x, order = _channels_at_1(call)
    groups, eps = call.integer("groups", 32), float(call.option("epsilon", 1e-3))
    groups = x.spec.shape[1] if groups == -1 else groups
    ways = ops.GroupNorm(groups, True, eps), ops.GroupNorm(groups, False, eps)
    return _by_channel(call, x, order, *ways)


def _by_channel(call: Call, x: Tensor, order: Order, op: Op, plain: Op) -> Tensor:
    shape = (x.spec.shape[1], *(1,) * (x.spec.rank - 2))
    return _back(call, _normalized(call, op, plain, x, shape), order)


def layer_norm(call: Call) -> Tensor:
    """``LayerNormalization`` over any axes."""
    if call.option("rms_scaling"):
        return rms_norm(call, 1e-3)
    x, count, order = _axes_last(call)
    shape, eps = x.spec.shape[-count:], float(call.option("epsilon", 1e-3))
    ways = ops.LayerNorm(count, True, True, eps), ops.LayerNorm(count, False, False, eps)
    return _back(call, _normalized(call, *ways, x, shape), order)


def rms_norm(call: Call, epsilon: float = 1e-6) -> Tensor:
    """``RMSNormalization`` over one axis or several."""
    x, count, order = _axes_last(call)
    op = ops.RMSNorm(count, True, float(call.option("epsilon", epsilon)))
    return _back(call, call.add(op, x), order)


def unit_norm(call: Call) -> Tensor:
    """``UnitNormalization``: each vector along the axes divided by its length."""
    x, count, order = _axes_last(call)
    if count == 1:
        return _back(call, unit(call, x, -1), order)
    front, extents = x.spec.shape[:-count], x.spec.shape[-count:]
    joined = call.viewed((*front, prod(extents)), x, suffix="join")
    made = call.viewed((*front, *extents), unit(call, joined, -1), suffix="split")
    return _back(call, made, order)


def unit(call: Call, x: Tensor, axis: int, suffix: str = "") -> Tensor:
    """Return vectors along one axis divided by their length."""
    op = ops.Function("lp_normalization", (x.spec,), (("dim", axis), ("p", 2)))
    return call.add(op, x, suffix=suffix)


def rescaling(call: Call) -> Tensor:
    """``Rescaling``: x * scale + offset; each may be a list, a number for each channel."""
    scale, offset = call.option("scale", 1.0), call.option("offset", 0.0)
    scaled = call.add(ops.Pointwise("mul", None, _number(scale)), _as_float(call))
    if not offset:
        return scaled
    return call.add(ops.Pointwise("add", None, _number(offset)), scaled, suffix="offset")


def _as_float(call: Call) -> Tensor:
    return call.x if call.x.spec.is_float else call.cast(call.x, call.layer.policy.compute)


def _number(value: object) -> Arguments:
    return (("other", float(value)),) if isinstance(value, int | float) else ()


def normalization(call: Call) -> Tensor:
    """Read ``Normalization``: by constants, or by adapted statistics, which are buffers."""
    x = _as_float(call)
    if call.option("mean") is not None:
        centered = call.add(ops.Pointwise("sub"), x)
        return call.add(ops.Pointwise("div"), centered, suffix="div")
    axis, rank = call.layer.options.get("axis", -1), x.spec.rank
    axes = () if axis in (None, []) else sorted(call.places(axis, rank))
    shape = tuple(x.shape[a] for a in axes)
    statistics = [call.parameter(shape, name, "buffer") for name in ("mean", "variance")]
    call.parameter((), "count", "buffer", "int32")
    places = {x.axis(a): x.shape[a] for a in axes}
    wide = tuple(places.get(place, 1) for place in range(rank))
    for kind, value in zip(("sub", "div"), statistics, strict=True):
        if wide[rank - len(shape) :] != shape:
            value = call.viewed(wide, value, suffix=f"{kind}/reshape")
        x = call.add(ops.Pointwise(kind), x, value, suffix="" if kind == "sub" else kind)
    return x
