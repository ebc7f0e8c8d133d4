"""Activations, arithmetic of tensors, and what acts in training alone."""

from __future__ import annotations

from math import sqrt
from typing import Any

from cnnstat.importers.onnx.emitting import Emission, Emitter, simple


def scaled_tanh(use: Emission) -> str:
    """Write LeNet's amplitude * tanh(slope * x)."""
    op: Any = use.op
    slope = use.constant(op.slope, suffix="slope")
    inner = use.node("Mul", (use.input, slope), suffix="slope_times")
    bent = use.node("Tanh", (inner,), suffix="tanh")
    return use.node("Mul", (bent, use.constant(op.amplitude, suffix="amplitude")))


def softmax(use: Emission) -> str:
    """Write a softmax along one axis."""
    op: Any = use.op
    return use.node("Softmax", (use.input,), axis=op.axis)


def dropout(use: Emission) -> str:
    """Write a dropout, which passes its input on in inference."""
    op: Any = use.op
    return use.node("Dropout", (use.input, use.constant(op.p, suffix="ratio")))


def drop_path(use: Emission) -> str:
    """Write a path that is scaled by its probability of survival."""
    if use.op.survival == 1:
        return use.node("Identity", (use.input,))
    return use.node("Mul", (use.input, use.constant(use.op.survival, suffix="survival")))


def add(use: Emission) -> str:
    """Write a sum of two or more tensors."""
    terms = use.numbers()
    return use.node("Add" if len(terms) == 2 else "Sum", terms)


def prelu(use: Emission) -> str:
    """Write a rectifier with trained slopes, one or one a channel."""
    op: Any = use.op
    shape = (op.slopes, *[1] * (use.facts.inputs[0].rank - 2))
    return use.node("PRelu", (use.input, use.weight("weight", shape=shape)))


# -- nonlinearities --------------------------------------------------------------------------------


def _silu(use: Emission) -> str:
    return use.node("Mul", (use.input, use.node("Sigmoid", (use.input,), suffix="sigmoid")))


def _gelu(use: Emission) -> str:
    """Write 0.5 * x * (1 + erf(x / sqrt(2))), in the order that PyTorch's exporter has."""
    root = use.constant(sqrt(2), suffix="root_of_2")
    inner = use.node("Div", (use.input, root), suffix="inner")
    bent = use.node("Erf", (inner,), suffix="erf")
    shifted = use.node("Add", (bent, use.constant(1, suffix="one")), suffix="shifted")
    gated = use.node("Mul", (use.input, shifted), suffix="gated")
    return use.node("Mul", (gated, use.constant(0.5, suffix="half")))


def _mish(use: Emission) -> str:
    """Write x * tanh(log(1 + exp(x)))."""
    soft = use.node("Softplus", (use.input,), suffix="softplus")
    return use.node("Mul", (use.input, use.node("Tanh", (soft,), suffix="tanh")))


def _log_sigmoid(use: Emission) -> str:
    """Write -log(1 + exp(-x)): a logarithm of the sigmoid itself ends where that is 0."""
    turned = use.node("Neg", (use.input,), suffix="negative")
    return use.node("Neg", (use.node("Softplus", (turned,), suffix="softplus"),))


def _softplus(use: Emission) -> str:
    """Write log(1 + exp(beta * x)) / beta."""
    op: Any = use.op
    if not op.numbers:
        return use.node("Softplus", (use.input,))
    beta = use.constant(op.numbers[0], suffix="beta")
    steep = use.node("Mul", (use.input, beta), suffix="steep")
    return use.node("Div", (use.node("Softplus", (steep,), suffix="softplus"), beta))


def _clipped(*usual: float) -> Emitter:
    def emitter(use: Emission) -> str:
        op: Any = use.op
        low, high = op.numbers or usual
        limits = use.constant(low, suffix="low"), use.constant(high, suffix="high")
        return use.node("Clip", (use.input, *limits))

    return emitter


def _bent(op_type: str, usual: float) -> Emitter:
    def emitter(use: Emission) -> str:
        op: Any = use.op
        return use.node(op_type, (use.input,), alpha=float((*op.numbers, usual)[0]))

    return emitter


NONLINEARITIES: dict[str, Emitter] = {
    "SiLU": _silu,
    "GELU": _gelu,
    "Hardswish": simple("HardSwish"),
    "Hardsigmoid": simple("HardSigmoid", alpha=1 / 6, beta=0.5),
    "Hardtanh": _clipped(-1, 1),
    "ReLU6": _clipped(0, 6),
    "ELU": _bent("Elu", 1),
    "SELU": simple("Selu"),
    "CELU": _bent("Celu", 1),
    "LeakyReLU": _bent("LeakyRelu", 0.01),
    "Mish": _mish,
    "Softplus": _softplus,
    "Softsign": simple("Softsign"),
    "LogSigmoid": _log_sigmoid,
    "LogSoftmax": simple("LogSoftmax", axis=-1),
    "Erf": simple("Erf"),
}
"""Nonlinearities by kind."""


def nonlinearity(use: Emission) -> str | tuple[str, ...]:
    """Write a nonlinearity by its kind."""
    op: Any = use.op
    return NONLINEARITIES[op.kind](use)


# -- arithmetic ------------------------------------------------------------------------------------


def _numbers(op_type: str) -> Emitter:
    def emitter(use: Emission) -> str:
        return use.node(op_type, use.numbers())

    return emitter


def _is_whole(use: Emission) -> bool:
    return "float" not in use.facts.outputs[0].dtype


def _turned_sub(use: Emission) -> str:
    return use.node("Sub", use.numbers()[::-1])


def _div(use: Emission) -> str:
    if _is_whole(use):
        raise use.cannot("how a quotient of whole numbers is rounded is not kept")
    return use.node("Div", use.numbers())


def _remainder(use: Emission) -> str:
    """Write a remainder that has the divisor's sign: of real numbers ONNX has the dividend's.

    (a mod b + b) mod b.
    """
    a, b = use.numbers()
    if _is_whole(use):
        return use.node("Mod", (a, b))
    rest = use.node("Mod", (a, b), suffix="rest", fmod=1)
    return use.node("Mod", (use.node("Add", (rest, b), suffix="shifted"), b), fmod=1)


def _floor_divide(use: Emission) -> str:
    """Write a quotient rounded down; ONNX rounds whole numbers towards zero: (a - a mod b) / b."""
    a, b = use.numbers()
    if not _is_whole(use):
        return use.node("Floor", (use.node("Div", (a, b), suffix="quotient"),))
    even = use.node("Sub", (a, use.node("Mod", (a, b), suffix="rest")), suffix="even")
    return use.node("Div", (even, b))


def _rsqrt(use: Emission) -> str:
    return use.node("Reciprocal", (use.node("Sqrt", use.numbers(), suffix="root"),))


def _where(use: Emission) -> str:
    chosen = use.input
    if use.facts.inputs[0].dtype != "bool":
        chosen = use.cast(chosen, "bool", suffix="chosen")
    return use.node("Where", (chosen, *use.alike(1, 2)))


def _term_added(op_type: str) -> Emitter:
    """Return the emitter of a + b * c, or a + b / c."""

    def emitter(use: Emission) -> str:
        a, b, c = use.numbers()
        return use.node("Add", (a, use.node(op_type, (b, c), suffix="term")))

    return emitter


def _lerp(use: Emission) -> str:
    """Write a + c * (b - a)."""
    a, b, c = use.numbers()
    way = use.node("Sub", (b, a), suffix="way")
    return use.node("Add", (a, use.node("Mul", (c, way), suffix="part")))


POINTWISE: dict[tuple[str, int], Emitter] = {
    ("add", 2): _numbers("Add"),
    ("sub", 2): _numbers("Sub"),
    ("rsub", 2): _turned_sub,
    ("mul", 2): _numbers("Mul"),
    ("div", 2): _div,
    ("remainder", 2): _remainder,
    ("floor_divide", 2): _floor_divide,
    ("pow", 2): _numbers("Pow"),
    ("maximum", 2): _numbers("Max"),
    ("minimum", 2): _numbers("Min"),
    ("where", 3): _where,
    ("addcmul", 3): _term_added("Mul"),
    ("addcdiv", 3): _term_added("Div"),
    ("lerp", 3): _lerp,
    ("reciprocal", 1): _numbers("Reciprocal"),
    ("sqrt", 1): _numbers("Sqrt"),
    ("rsqrt", 1): _rsqrt,
    ("exp", 1): _numbers("Exp"),
    ("log", 1): _numbers("Log"),
    ("sin", 1): _numbers("Sin"),
    ("cos", 1): _numbers("Cos"),
    ("neg", 1): _numbers("Neg"),
    ("abs", 1): _numbers("Abs"),
    ("sign", 1): _numbers("Sign"),
}
"""Kinds of ``Pointwise`` by number of tensors that need nothing else to be computed."""

LOST = {
    "compare": "which comparison it is",
    "logical": "which of and, or and not it is",
    "round": "whether it rounds down, up or to the nearest",
    "clamp": "between which numbers it clips",
    "masked_fill": "the number that it fills in",
    "quantize": "its scale",
    "dequantize": "its scale",
    "dynamic_quantize": "its scale",
}
"""What a kind does not keep; of the others it is the number that a tensor is combined with."""


def pointwise(use: Emission) -> str | tuple[str, ...]:
    """Write arithmetic of tensors; refuse what also needs a number, which the graph lacks."""
    op: Any = use.op
    found = POINTWISE.get((op.kind, len(use.inputs)))
    if found is None:
        what = LOST.get(op.kind, "the number that its tensor is combined with")
        raise use.cannot(f"{what} is not kept in the graph")
    return found(use)
