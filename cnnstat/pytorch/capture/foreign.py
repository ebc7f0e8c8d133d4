"""Functions of other libraries that register their own: torchvision's, quantised layers."""

from __future__ import annotations

from math import prod
from typing import Any

from cnnstat import ops
from cnnstat.pytorch.capture.capture import Call
from cnnstat.pytorch.capture.functions import function
from cnnstat.pytorch.capture.rules import Meaning, Rule, tensors


def deformable_convolution(call: Call) -> Meaning:
    """Read torchvision's deformable convolution, which always has a bias."""
    a = call.arguments
    weight = a["weight"]
    pairs = ((a[f"{name}_h"], a[f"{name}_w"]) for name in ("stride", "pad", "dilation"))
    stride, padding, dilation = ((int(h), int(w)) for h, w in pairs)
    kernel = (int(weight.shape[2]), int(weight.shape[3]))
    op = ops.DeformConv2d(int(weight.shape[0]), kernel, stride, padding, dilation, int(a["groups"]))
    masks = (a["mask"],) if a["use_mask"] else ()
    return Meaning(op, (a["input"], a["offset"], *masks), (weight, a["bias"]))


def packed(call: Call) -> Meaning | None:
    """Read a layer with packed weights: as many products a result as a row of weights has."""
    a = call.arguments
    package = next((each for each in a.values() if hasattr(each, "unpack")), None)
    if package is None or len(call.results) != 1:
        return None
    unpacked = package.unpack()
    weight, bias = unpacked[0], unpacked[1] if len(unpacked) > 1 else None
    arguments = (
        ("terms", prod(int(n) for n in weight.shape[1:])),
        ("biased", bias is not None),
        ("activated", "relu" in call.name),
    )
    reads: Any = tensors(*a.values())
    op = ops.Function("quantized", call.specs, arguments, ("input",) * len(reads), call.name)
    return Meaning(op, reads)


LAYERS = ("linear", "linear_relu", "linear_dynamic", "linear_relu_dynamic", "linear_dynamic_fp16")
CONVOLUTIONS = tuple(f"conv{n}d{form}" for n in (1, 2, 3) for form in ("", "_relu", "_dynamic"))

FOREIGN: dict[str, Rule] = {
    "torchvision::nms": function("nms"),
    "torchvision::roi_align": function("roi_align"),
    "torchvision::ps_roi_align": function("ps_roi_align"),
    "torchvision::roi_pool": function("roi_pool"),
    "torchvision::ps_roi_pool": function("ps_roi_pool"),
    "torchvision::deform_conv2d": deformable_convolution,
    **{f"quantized::{name}": packed for name in (*LAYERS, *CONVOLUTIONS)},
}
"""Functions by their whole names."""
