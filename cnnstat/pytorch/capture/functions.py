"""Calls of functions that have a definition of their work in ``cnnstat.ops.definitions``.

Most are known there by the very name that they have in ATen; the others have a line or a rule here.
So have the functions of other libraries that register their own: torchvision's, quantised layers.
"""

from __future__ import annotations

from math import prod
from typing import Any

import torch

from cnnstat import ops
from cnnstat.pytorch.capture.calls import (
    Call,
    Meaning,
    Rule,
    axes_of,
    plain_arguments,
    tensors,
)
from cnnstat.pytorch.capture.rules import pointwise, reduce

KINDS = {
    "fake_quantize_per_tensor_affine_cachemask": "fake_quantize",
    "fake_quantize_per_channel_affine_cachemask": "fake_quantize",
    "_fake_quantize_per_tensor_affine_cachemask_tensor_qparams": "fake_quantize",
    "fake_quantize_per_tensor_affine": "fake_quantize",
    "fake_quantize_per_channel_affine": "fake_quantize",
}
"""ATen functions whose definition has another name."""


def function(kind: str) -> Rule:
    """Return the rule of a function with that definition, which takes all arguments."""

    def read(call: Call) -> Meaning:
        name = call.name.rstrip("_")
        named = [
            (argument, tensor)
            for argument, value in call.arguments.items()
            for tensor in tensors(value)
        ]
        op = ops.Function(
            kind,
            call.specs,
            plain_arguments(call),
            tuple(argument for argument, _ in named),
            "" if name == kind else name,
        )
        return Meaning(op, tuple(tensor for _, tensor in named))

    return read


def vector_norm(call: Call) -> Meaning | None:
    """Read a norm over axes; of order 1 and 2 it is a reduction."""
    a = call.arguments
    order = a.get("ord", a.get("p"))
    order = 2.0 if order is None else order
    if isinstance(order, str):
        return None
    if order in (1, 2):
        return reduce("norm" if order == 2 else "l1")(call)
    dim = a.get("dim")
    axes = () if dim is None else axes_of(dim, 1)
    op = ops.Function("vector_norm", call.specs, (("ord", float(order)), ("dim", axes)), ("self",))
    return Meaning(op, (a["self"],))


def where(call: Call) -> Meaning | None:
    """Read a choice between two tensors, or the places where a condition holds."""
    if len(call.arguments) == 1:
        return function("nonzero")(call)
    return pointwise("where")(call)


def where_given(argument: str, kind: str) -> Rule:
    """Return the rule of a function with that definition where an argument asks for arithmetic.

    Without, values replace those at their places: they only move.
    """
    return lambda call: function(kind)(call) if call.arguments.get(argument) else None


def retyped(kind: str) -> Rule:
    """Return the rule of a change to quantised numbers or back, of one tensor.

    Scales and zero points are its arguments.
    """

    def read(call: Call) -> Meaning | None:
        if call.first is None:
            return None
        return Meaning(ops.Pointwise(kind, call.specs[0].dtype), (call.first,))

    return read


def ctc_loss(call: Call) -> Meaning | None:
    """Read an alignment loss; unknown where the lengths of joined targets are not known."""
    a = call.arguments
    lengths, targets = a["target_lengths"], a["targets"]
    longest = _longest(lengths)
    if longest is None and targets.dim() != 2:
        return Meaning(ops.Opaque("_ctc_loss", call.specs), tensors(*a.values()))
    meant = function("_ctc_loss")(call)
    if meant is None or longest is None or not isinstance(meant.op, ops.Function):
        return meant
    named = (*meant.op.arguments, ("longest", longest))
    return meant._replace(op=ops.Function("_ctc_loss", call.specs, named, meant.op.names))


def _longest(lengths: Any) -> int | None:
    """Return the largest of known numbers; None where a tensor has no contents."""
    if isinstance(lengths, torch.Tensor):
        plain = lengths.device.type != "meta" and type(lengths) is torch.Tensor
        return int(lengths.max()) if plain and lengths.numel() else None
    return max(lengths, default=0)


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
