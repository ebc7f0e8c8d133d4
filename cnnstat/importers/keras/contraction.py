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
    if labels is None or len(labels[0]) != len(left) or len(labels[1]) != len(right):
        return None
    first, second, result = labels
    extents: dict[str, int] = {}
    for label, extent in (*zip(first, left, strict=True), *zip(second, right, strict=True)):
        if extents.setdefault(label, extent) != extent:
            return None
    plain = all(len(set(each)) == len(each) for each in labels) and set(result) <= set(extents)
    alone = (set(first) ^ set(second)) - set(result)
    return Contraction(first, second, result, extents) if plain and not alone else None


def _labels(equation: str, rank: int, other: int) -> tuple[str, str, str] | None:
    """Return the labels of both tensors and the result, an ellipsis spelt out."""
    plain = equation.replace(" ", "")
    before, arrow, result = plain.partition("->")
    first, comma, second = before.partition(",")
    if not arrow or not comma or "," in second:
        return None
    free = [letter for letter in ascii_letters if letter not in plain]
    counts = [n - len(part.replace("...", "")) for part, n in ((first, rank), (second, other))]
    hidden = (
        max(count for count, part in zip(counts, (first, second), strict=True) if "..." in part)
        if "..." in before
        else 0
    )
    if hidden > len(free) or hidden < 0:
        return None
    spelt = "".join(free[:hidden])
    one, two, three = (part.replace("...", spelt) for part in (first, second, result))
    return one, two, three


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
    product = call.add(ops.MatMul(), first, second, suffix="product")
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
    return product if rest else call.viewed((*product.spec.shape, 1), product)


def einsum_dense(call: Call) -> Tensor | None:
    """``EinsumDense``: a product with a kernel by an equation, a bias along some of its axes."""
    if call.layer.policy.quantized or call.option("lora_rank"):
        return None
    equation, x = str(call.option("equation", "")), call.as_keras(call.x)
    shape = _kernel_shape(call, equation, x.spec.shape)
    plan = None if shape is None else contracted(equation, x.spec.shape, shape)
    if plan is None or shape is None:
        return None
    bias_axes = call.option("bias_axes", "")
    if set(bias_axes) - set(plan.result):
        return None
    made = matrix_product(call, x, call.weight(shape, "kernel"), plan)
    if bias_axes:
        first = min(plan.result.index(axis) for axis in bias_axes)
        wide = tuple(plan.extents[a] if a in bias_axes else 1 for a in plan.result[first:])
        bias = call.parameter(wide, "bias", "bias")
        made = call.add(ops.Pointwise("add"), made, bias, suffix="add")
    return finished(call, made)


def _kernel_shape(call: Call, equation: str, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return the shape of the kernel: each label is an axis of the input or of ``output_shape``."""
    second = equation.replace(" ", "").partition("->")[0].partition(",")[2]
    labels = _labels(equation, len(shape), len(second))
    if labels is None or "..." in second or len(labels[0]) != len(shape):
        return None
    stated = call.option("output_shape", [])
    stated = [stated] if type(stated) is int else list(stated)
    result = labels[2]
    if len(stated) > len(result):
        return None
    known = dict(zip(result[len(result) - len(stated) :], stated, strict=True))
    known = {label: extent for label, extent in known.items() if type(extent) is int}
    known |= dict(zip(labels[0], shape, strict=True))
    return tuple(known[x] for x in labels[1]) if set(labels[1]) <= set(known) else None
