"""How each figure of a row comes about, as a product to check: ``(3*3*3)*64 = 1,728``.

Formulas are written from shapes alone, with no case per operator; each one's value is the figure
that it explains (a test evaluates them all).
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from cnnstat.ir.graph import NodeFacts
from cnnstat.ir.op import Weight
from cnnstat.ir.tensor import TensorSpec


def weight_product(weight: Weight, inputs: tuple[int, ...] = ()) -> str:
    """Return the product behind one stored tensor: (kh*kw*c)*out for kernels, in*out for a matrix.

    ``inputs`` is the shape before flattening, (c, h, w): a matrix on top of it shows h*w*c for its
    input features.
    """
    shape = weight.shape
    if len(shape) > 2:
        out, c, *kernel = shape
        return f"({_times([*kernel, c])})*{out}"
    if len(shape) == 2:
        out, features = shape
        spread = (
            len(inputs) > 1 and prod(inputs) == features and inputs[1:] != (1,) * len(inputs[1:])
        )
        return _times([*inputs[1:], inputs[0], out] if spread else [features, out])
    return _times(shape)


def params_formula(members: Iterable[NodeFacts], before_flatten: tuple[int, ...] = ()) -> str:
    """Return the sum of the products behind the trained tensors of a row, with its value."""
    terms: list[str] = []
    total = 0
    for facts in members:
        for weight in facts.weights:
            if weight.role != "buffer":
                terms.append(weight_product(weight, before_flatten))
                total += weight.numel
    if len(terms) < 2:
        return _equals(terms[0], total) if terms else "0"
    return f"{' + '.join(terms)} = {total:,}"


def activation_formula(spec: TensorSpec) -> str:
    """Return h*w*c of one tensor, the batch in front where there is one, with its value."""
    n, *rest = spec.shape or (1,)
    order = [*rest[1:], rest[0]] if rest else []
    return _equals(_times([n, *order] if n > 1 or not order else order), spec.numel)


def macs_formula(facts: NodeFacts, before_flatten: tuple[int, ...] = ()) -> str:
    """Return output positions times kernel products, with the MACs of one operator.

    Only the value where the two differ.
    """
    macs = facts.work.macs if facts.work else 0
    kernels = [weight for weight in facts.weights if weight.role == "weight"]
    if not macs or len(kernels) != 1 or macs % kernels[0].numel:
        return f"{macs:,}"
    product = weight_product(kernels[0], before_flatten)
    times = macs // kernels[0].numel
    out, entering = facts.outputs[0].shape, facts.inputs[0].shape
    for shape in (out, entering):
        positions = [shape[0], *shape[2:]] if len(shape) > 2 else [shape[0]]
        if prod(positions) == times:
            n, *spatial = positions
            front = [f"{n}"] if n > 1 else []
            front += [f"({_times(spatial)})"] if prod(spatial) > 1 else []
            return _equals("*".join([*front, product]), macs)
    return _equals(f"{times}*{product}", macs)


def _times(values: Iterable[int]) -> str:
    return "*".join(map(str, values))


def _equals(product: str, value: int) -> str:
    return f"{product} = {value:,}" if product != str(value) else f"{value:,}"
