"""Activations of Keras, as layers of their own and as an argument of others."""

from __future__ import annotations

from typing import Any

from cnnstat import ops
from cnnstat.importers.keras.call import Call, Tensor
from cnnstat.ir.op import Op
from cnnstat.ir.tensor import TensorSpec

PLAIN = ("ReLU6", "ELU", "SELU", "CELU", "GELU", "SiLU", "Mish", "Softplus", "Softsign")

ACTIVATIONS: dict[str, Op] = {
    "relu": ops.ReLU(),
    "sigmoid": ops.Sigmoid(),
    "tanh": ops.Tanh(),
    **{kind.lower(): ops.Nonlinearity(kind) for kind in PLAIN},
    "swish": ops.Nonlinearity("SiLU"),
    "leaky_relu": ops.Nonlinearity("LeakyReLU", (0.2,)),
    "log_sigmoid": ops.Nonlinearity("LogSigmoid"),
    "hard_sigmoid": ops.Nonlinearity("Hardsigmoid"),
    "hard_silu": ops.Nonlinearity("Hardswish"),
    "hard_swish": ops.Nonlinearity("Hardswish"),
    "exponential": ops.Pointwise("exp"),
    "hard_tanh": ops.Nonlinearity("Hardtanh", (-1.0, 1.0)),
    "hard_shrink": ops.Nonlinearity("Hardshrink", (0.5,)),
    "soft_shrink": ops.Nonlinearity("Softshrink", (0.5,)),
}
"""Activations without options, by Keras' name. Softmax depends on the order of the axes."""


FUNCTIONS = (*ACTIVATIONS, "softmax", "log_softmax", "glu", "tanh_shrink")
"""Activations by the names of their functions in ``keras.ops``."""


def is_elementwise(activation: Any) -> bool:
    """Return whether an activation acts on each element alone, with one operation of its own."""
    name = name_of(activation).lower()
    return name == "linear" or name in ACTIVATIONS


def name_of(activation: Any) -> str:
    """Return the name of an activation: a text, or a dict of a function or a layer."""
    if isinstance(activation, dict):
        inner = activation.get("config")
        return inner if isinstance(inner, str) else str(activation.get("class_name", ""))
    return "linear" if activation is None else str(activation)


def activated(call: Call, x: Tensor, activation: Any, *, suffix: bool = True) -> Tensor | None:
    """Return a tensor after an activation; None where the activation has no rule."""
    name = name_of(activation)
    if name == "linear":
        return x
    if isinstance(activation, dict) and isinstance(activation.get("config"), dict):
        inner = call.inner_layer("activation", entry=activation)
        results = call.inside(inner, name.lower() if suffix else "", [x])
        return results[0] if results is not None and len(results) == 1 else None
    end = name if suffix else ""
    if name in ("softmax", "log_softmax"):
        return normalized_exponentials(call, x, -1, logarithm=name != "softmax", suffix=end)
    if name == "glu":
        return _gated(call, x, end)
    if name == "tanh_shrink":
        shrunk = call.add(ops.Tanh(), x, suffix=f"{end}/tanh" if end else "tanh")
        return call.add(ops.Pointwise("sub"), x, shrunk, suffix=end)
    op = ACTIVATIONS.get(name)
    return None if op is None else call.add(op, x, suffix=end)


def _gated(call: Call, x: Tensor, suffix: str) -> Tensor:
    """Return a half of the last axis times the sigmoid of the other."""
    x = call.as_keras(x)
    *front, last = x.spec.shape
    if last % 2:
        raise call.error(f"glu halves the last axis, and {last} elements are odd")
    spec = TensorSpec((*front, last // 2), x.dtype)
    return call.add(ops.Function("glu", (spec,), (("dim", -1),)), x, suffix=suffix)


def normalized_exponentials(
    call: Call, x: Tensor, axis: int, *, logarithm: bool = False, suffix: str = ""
) -> Tensor:
    """Return a softmax along one axis, in Keras' order of axes."""
    place = x.axis(axis)
    kind = ops.LogSoftmax if logarithm else ops.Softmax
    return call.add(kind(-1 if place == x.spec.rank - 1 else place), x, suffix=suffix)


def finished(call: Call, x: Tensor | None) -> Tensor | None:
    """Return a layer's result after the activation that is one of its options."""
    return None if x is None else activated(call, x, call.option("activation"))


def activation(call: Call) -> Tensor | None:
    """``Activation``."""
    if name_of(call.option("activation")) == "linear":
        return identity(call)
    return activated(call, call.x, call.option("activation"), suffix=False)


def identity(call: Call) -> Tensor:
    """Layers that pass their input on when the model is used: a view of it."""
    return call.add(ops.View("identity", (call.x.spec,)), call.x)


def function(call: Call, name: str) -> Tensor | None:
    """Return the result of a function of ``keras.ops``, such as ``keras.ops.relu``."""
    return activated(call, call.x, name, suffix=False)


def relu(call: Call) -> Tensor | None:
    """``ReLU`` with an upper limit, a slope and a threshold."""
    limit, slope = call.option("max_value"), call.option("negative_slope", 0.0)
    if call.option("threshold", 0.0) or (limit is not None and slope):
        above = call.add(ops.Pointwise("where"), call.x, suffix="where")
        return above if limit is None else call.add(ops.Pointwise("clamp"), above)
    if limit is not None:
        six = float(limit) == 6.0
        op = ops.Nonlinearity("ReLU6") if six else ops.Nonlinearity("Hardtanh", (0.0, float(limit)))
        return call.add(op, call.x)
    if slope:
        return call.add(ops.Nonlinearity("LeakyReLU", (float(slope),)), call.x)
    return call.add(ops.ReLU(), call.x)


def leaky_relu(call: Call) -> Tensor:
    """``LeakyReLU``."""
    slope = call.option("negative_slope", call.option("alpha", 0.3))
    return call.add(ops.Nonlinearity("LeakyReLU", (float(slope),)), call.x)


def elu(call: Call) -> Tensor:
    """``ELU``."""
    return call.add(ops.Nonlinearity("ELU", (float(call.option("alpha", 1.0)),)), call.x)


def prelu(call: Call) -> Tensor | None:
    """``PReLU``: a slope for each element, or one along each of the ``shared_axes``."""
    x, shared = call.x, call.option("shared_axes", [])
    shape = [1 if axis in shared else extent for axis, extent in enumerate(x.shape)][1:]
    channels = x.shape[-1]
    if shape == [1] * (len(shape) - 1) + [channels] or len(shape) == 1:
        return call.add(ops.PReLU(channels), call.with_channels_first(x))
    slopes = call.parameter((1, *shape), "slopes")
    x = call.as_keras(x)
    scaled = call.add(ops.Pointwise("mul"), x, slopes, suffix="mul")
    return call.add(ops.Pointwise("where"), x, scaled)


def softmax(call: Call) -> Tensor | None:
    """``Softmax`` along one axis."""
    axes = call.places(call.option("axis", -1), call.x.spec.rank)
    if len(axes) > 1 or len(call.tensors) > 1:
        return None
    return normalized_exponentials(call, call.x, axes[0])
