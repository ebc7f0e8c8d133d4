"""Policies of element types: in which a layer computes, and in which it stores its weights."""

from __future__ import annotations

from typing import Any, NamedTuple

from cnnstat.ir.tensor import DTYPE_BYTES

MIXED = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}
"""Policies that compute in the named type and store float32."""


class Policy(NamedTuple):
    """Types of computation and of weights; ``quantized`` is the mode of a quantised layer."""

    compute: str = "float32"
    stored: str = "float32"
    quantized: str = ""


def policy_of(options: Any) -> Policy:
    """Return the policy of a layer's ``dtype``: a name, or a policy object of Keras 2 or 3.

    A policy that is not known counts as float32, Keras' own default.
    """
    if isinstance(options, str):
        name, mode = options, ""
    else:
        config = options.get("config") if isinstance(options, dict) else None
        config = config if isinstance(config, dict) else {}
        if "default_policy" in config:
            return policy_of(config["default_policy"])
        name = str(config.get("name", config.get("source_name", "float32")))
        mode = str(config.get("mode", ""))
    if name in MIXED:
        return Policy(MIXED[name], "float32", mode)
    kind = name if name in DTYPE_BYTES else "float32"
    return Policy(kind, kind, mode)
