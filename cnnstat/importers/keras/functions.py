"""Functions of ``keras.ops``, which become layers in models that use them (``x + 3.0``)."""

from __future__ import annotations

from functools import partial
from typing import Any

from cnnstat import ops
from cnnstat.importers.keras import activations, arranging, maps
from cnnstat.importers.keras.arranging import axes_of, stated
from cnnstat.importers.keras.call import Call, Rule, Tensor
from cnnstat.importers.keras.contraction import contracted, matrix_product
from cnnstat.ir.op import Arguments
from cnnstat.ir.tensor import TensorSpec


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
    shape = []
    while isinstance(value, list) and value:
        shape.append(len(value))
        value = value[0]
    return tuple(shape)


def elementwise(kind: str) -> Rule:
    """Return the rule of a function of one tensor whose work has a definition."""
    return lambda call: call.add(ops.Function(kind, (call.x.spec,)), call.x)


def reduction(kind: str) -> Rule:
    """``keras.ops.mean`` and its kin."""

    def rule(call: Call) -> Tensor:
        x = call.as_keras(call.x)
        keep = bool(stated(call, 2, "keepdims", default=False))
        return call.add(ops.Reduce(kind, axes_of(call, x.spec.rank), keep), x)

    return rule


def running(kind: str) -> Rule:
    """``keras.ops.cumsum`` and its kin."""

    def rule(call: Call) -> Tensor | None:
        x = call.as_keras(call.x)
        return call.add(ops.Reduce(kind, axes_of(call, x.spec.rank)), x) if x.spec.rank else None

    return rule


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
    "Transpose": arranging.transpose,
    "Swapaxes": arranging.swapaxes,
    "Reshape": arranging.reshape,
    "Concatenate": arranging.concatenate,
    "Stack": arranging.stack,
    "Split": arranging.split,
    "ExpandDims": arranging.expand_dims,
    "Squeeze": arranging.squeeze,
    "GetItem": arranging.get_item,
    "Cast": arranging.cast,
    "Clip": clip,
    "Where": where,
    "Matmul": matmul,
    "Einsum": einsum,
    "Pad": arranging.pad,
    "Norm": norm,
    "Normalize": normalize,
    "TopK": top_k,
    "Flip": arranging.moved("flip", arranging.flipped),
    "Roll": arranging.moved("roll", arranging.rolled),
    "Repeat": arranging.repeat,
    "Tile": arranging.tile,
    "OneHot": arranging.one_hot,
    "MaxPool": pooling("max"),
    "AveragePool": pooling("mean"),
}
"""Rules of functions by the names of their classes in Keras."""
