"""Products of two tensors by an equation, as ``einsum``, ``EinsumDense`` and ``Dot`` have them.

[b, m, k] [b, k, p] -> [b, m, p]: b are the axes that both tensors and the result have, k those that
are summed, m and p those of one tensor alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from string import ascii_letters, ascii_lowercase, ascii_uppercase
from typing import NamedTuple

from cnnstat import ops
from cnnstat.importers.keras.activations import finished
from cnnstat.importers.keras.call import Call, Tensor
from cnnstat.importers.keras.normalization import unit


class Contraction(NamedTuple):
    """Labels of the axes of both tensors and of the result, and the extent of each label."""

    left: str
    right: str
    result: str
    extents: Mapping[str, int]

    def shape(self, labels: str) -> tuple[int, ...]:
        """Return the extents of some labels."""
        return tuple(self.extents[label] for label in labels)


def contracted(equation: str, left: tuple[int, ...], right: tuple[int, ...]) -> Contraction | None:
    """Return what an equation says of two shapes; None where it is no plain product of them."""
    labels = _labels(equation, len(left), len(right))
    extents: dict[str, int] = {}
    for label, extent in zip("".join(labels[:2]), left + right, strict=True) if labels else ():
        if extents.setdefault(label, extent) != extent:
            return None
    return _plain(labels, extents)


Labels = tuple[str, str, str]
"""A letter for each axis of both tensors and of the result."""


def _plain(labels: Labels | None, extents: Mapping[str, int]) -> Contraction | None:
    """Return a plain product: no axis twice in a tensor, none of one tensor alone summed."""
    if labels is None or any(len(set(each)) != len(each) for each in labels):
        return None
    first, second, result = labels
    alone = (set(first) ^ set(second)) - set(result)
    return Contraction(*labels, extents) if set(result) <= set(extents) and not alone else None


def _labels(equation: str, rank: int, other: int | None = None) -> Labels | None:
    """Return the labels of both tensors and the result, an ellipsis spelt out.

    ``other`` is the rank of the second, where its labels alone do not say it.
    """
    plain = equation.replace(" ", "")
    before, arrow, result = plain.partition("->")
    first, comma, second = before.partition(",")
    if not arrow or not comma or "," in second or (other is None and "..." in second):
        return None
    ranks = (rank, len(second) if other is None else other)
    hidden = [
        n - len(part) + 3 for part, n in zip((first, second), ranks, strict=True) if "..." in part
    ]
    free = "".join(letter for letter in ascii_letters if letter not in plain)
    spelt = free[: max(hidden, default=0)]
    one, two, three = (part.replace("...", spelt) for part in (first, second, result))
    return (one, two, three) if (len(one), len(two)) == ranks else None


def matrix_product(call: Call, left: Tensor, right: Tensor, plan: Contraction) -> Tensor:
    """Return the product of two tensors in Keras' order of axes, as one matrix product."""
    shared = "".join(x for x in plan.left if x in plan.right and x in plan.result)
    summed = "".join(x for x in plan.left if x in plan.right and x not in plan.result)
    rows = "".join(x for x in plan.left if x not in plan.right)
    columns = "".join(x for x in plan.right if x not in plan.left)
    front = plan.shape(shared)
    first = _ordered(call, left, plan.left, shared + rows + summed, "left")
    second = _ordered(call, right, plan.right, shared + summed + columns, "right")
    m, k, p = (prod(plan.shape(labels)) for labels in (rows, summed, columns))
    first = call.viewed((*front, m, k), first, suffix="left/view")
    second = call.viewed((*front, k, p), second, suffix="right/view")
    product = call.add(ops.MatMul(), first, second)
    made = shared + rows + columns
    product = call.viewed(plan.shape(made), product, suffix="view")
    return _ordered(call, product, made, plan.result, "result")


def _ordered(call: Call, x: Tensor, labels: str, wanted: str, name: str) -> Tensor:
    order = tuple(labels.index(label) for label in wanted)
    return call.permuted(x, order, f"{name}/permute")


def dot(call: Call) -> Tensor | None:
    """``Dot``: the products of two tensors along one axis of each, summed; the batch is shared."""
    if len(call.tensors) != 2:
        return None
    left, right = (call.as_keras(x) for x in call.tensors)
    axes = call.option("axes", -1)
    axes = [axes, axes] if type(axes) is int else axes
    a, b = axes[0] % left.spec.rank, axes[1] % right.spec.rank
    if 0 in (a, b):
        return None
    if call.option("normalize"):
        left, right = unit(call, left, a, "left/unit"), unit(call, right, b, "right/unit")
    first = ascii_lowercase[: left.spec.rank]
    second = list(first[0] + ascii_uppercase[1 : right.spec.rank])
    second[b] = first[a]
    rest = [label for label in (*first[1:], *second[1:]) if label != first[a]]
    equation = f"{first},{''.join(second)}->{first[0]}{''.join(rest)}"
    plan = contracted(equation, left.spec.shape, right.spec.shape)
    if plan is None:
        raise call.error(f"the axes {a} and {b} must have the same extent")
    product = matrix_product(call, left, right, plan)
    return product if rest else call.viewed((*product.spec.shape, 1), product, suffix="column")


def einsum_dense(call: Call) -> Tensor | None:
    """``EinsumDense``: a product with a kernel by an equation, a bias along some of its axes."""
    if call.layer.policy.quantized or call.option("lora_rank"):
        return None
    x, stated = call.as_keras(call.x), call.option("output_shape", [])
    stated = [stated] if type(stated) is int else list(stated)
    labels = _labels(str(call.option("equation", "")), x.spec.rank)
    if labels is None or len(stated) > len(labels[2]):
        return None
    known = zip(reversed(labels[2]), reversed(stated), strict=False)
    extents = {label: extent for label, extent in known if type(extent) is int}
    extents |= dict(zip(labels[0], x.spec.shape, strict=True))
    plan = _plain(labels, extents)
    if plan is None or not set(plan.right) <= set(extents):
        return None
    bias_axes = call.option("bias_axes", "")
    if set(bias_axes) - set(plan.result):
        return None
    made = matrix_product(call, x, call.weight(plan.shape(plan.right), "kernel"), plan)
    if bias_axes:
        first = min(plan.result.index(axis) for axis in bias_axes)
        wide = tuple(plan.extents[a] if a in bias_axes else 1 for a in plan.result[first:])
        bias = call.parameter(wide, "bias", "bias")
        made = call.add(ops.Pointwise("add"), made, bias, suffix="add")
    return finished(call, made)
