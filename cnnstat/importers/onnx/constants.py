"""Arithmetic on shapes: what a file computes from extents and constants, computed when it is read.

Only small tensors, only these operators, only numpy: nothing of the file is executed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cnnstat.importers.onnx.call import Call
from cnnstat.importers.onnx.loading import DTYPES

MAX_ELEMENTS = 1 << 16
"""Larger results are left to be computed where the model computes them."""

Fold = Callable[..., Any]

NUMPY = {"bfloat16": "float32", "float8_e4m3fn": "float32", "float8_e5m2": "float32"}


def _divide(a: Any, b: Any) -> Any:
    if a.dtype.kind in "iu":  # towards zero, as in C
        return (np.sign(a) * np.sign(b) * (abs(a) // abs(b))).astype(a.dtype)
    return a / b


ELEMENTWISE: dict[str, Fold] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": _divide,
    "Mod": np.mod,
    "Neg": np.negative,
    "Abs": np.abs,
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Round": np.round,
    "Sqrt": np.sqrt,
    "Pow": lambda a, b: np.power(a, b).astype(a.dtype),
    "Exp": np.exp,
    "Log": np.log,
    "Reciprocal": np.reciprocal,
    "Equal": np.equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "And": np.logical_and,
    "Or": np.logical_or,
    "Not": np.logical_not,
    "Where": np.where,
}
REDUCTIONS: dict[str, Fold] = {
    "ReduceProd": np.prod,
    "ReduceSum": np.sum,
    "ReduceMax": np.max,
    "ReduceMin": np.min,
}


def fold(call: Call) -> list[Any] | None:
    """Return the elements of a call's results, or None where they are not known."""
    if call.op_type == "Shape":
        return _shape(call)
    if call.op_type == "Size":
        spec = call.required(0).spec
        return None if spec is None else [np.asarray(spec.numel, np.int64)]
    if any(each.value is None or each.value.dtype.kind == "c" for each in call.present):
        return None  # complex numbers are no extents
    stored = [each.stored for each in call.present if each.stored is not None]
    if any(each.is_weight and not each.constant for each in stored):
        return None  # arithmetic on weights is the model's
    if sum(each.value.size for each in call.present) > MAX_ELEMENTS:
        return None
    try:
        return _folded(call, [None if o is None else o.value for o in call.operands])
    except (ValueError, IndexError, TypeError, OverflowError, ZeroDivisionError):
        return None  # left to the rules, whose errors name the node


def _shape(call: Call) -> list[Any] | None:
    spec = call.required(0).spec
    if spec is None:
        return None
    extents = spec.shape[call.integer("start", 0) : call.attributes.get("end", spec.rank)]
    return [np.asarray(extents, np.int64)]


def _folded(call: Call, values: list[Any]) -> list[Any] | None:
    kind = call.op_type
    with np.errstate(all="ignore"):
        if kind in ELEMENTWISE:
            if np.broadcast(*values).size > MAX_ELEMENTS:
                return None
            return [np.asarray(ELEMENTWISE[kind](*values))]
        if kind in ("Max", "Min"):
            pick = np.maximum if kind == "Max" else np.minimum
            result = values[0]
            for value in values[1:]:
                result = pick(result, value)
            return [np.asarray(result)]
    if kind in REDUCTIONS:
        axes = call.ints("axes", 1)
        keepdims = bool(call.integer("keepdims", 1))
        return [np.asarray(REDUCTIONS[kind](values[0], axis=axes or None, keepdims=keepdims))]
    made = _MOVES.get(kind)
    return None if made is None else made(call, values)


def _cast(call: Call, values: list[Any]) -> list[Any]:
    dtype = DTYPES[call.integer("to", 1)]
    return [values[0].astype(NUMPY.get(dtype, dtype))]


def _gather(call: Call, values: list[Any]) -> list[Any]:
    return [np.take(values[0], values[1].astype(np.int64), axis=call.integer("axis", 0))]


def _concat(call: Call, values: list[Any]) -> list[Any]:
    return [np.concatenate(values, axis=call.integer("axis", 0))]


def _slice(call: Call, values: list[Any]) -> list[Any]:
    return [values[0][slices(call, values[0].ndim)]]


def _reshape(call: Call, values: list[Any]) -> list[Any]:
    shape = [n or values[0].shape[i] for i, n in enumerate(values[1].tolist())]
    return [values[0].reshape(shape)]


def _filled(call: Call, values: list[Any]) -> list[Any] | None:
    shape = [int(n) for n in values[0].reshape(-1)]
    if np.prod(shape, dtype=object) > MAX_ELEMENTS:
        return None
    value = call.attributes.get("value")
    number = np.zeros(1, np.float32) if value is None else value
    return [np.full(shape, number.reshape(-1)[0], number.dtype)]


def _range(call: Call, values: list[Any]) -> list[Any] | None:
    start, stop, step = (value.reshape(-1)[0] for value in values)
    if not step:
        return None
    if (stop - start) / step > MAX_ELEMENTS:
        return None
    return [np.arange(start, stop, step, dtype=values[0].dtype)]


def _expand(call: Call, values: list[Any]) -> list[Any] | None:
    shape = np.broadcast_shapes(values[0].shape, tuple(int(n) for n in values[1]))
    if np.prod(shape, dtype=object) > MAX_ELEMENTS:
        return None
    return [np.broadcast_to(values[0], shape)]


def _split(call: Call, values: list[Any]) -> list[Any]:
    parts = call.ints("split", 1)
    axis = call.integer("axis", 0)
    if parts is None:
        return list(np.array_split(values[0], len(call.results), axis=axis))
    return list(np.split(values[0], np.cumsum(parts)[:-1], axis=axis))


def slices(call: Call, rank: int) -> tuple[slice, ...]:
    """Return the part of each axis that a ``Slice`` keeps."""
    starts, ends = call.ints("starts", 1), call.ints("ends", 2)
    if starts is None or ends is None:
        raise ValueError("starts and ends are missing")
    axes = call.ints("axes", 3) or tuple(range(len(starts)))
    steps = call.ints("steps", 4) or (1,) * len(starts)
    region = [slice(None)] * rank
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        last = None if step < 0 and end < -(1 << 31) else end
        region[axis] = slice(start, last, step)
    return tuple(region)


_MOVES: dict[str, Callable[[Call, list[Any]], list[Any] | None]] = {
    "Cast": _cast,
    "CastLike": lambda call, values: [values[0].astype(values[1].dtype)],
    "Gather": _gather,
    "Concat": _concat,
    "Squeeze": lambda call, values: [np.squeeze(values[0], axis=call.ints("axes", 1))],
    "Unsqueeze": lambda call, values: [np.expand_dims(values[0], axis=call.ints("axes", 1) or ())],
    "Slice": _slice,
    "Reshape": _reshape,
    "Transpose": lambda call, values: [np.transpose(values[0], call.ints("perm"))],
    "ConstantOfShape": _filled,
    "Range": _range,
    "Expand": _expand,
    "Split": _split,
}
