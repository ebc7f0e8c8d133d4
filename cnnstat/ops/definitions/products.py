"""Products that no layer stands for: of groups of rows, of whole numbers, of three factors."""

from __future__ import annotations

from math import prod

from cnnstat.ir.work import Work
from cnnstat.ops.definitions.use import Definition, Use, per_result


def _trilinear(use: Use) -> Work:
    """Return, per result, the products of three factors and their sum, as PyTorch computes them."""
    factors = ("i1", "i2", "i3")
    shapes = [_expanded(use.shape(each), use.arguments[f"expand{each[1]}"]) for each in factors]
    terms = prod(max(extents) for extents in zip(*shapes, strict=True))
    return Work(multiplications=2 * terms, additions=terms - use.n)


def _expanded(shape: tuple[int, ...], axes: tuple[int, ...]) -> list[int]:
    made = list(shape)
    for axis in sorted(axes):
        made.insert(axis, 1)
    return made


def _grouped(use: Use) -> Work:
    """Return [g, m, k] [g, k, n], or one product whose rows, columns or inner axis are in groups.

    Of rows in groups each is multiplied by the matrix of its group: m * k * n in all.
    """
    left, right = use.inputs[0].shape, use.inputs[1].shape
    groups = left[0] if len(left) == len(right) == 3 else 1
    macs = groups * left[-2] * left[-1] * right[-1]
    return Work(macs=macs, bias_adds=use.n if use.tensor("bias") is not None else 0)


def _product(use: Use) -> Work:
    """Return [m, k] [k, n] of numbers that are scaled, or whole."""
    biased = use.tensor("bias") is not None
    return Work(macs=use.n * use.first.shape[-1], bias_adds=use.n * biased)


def _summed_products(use: Use) -> Work:
    """Return the products of a batch, all added up with a tensor."""
    batch, _, k = use.shape("batch1")
    return Work(macs=use.n * batch * k, additions=use.n)


def _over_time(use: Use) -> Work:
    """Return a convolution of (time, batch, channels)."""
    kernel, channels, _ = use.shape("weight")
    return Work(macs=use.n * kernel * channels, bias_adds=use.n)


def _packed(use: Use) -> Work:
    """Return a product or convolution with quantised weights: ``terms`` products a result."""
    a = use.arguments
    return Work(
        macs=use.n * int(a["terms"]),
        bias_adds=use.n * bool(a.get("biased")),
        activations=use.n * bool(a.get("activated")),
    )


def _attention(use: Use) -> Work:
    """Return both products and the softmax between them: [l, d] [s, d] [s, e], as ``Attention``."""
    scores = use.results[-1].numel
    d, e = use.results[1].shape[-1], use.results[2].shape[-1]
    rows = scores // max(use.results[-1].shape[-1], 1)
    masked = scores * bool(use.arguments.get("masked"))
    return Work(
        macs=scores * (d + e),
        multiplications=scores,
        exponentials=scores,
        divisions=scores,
        additions=scores - rows + masked,
        activations=scores * bool(use.arguments.get("softcap")),
    )


def _contracted(use: Use) -> Work:
    """Return what the reader of an equation counted, factor by factor from the left."""
    kinds = ("macs", "multiplications", "additions")
    return Work(**{kind: int(use.arguments[kind]) for kind in kinds})


def _rotated(use: Use) -> Work:
    """Return x * cos + rotated(x) * sin of the first features of each head."""
    turned = int(use.arguments["rotated"])
    return Work(multiplications=2 * turned, additions=turned)


PRODUCTS: dict[str, Definition] = {
    "_trilinear": _trilinear,
    **dict.fromkeys(("_grouped_mm", "_scaled_grouped_mm"), _grouped),
    **dict.fromkeys(("_scaled_mm", "_scaled_mm_v2", "_int_mm", "_weight_int8pack_mm"), _product),
    **dict.fromkeys(("_weight_int4pack_mm", "_weight_int4pack_mm_for_cpu"), _product),
    "_addmm_activation": lambda use: Work(
        macs=use.n * use.shape("mat1")[-1], additions=use.n, activations=use.n
    ),
    "addbmm": _summed_products,
    "addr": per_result(multiplications=1, additions=1),  # an outer product, added to a tensor
    "conv_tbc": _over_time,
    "quantized": _packed,
    "attention": _attention,
    "rotary_embedding": _rotated,
    "contraction": _contracted,
}
"""Products by PyTorch's names of their kernels."""

WHOLE = frozenset(["_int_mm", "quantized", "_weight_int8pack_mm"])
"""Products that count of whole numbers, too."""

CAVEATS = dict.fromkeys(
    ("_grouped_mm", "_scaled_grouped_mm"),
    "counts every row; rows that belong to no group are not multiplied",
)
