"""A model in fewer bits: its shapes and its work stay, its tensors take the bytes of another type.

Every floating-point activation and weight takes the type; whole numbers that the model has anyway
keep theirs. Scales and zero points are left out. ``int4`` is packed, two weights a byte, and is for
weights: activations are int8 then.
"""

from __future__ import annotations

from dataclasses import replace

from cnnstat.ir.graph import NodeFacts, ShapedGraph
from cnnstat.ir.op import Specs
from cnnstat.ir.tensor import TensorSpec

QUANTIZED: dict[str, tuple[str, str]] = {
    "int8": ("int8", "int8"),
    "uint8": ("uint8", "uint8"),
    "int4": ("int4", "int8"),
}
"""Types of weights and of activations, by the name that chooses them."""


def quantized(shaped: ShapedGraph, dtype: str) -> ShapedGraph:
    """Return the graph with the tensors of a name of ``QUANTIZED``; its work is that before."""
    weights, activations = QUANTIZED[dtype]
    known: dict[int, NodeFacts] = {}  # equal operators share one instance, and go on doing so
    facts = []
    for each in shaped.facts:
        if id(each) not in known:
            known[id(each)] = each._replace(
                inputs=_specs(each.inputs, activations),
                outputs=_specs(each.outputs, activations),
                weights=tuple(
                    weight._replace(dtype=weights)
                    if weight.dtype is None or "float" in weight.dtype
                    else weight
                    for weight in each.weights
                ),
            )
        facts.append(known[id(each)])
    return replace(shaped, facts=tuple(facts))


def _specs(specs: Specs, dtype: str) -> Specs:
    return tuple([TensorSpec(s.shape, dtype) if s.is_float else s for s in specs])
