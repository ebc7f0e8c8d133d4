"""Functions of ``keras.ops``, which become layers in models that use them (``x + 3.0``)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from math import prod
from typing import Any

from cnnstat import ops
from cnnstat.importers.keras import activations, maps
from cnnstat.importers.keras.call import Call, Rule, Tensor
from cnnstat.importers.keras.contraction import contracted, matrix_product
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


def arithmetic(kind: str, dtype: str | None = None) -> Rule:
    """Return the rule of an elementwise function of tensors that broadcast, and numbers."""

    def rule(call: Call) -> Tensor | None:
        tensors = call.alike([*call.tensors, *_constants(call)])
        if not tensors:
            return None
        numbers: Arguments = tuple(("other", each) for each in call.constants[:1])
        return call.add(ops.Pointwise(kind, dtype, numbers), *tensors)

    return rule


def _constants(call: Call) -> list[Tensor]:
    """Return the arrays among the arguments as tensors that the model makes."""
    made = []
    for number, each in enumerate(call.arguments.positional):
        config = each.get("config") if isinstance(each, dict) else None
        if isinstance(config, dict) and "value" in config and "class_name" in each:
            spec = TensorSpec(_shape_of(config["value"]), "float32")
            constant = ops.Rearrange("constant", (spec,))
            made.append(call.add(constant, suffix=f"constant_{number}", channels_first=False))
    return made


def _shape_of(value: Any) -> tuple[int, ...]:
    return (len(value), *_shape_of(value[0])) if isinstance(value, list) and value else ()


def elementwise(kind: str) -> Rule:
    """Return the rule of a function of one tensor whose work has a definition."""
    return lambda call: call.add(ops.Function(kind, (call.x.spec,)), call.x)


def _axes_of(call: Call, rank: int, name: str = "axis") -> tuple[int, ...]:
    axis = stated(call, 1, name)
    listed = range(rank) if axis is None else axis if isinstance(axis, list) else [axis]
    if any(type(a) is not int or not -rank <= a < max(rank, 1) for a in listed):
        raise call.error(f"axis (={axis!r}) must be among {rank}")
    return tuple(a % rank for a in listed)


def reduction(kind: str) -> Rule:
    """``keras.ops.mean`` and its kin."""

    def rule(call: Call) -> Tensor:
        x = call.as_keras(call.x)
        keep = bool(stated(call, 2, "keepdims", default=False))
        return call.add(ops.Reduce(kind, _axes_of(call, x.spec.rank), keep), x)

    return rule


def running(kind: str) -> Rule:
    """``keras.ops.cumsum`` and its kin."""

    def rule(call: Call) -> Tensor | None:
        x = call.as_keras(call.x)
        return call.add(ops.Reduce(kind, _axes_of(call, x.spec.rank)), x) if x.spec.rank else None

    return rule


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
    axes = single if stated(call, 1, "axis") is None else _axes_of(call, x.spec.rank)
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


def clip(call: Call) -> Tensor:
    """``clip`` between two numbers."""
    return call.add(ops.Pointwise("clamp"), call.x)


def where(call: Call) -> Tensor | None:
    """``where``: one of two tensors or numbers, by a condition."""
    condition, *others = call.alike([*call.tensors, *_constants(call)])
    dtype = others[0].dtype if others else None
    return call.add(ops.Pointwise("where", dtype), condition, *others) if others else None


def matmul(call: Call) -> Tensor | None:
    """``matmul``, ``dot`` of matrices: a product of the last two axes."""
    if len(call.tensors) != 2:
        return None
    left, right = (call.as_keras(x) for x in call.tensors)
    return call.add(ops.MatMul(), left, right)


def einsum(call: Call) -> Tensor | None:
    """``einsum`` of two tensors."""
    equation = stated(call, 0, "subscripts")
    equation = call.layer.options.get("subscripts") if not isinstance(equation, str) else equation
    if len(call.tensors) != 2 or not isinstance(equation, str):
        return None
    left, right = (call.as_keras(x) for x in call.tensors)
    plan = contracted(equation, left.spec.shape, right.spec.shape)
    return None if plan is None else matrix_product(call, left, right, plan)


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


def _flipped(call: Call, x: Tensor) -> Arguments:
    return (("dims", _axes_of(call, x.spec.rank)),)


def _rolled(call: Call, x: Tensor) -> Arguments:
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


def pooling(kind: str) -> Rule:
    """``max_pool``, ``average_pool``: as the layer of as many axes, whose options they have."""
    return lambda call: maps.pooling(kind, call.x.spec.rank - 2)(call)


def norm(call: Call) -> Tensor | None:
    """``norm`` of vectors along axes: the root of the sum of squares."""
    if stated(call, 1, "ord") not in (None, 2, "euclidean", "fro"):
        return None
    x = call.as_keras(call.x)
    axis = stated(call, 2, "axis")
    axes = () if axis is None else tuple(axis) if isinstance(axis, list) else (axis,)
    keep = bool(stated(call, 3, "keepdims", default=False))
    return call.add(ops.Reduce("norm", axes, keep), x)


def normalize(call: Call) -> Tensor | None:
    """``normalize``: vectors along one axis divided by their length."""
    axis = stated(call, 1, "axis", -1)
    if stated(call, 2, "order", 2) != 2 or type(axis) is not int:
        return None
    x = call.as_keras(call.x)
    arguments = (("dim", x.axis(axis)), ("p", 2))
    return call.add(ops.Function("lp_normalization", (x.spec,), arguments), x)


def top_k(call: Call) -> tuple[Tensor, ...] | None:
    """``top_k``: the largest elements of the last axis, and their places."""
    x, k = call.as_keras(call.x), stated(call, 1, "k")
    if type(k) is not int or not 1 <= k <= x.spec.shape[-1]:
        return None
    shape = (*x.spec.shape[:-1], k)
    specs = (TensorSpec(shape, x.dtype), TensorSpec(shape, "int32"))
    return call.add_all(ops.Function("topk", specs, (("k", k), ("dim", -1))), x)


ELEMENTWISE = (
    *("sinh", "cosh", "tan", "asin", "acos", "atan", "asinh", "acosh", "atanh"),
    *("expm1", "log1p", "log2", "log10", "exp2", "trunc", "erfinv"),
)
"""Functions of one tensor whose work is defined by PyTorch's name, which is Keras' own."""

COMPARISONS = ("Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual")

FUNCTIONS: dict[str, Rule] = {
    "Add": arithmetic("add"),
    "Subtract": arithmetic("sub"),
    "Multiply": arithmetic("mul"),
    "Divide": arithmetic("div"),
    "TrueDivide": arithmetic("div"),
    "FloorDivide": arithmetic("floor_divide"),
    "Mod": arithmetic("remainder"),
    "Power": arithmetic("pow"),
    "Maximum": arithmetic("maximum"),
    "Minimum": arithmetic("minimum"),
    **{name: arithmetic("compare", "bool") for name in COMPARISONS},
    **{f"Logical{name}": arithmetic("logical", "bool") for name in ("And", "Or", "Xor", "Not")},
    **{
        name.title().replace("_", ""): partial(activations.function, name=name)
        for name in activations.FUNCTIONS
    },
    "Sqrt": arithmetic("sqrt"),
    "Rsqrt": arithmetic("rsqrt"),
    "Square": arithmetic("pow"),
    "Exp": arithmetic("exp"),
    "Log": arithmetic("log"),
    "Absolute": arithmetic("abs"),
    "Abs": arithmetic("abs"),
    "Negative": arithmetic("neg"),
    "Reciprocal": arithmetic("reciprocal"),
    "Sin": arithmetic("sin"),
    "Cos": arithmetic("cos"),
    "Sign": arithmetic("sign"),
    **{name: arithmetic("round") for name in ("Round", "Floor", "Ceil")},
    **{
        f"Arc{name[1:]}" if name[0] == "a" else name.capitalize(): elementwise(name)
        for name in ELEMENTWISE
    },
    **{
        name: reduction(name.lower())
        for name in ("Mean", "Sum", "Max", "Min", "Prod", "Var", "Std", "Any", "All", "Logsumexp")
    },
    "Amax": reduction("max"),
    "Amin": reduction("min"),
    "Argmax": reduction("argmax"),
    "Argmin": reduction("argmin"),
    "Cumsum": running("cumsum"),
    "Cumprod": running("cumprod"),
    "Transpose": transpose,
    "Swapaxes": swapaxes,
    "Reshape": reshape,
    "Concatenate": concatenate,
    "Stack": stack,
    "Split": split,
    "ExpandDims": expand_dims,
    "Squeeze": squeeze,
    "GetItem": get_item,
    "Cast": cast,
    "Clip": clip,
    "Where": where,
    "Matmul": matmul,
    "Einsum": einsum,
    "Pad": pad,
    "Norm": norm,
    "Normalize": normalize,
    "TopK": top_k,
    "Flip": moved("flip", _flipped),
    "Roll": moved("roll", _rolled),
    "Repeat": repeat,
    "Tile": tile,
    "OneHot": one_hot,
    "MaxPool": pooling("max"),
    "AveragePool": pooling("mean"),
}
"""Rules of functions by the names of their classes in Keras."""
