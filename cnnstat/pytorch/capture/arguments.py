"""Arguments that no operator keeps: a graph counts without them and computes what is usual.

``unkept`` names the first that a call has otherwise, so that nothing writes down a model that
computes something else.
"""

from __future__ import annotations

from typing import Any

from cnnstat.ir.op import Specs
from cnnstat.pytorch.capture.capture import Call
from cnnstat.pytorch.capture.translate import plain_name
from cnnstat.pytorch.specs import spec_of

USUAL: dict[str, dict[str, tuple[Any, ...]]] = {
    "elu": {"scale": (1,), "input_scale": (1,)},
    "softplus": {"threshold": (20,)},
    "gelu": {"approximate": ("none",)},
    "scaled_dot_product_attention": {"is_causal": (False,), "scale": (None,)},
    "upsample_linear1d": {"align_corners": (False,)},
    "upsample_bilinear2d": {"align_corners": (False,)},
    "upsample_trilinear3d": {"align_corners": (False,)},
    "upsample_bicubic2d": {"align_corners": (False,)},
    "_upsample_bilinear2d_aa": {"antialias": ()},
    "_upsample_bicubic2d_aa": {"antialias": ()},
    "rnn_relu": {"nonlinearity": ()},
    "add": {"alpha": (1,)},
    "sub": {"alpha": (1,)},
    "rsub": {"alpha": (1,)},
    "addmm": {"beta": (1,), "alpha": (1,)},
    "baddbmm": {"beta": (1,), "alpha": (1,)},
    "addmv": {"beta": (1,), "alpha": (1,)},
    "addcmul": {"value": (1,)},
    "addcdiv": {"value": (1,)},
    "div": {"rounding_mode": (None,)},
    "var": {"correction": (None, 1), "unbiased": (True,)},
    "std": {"correction": (None, 1), "unbiased": (True,)},
    "linalg_vector_norm": {"ord": (2,)},
    "avg_pool2d": {"divisor_override": (None,)},
}
"""Functions of ``table.RULES``: their arguments, and the values that an operator stands for. An
argument without any is what the function's name says."""


def unkept(call: Call, outputs: Specs) -> str:
    """Return what of a call its operator, which makes ``outputs``, does not keep, else nothing."""
    name, a = plain_name(call.name), call.arguments
    for key, usual in USUAL.get(name, {}).items():
        if not usual:
            return key
        if key in a and a[key] not in usual:
            return f"{key}={a[key]}"
    if name == "log_softmax" and a["dim"] not in (-1, a["self"].dim() - 1):
        return f"dim={a['dim']}"
    if name == "batch_norm" and a["training"] and a["running_mean"] is not None:
        return "training=True"
    if "upsample" in name and _scaled_otherwise(call):
        return "scale_factor, which differs from the ratio of the extents"
    for result, spec in zip(call.results, outputs, strict=False):
        dtype = spec_of(result).dtype
        if dtype != spec.dtype:
            return f"dtype={dtype}"
    return ""


def _scaled_otherwise(call: Call) -> bool:
    """Return whether a resampling is given a scale that is not what its extents say."""
    a = call.arguments
    x: Any = a.get("input", a.get("self"))
    given = a.get("scale_factors") or [
        a[key] for key in ("scales", "scales_d", "scales_h", "scales_w") if key in a
    ]
    axes = zip(given, x.shape[2:], call.results[0].shape[2:], strict=False)
    return any(scale is not None and scale * n != made for scale, n, made in axes)
