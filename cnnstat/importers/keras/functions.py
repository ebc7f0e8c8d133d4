"""Functions of ``keras.ops``, which become layers in models that use them (``x + 3.0``)."""

from __future__ import annotations

from functools import partial

from cnnstat import ops
from cnnstat.importers.keras import activations, arranging, maps, shapes
from cnnstat.importers.keras.arranging import axes_of
from cnnstat.importers.keras.call import Call, Results, Rule, Tensor
from cnnstat.importers.keras.contraction import contracted, matrix_product
from cnnstat.importers.keras.normalization import unit
from cnnstat.ir.tensor import TensorSpec


def arithmetic(kind: str, dtype: str | None = None) -> Rule:
    """Return the rule of an elementwise function of tensors that broadcast, and numbers."""

    def rule(call: Call) -> Tensor | None:
        tensors = call.alike([*call.tensors, *_constants(call)])
        if not tensors:
            return None
        numbers = [each for each in call.arguments.positional if type(each) in (int, float)]
        arguments = tuple(("other", each) for each in numbers[:1])
        return call.add(ops.Pointwise(kind, dtype, arguments), *tensors)

    return rule


def _constants(call: Call) -> list[Tensor]:
    """Return the arrays among the arguments as tensors that the model makes."""
    made = []
    for number, each in enumerate(call.arguments.positional):
        config = each.get("config") if isinstance(each, dict) else None
        if isinstance(config, dict) and "value" in config and "class_name" in each:
            shape, value = [], config["value"]
            while isinstance(value, list) and value:
                shape.append(len(value))
                value = value[0]
            constant = ops.Rearrange("constant", (TensorSpec(tuple(shape), "float32"),))
            made.append(call.add(constant, suffix=f"constant_{number}"))
    return made


def elementwise(kind: str) -> Rule:
    """Return the rule of a function of one tensor whose work has a definition."""
    return lambda call: call.add(ops.Function(kind, (call.x.spec,)), call.x)


def reduction(kind: str) -> Rule:
    """``keras.ops.mean`` and its kin; ``cumsum`` and its kin, which keep every axis."""

    def rule(call: Call) -> Tensor:
        x = call.as_keras(call.x)
        keep = bool(call.stated(2, "keepdims", default=False))
        return call.add(ops.Reduce(kind, axes_of(call, x.spec.rank), keep), x)

    return rule


def where(call: Call) -> Tensor | None:
    """``where``: one of two tensors or numbers, by a condition."""
    condition, *others = call.alike([*call.tensors, *_constants(call)])
    dtype = others[0].dtype if others else None
    return call.add(ops.Pointwise("where", dtype), condition, *others) if others else None


def matmul(call: Call) -> Tensor | None:
    """``matmul``, ``dot`` of matrices: a product of the last two axes."""
    tensors = [call.as_keras(x) for x in call.tensors]
    return call.add(ops.MatMul(), *tensors) if len(tensors) == 2 else None


def einsum(call: Call) -> Tensor | None:
    """``einsum`` of two tensors."""
    equation = call.stated(0, "subscripts")
    equation = equation if isinstance(equation, str) else call.option("subscripts")
    if len(call.tensors) != 2 or not isinstance(equation, str):
        return None
    left, right = (call.as_keras(x) for x in call.tensors)
    plan = contracted(equation, left.spec.shape, right.spec.shape)
    return None if plan is None else matrix_product(call, left, right, plan)


def norm(call: Call) -> Tensor | None:
    """``norm`` of vectors along axes: the root of the sum of squares."""
    if call.stated(1, "ord") not in (None, 2, "euclidean", "fro"):
        return None
    x, axis = call.as_keras(call.x), call.stated(2, "axis")
    axes = () if axis is None else call.places(axis, x.spec.rank)
    keep = bool(call.stated(3, "keepdims", default=False))
    return call.add(ops.Reduce("norm", axes, keep), x)


def normalize(call: Call) -> Tensor | None:
    """``normalize``: vectors along one axis divided by their length."""
    axis = call.stated(1, "axis", -1)
    if call.stated(2, "order", 2) != 2 or type(axis) is not int:
        return None
    x = call.as_keras(call.x)
    return unit(call, x, x.axis(axis))


def top_k(call: Call) -> Results | None:
    """``top_k``: the largest elements of the last axis, and their places."""
    x, k = call.as_keras(call.x), call.stated(1, "k")
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

ARITHMETIC = {
    **{name.capitalize(): name for name in ("add", "maximum", "minimum", "sqrt", "rsqrt", "exp")},
    **{name.capitalize(): name for name in ("log", "abs", "reciprocal", "sin", "cos", "sign")},
    **{"Subtract": "sub", "Multiply": "mul", "Divide": "div", "TrueDivide": "div"},
    **{"FloorDivide": "floor_divide", "Mod": "remainder", "Power": "pow", "Square": "pow"},
    **{"Absolute": "abs", "Negative": "neg", "Clip": "clamp"},
    **{"Round": "round", "Floor": "round", "Ceil": "round"},
}
"""Kinds of ``Pointwise`` by Keras' functions."""

COMPARISONS = ("Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual")
REDUCTIONS = (
    *("Mean", "Sum", "Max", "Min", "Prod", "Var", "Std", "Any", "All", "Logsumexp"),
    *("Argmax", "Argmin", "Cumsum", "Cumprod"),
)

FUNCTIONS: dict[str, Rule] = {
    **{name: arithmetic(kind) for name, kind in ARITHMETIC.items()},
    **{name: arithmetic("compare", "bool") for name in COMPARISONS},
    **{f"Logical{name}": arithmetic("logical", "bool") for name in ("And", "Or", "Xor", "Not")},
    **{
        name.title().replace("_", ""): partial(activations.function, name=name)
        for name in activations.FUNCTIONS
    },
    **{
        f"Arc{name[1:]}" if name[0] == "a" else name.capitalize(): elementwise(name)
        for name in ELEMENTWISE
    },
    **{name: reduction(name.lower()) for name in REDUCTIONS},
    "Amax": reduction("max"),
    "Amin": reduction("min"),
    "Transpose": arranging.transpose,
    "Swapaxes": arranging.swapaxes,
    "Reshape": arranging.reshape,
    "Concatenate": shapes.concatenate,
    "Stack": arranging.stack,
    "Split": arranging.split,
    "ExpandDims": arranging.expand_dims,
    "Squeeze": arranging.squeeze,
    "GetItem": arranging.get_item,
    "Cast": arranging.cast,
    "Where": where,
    "Matmul": matmul,
    "Einsum": einsum,
    "Pad": arranging.pad,
    "Norm": norm,
    "Normalize": normalize,
    "TopK": top_k,
    "Flip": arranging.flip,
    "Roll": arranging.roll,
    "Repeat": arranging.repeat,
    "Tile": arranging.tile,
    "OneHot": arranging.one_hot,
    "MaxPool": maps.pooling,
    "AveragePool": maps.pooling,
}
"""Rules of functions by the names of their classes in Keras."""
