"""Calls of functions that have a definition of their work in ``cnnstat.ops.definitions``.

Most are known there by the very name that they have in ATen; the others have a line or a rule here.
"""

from __future__ import annotations

from typing import Any

import torch

from cnnstat import ops
from cnnstat.ops.definitions import DEFINITIONS
from cnnstat.pytorch.capture.answers import axes_of
from cnnstat.pytorch.capture.capture import Call
from cnnstat.pytorch.capture.rules import (
    Meaning,
    Rule,
    plain_arguments,
    pointwise,
    reduce,
    tensors,
)
from cnnstat.pytorch.specs import spec_of

KINDS = {
    "fake_quantize_per_tensor_affine_cachemask": "fake_quantize",
    "fake_quantize_per_channel_affine_cachemask": "fake_quantize",
    "_fake_quantize_per_tensor_affine_cachemask_tensor_qparams": "fake_quantize",
    "fake_quantize_per_tensor_affine": "fake_quantize",
    "fake_quantize_per_channel_affine": "fake_quantize",
}
"""ATen functions whose definition has another name."""


def is_defined(name: str) -> bool:
    """Return whether the work of an ATen function is defined by its own name."""
    return name in DEFINITIONS


def function(kind: str) -> Rule:
    """Return the rule of a function with that definition, which takes all arguments."""

    def rule(call: Call) -> Meaning:
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

    return rule


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


def accumulated(call: Call) -> Meaning | None:
    """Read values that are added up at their places; those that replace others only move."""
    return function("accumulated")(call) if call.arguments.get("accumulate") else None


def scattered(call: Call) -> Meaning | None:
    """Read values that are joined with those at their places; else they only move."""
    return function("scatter_reduce")(call) if call.arguments.get("reduce") else None


def quantize(call: Call) -> Meaning:
    """Read a quantisation; scales and zero points are its arguments."""
    dtype = spec_of(call.results[0]).dtype
    return Meaning(ops.Pointwise("quantize", dtype), (call.arguments["self"],))


def dequantize(call: Call) -> Meaning | None:
    """Read the way back to real numbers, of one tensor."""
    x = call.arguments.get("self")
    if x is None:
        return None
    return Meaning(ops.Pointwise("dequantize", spec_of(call.results[0]).dtype), (x,))


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
