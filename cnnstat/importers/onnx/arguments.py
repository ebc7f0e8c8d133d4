"""Attributes that no operator keeps: a graph counts without them and computes what is usual.

``unkept`` names the first that a node has otherwise, so that nothing writes down a model that
computes something else.
"""

from __future__ import annotations

from math import isclose
from typing import Any, NamedTuple

from cnnstat.importers.onnx.call import Call


class Attribute(NamedTuple):
    """What an attribute is where a node does not say it, and what an operator stands for."""

    absent: Any
    usual: tuple[Any, ...]


def _only(value: Any) -> Attribute:
    return Attribute(value, (value,))


_ONE = _only(1.0)
_OFF = _only(0)
_RECURRENT = {
    "direction": Attribute("forward", ("forward", "bidirectional")),
    "clip": _only(None),
}

USUAL: dict[str, dict[str, Attribute]] = {
    "Swish": {"alpha": _ONE},
    "Selu": {"alpha": _only(1.6732632), "gamma": _only(1.0507010)},
    "HardSigmoid": {"alpha": Attribute(0.2, (1 / 6,)), "beta": _only(0.5)},
    "Gelu": {"approximate": _only("none")},
    "Gemm": {"alpha": _ONE, "beta": _ONE},
    "Attention": {"is_causal": _OFF, "scale": _only(None), "softcap": _only(0.0)},
    "LSTM": {**_RECURRENT, "input_forget": _OFF},
    "GRU": {**_RECURRENT, "linear_before_reset": Attribute(0, (1,))},
    "RNN": _RECURRENT,
    "Mod": {"fmod": _OFF},
    "CumSum": {"exclusive": _OFF, "reverse": _OFF},
    "ArgMax": {"select_last_index": _OFF},
    "ArgMin": {"select_last_index": _OFF},
    "BatchNormalization": {"training_mode": _OFF},
}
"""Operators of ``table.RULES`` by name, and their attributes that have no field."""

RESAMPLED: dict[str, dict[str, Attribute]] = {
    "nearest": {
        "coordinate_transformation_mode": Attribute("half_pixel", ("asymmetric",)),
        "nearest_mode": Attribute("round_prefer_floor", ("floor",)),
    },
    "linear": {
        "coordinate_transformation_mode": Attribute(
            "half_pixel", ("half_pixel", "pytorch_half_pixel")
        ),
        "antialias": _OFF,
    },
    "cubic": {
        "coordinate_transformation_mode": Attribute(
            "half_pixel", ("half_pixel", "pytorch_half_pixel")
        ),
        "cubic_coeff_a": _only(-0.75),
        "exclude_outside": _OFF,
        "antialias": _OFF,
    },
}
"""Attributes of ``Resize`` by its mode."""


ACTIVATIONS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}
"""Of recurrent layers, for each direction."""


def unkept(call: Call) -> str:
    """Return what of a node its operator does not keep, else nothing."""
    for name, attribute in _attributes(call).items():
        value = call.attributes.get(name, attribute.absent)
        said = value.decode() if isinstance(value, bytes) else value
        if not any(_alike(said, each) for each in attribute.usual):
            return f"{name}={said:.6g}" if isinstance(said, float) else f"{name}={said}"
    if call.op_type in ACTIVATIONS:
        return _of_recurrent(call)
    if call.op_type == "LogSoftmax" and call.integer("axis", -1) not in (-1, len(call.shape()) - 1):
        return f"axis={call.integer('axis', -1)}"
    if call.op_type in ("Resize", "Upsample") and _scaled_otherwise(call):
        return "scales, which differ from the ratio of the extents"
    if call.op_type == "PRelu" and not _by_channel(call):
        return f"slopes of {call.spec(1)}"
    return ""


def _attributes(call: Call) -> dict[str, Attribute]:
    if call.op_type != "Resize":
        return USUAL.get(call.op_type, {})
    return {} if rounds_exactly(call) else RESAMPLED.get(call.text("mode", "nearest"), {})


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return isclose(one, other, rel_tol=1e-6)
    return bool(one == other)


def rounds_exactly(call: Call) -> bool:
    """Return whether a resampling takes the element whose centre is nearest."""
    centres = call.text("coordinate_transformation_mode", "half_pixel") == "half_pixel"
    rounded = call.text("nearest_mode", "round_prefer_floor") == "round_prefer_ceil"
    return call.text("mode", "nearest") == "nearest" and centres and rounded


def _of_recurrent(call: Call) -> str:
    ways = 2 if call.text("direction", "forward") == "bidirectional" else 1
    usual = ACTIVATIONS[call.op_type] * ways
    said = [each.decode() for each in call.attributes.get("activations", [])]
    if said and said != usual:
        return f"activations={','.join(said)}"
    return "" if call.operand(4) is None else "sequence_lens"


def _scaled_otherwise(call: Call) -> bool:
    sizes = call.operand(3)
    if sizes is not None and sizes.value is not None and sizes.value.size:
        return False
    scales = call.operand(2 if call.op_type == "Resize" and call.opset > 10 else 1)
    if scales is None or scales.value is None or call.ints("axes") is not None:
        return True
    numbers = zip(call.shape(), scales.value.reshape(-1).tolist(), strict=False)
    return any(n * scale != int(n * scale) for n, scale in numbers)


def _by_channel(call: Call) -> bool:
    """Return whether slopes are one, or one a channel and the same everywhere in its map."""
    x, slopes = call.shape(), call.shape(1)
    back = len(x) - 1
    wanted = (*x[1:2], *[1] * (len(x) - 2))
    return set(slopes) <= {1} or (slopes[-back:] == wanted and set(slopes[:-back]) <= {1})
