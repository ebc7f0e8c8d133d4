"""Products of tensors that are both computed: matrix products and attention."""

import math
from dataclasses import dataclass
from typing import ClassVar

from cnnstat.ir.op import NoDetail, NoWeights, Op, OpError, Specs
from cnnstat.ir.reach import AxisReach, ByAxis, Reach, Shape, Slide, aligned
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.work import Work, complex_products
from cnnstat.ops.pointwise import broadcast


@dataclass(frozen=True, slots=True)
class MatMul(NoWeights, NoDetail, Op):
    """Matrix product of the last two axes; the axes before them broadcast; a third tensor is added.

    Shape: [..., m, k] [..., k, n] -> [..., m, n]; a vector stands for one row or one column.
    Weights: none.
    Work: macs = result elements * k; additions = result elements where a third tensor is added.
    Source: torch.matmul, torch.addmm.
    """

    reads: ClassVar[tuple[int, int | None]] = (2, 3)
    counts_complex: ClassVar[bool] = True

    def infer(self, inputs: Specs) -> Specs:
        """Return the product's spec."""
        if len(inputs) < 2 or not inputs[0].shape or not inputs[1].shape:
            raise OpError("it needs two tensors of at least one axis")
        left, right = inputs[0].shape, inputs[1].shape
        rows = left if len(left) > 1 else (1, *left)
        columns = right if len(right) > 1 else (*right, 1)
        if rows[-1] != columns[-2]:
            raise OpError(f"inner extents {rows[-1]} and {columns[-2]} must agree")
        front = broadcast(rows[:-2], columns[:-2]) if rows[:-2] or columns[:-2] else ()
        made = (rows[-2],) * (len(left) > 1) + (columns[-1],) * (len(right) > 1)
        return (TensorSpec((*front, *made), inputs[0].dtype),)

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return one MAC per inner element of each result."""
        numel = outputs[0].numel
        macs, additions = numel * inputs[0].shape[-1], numel if len(inputs) > 2 else 0
        if inputs[0].is_complex:
            return complex_products(macs, 0).plus(Work(additions=2 * additions))
        return Work(macs=macs, additions=additions)

    def reach(self, inputs: Specs) -> Reach:
        """Return a row of the first, a column of the second, the position of what is added."""
        left, right = inputs[0].shape, inputs[1].shape
        result = self.infer(inputs)[0].shape
        front = len(result) - (len(left) > 1) - (len(right) > 1)
        rows = (*left[:-2], *left[-2:-1])
        columns = (*right[:-2], *right[-1:]) if len(right) > 1 else ()
        first = aligned(rows, result[: front + (len(left) > 1)])
        second = _batched(columns, result, front)
        third = [aligned(spec.shape, result) for spec in inputs[2:]]
        over = (*second[:-1], "whole", second[-1]) if len(right) > 1 else ("whole",)
        return ByAxis(((*first, "whole"), over, *third))


def _batched(columns: Shape, result: Shape, front: int) -> tuple[AxisReach, ...]:
    """Return the reach of the second factor's axes but the inner one: batches, then columns."""
    if not columns:
        return ()
    batches = aligned(columns[:-1], result[:front])
    return (*batches, Slide(len(result) - 1))


@dataclass(frozen=True, slots=True)
class Attention(NoWeights, NoDetail, Op):
    """Scaled dot-product attention: softmax(q k^T / sqrt(d)) v, an optional mask added.

    Shape: [..., l, d] [..., s, d] [..., s, e] -> [..., l, e]; keys and values may have fewer heads,
        each of which serves as many queries (grouped-query attention).
    Weights: none.
    Work: macs = ... * l * s * (d + e); per score a multiplication, an exponential,
        a division, an addition, one addition more where there is a mask.
    Source: Vaswani et al. 2017; torch.nn.functional.scaled_dot_product_attention.
    """

    reads: ClassVar[tuple[int, int | None]] = (3, 4)

    def infer(self, inputs: Specs) -> Specs:
        """Return the spec of the mixed values."""
        if len(inputs) < 3:
            raise OpError("it needs queries, keys and values")
        q, k, v = (spec.shape for spec in inputs[:3])
        if min(len(q), len(k), len(v)) < 2:
            raise OpError("queries, keys and values need at least 2 axes")
        if q[-1] != k[-1] or k[-2] != v[-2]:
            raise OpError("queries and keys share their last axis, keys and values the one before")
        return (TensorSpec((*_heads(q[:-2], v[:-2]), q[-2], v[-1]), inputs[0].dtype),)

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return both products and the softmax between them."""
        d, s, e = inputs[0].shape[-1], inputs[1].shape[-2], inputs[2].shape[-1]
        rows = math.prod(outputs[0].shape[:-1])
        scores = rows * s
        return Work(
            macs=scores * (d + e),
            multiplications=scores,
            exponentials=scores,
            divisions=scores,
            additions=scores - rows + (scores if len(inputs) > 3 else 0),
        )

    def reach(self, inputs: Specs) -> Reach:
        """Return the own query, all keys and values, the own feature of the values."""
        q, k, v = (spec.shape for spec in inputs[:3])
        result = self.infer(inputs)[0].shape
        front = len(result) - 2
        if k[-2] == 1:  # its score is 1 whatever the query
            values = (*self._heads_read(v[:-2], result[:-2]), "whole", Slide(front + 1))
            return ByAxis((None, None, values, *[None] * (len(inputs) - 3)))
        heads = [self._heads_read(shape[:-2], result[:-2]) for shape in (q, k, v)]
        mask = [aligned(spec.shape, (*result[:-1], k[-2]))[:-1] for spec in inputs[3:]]
        return ByAxis(
            (
                (*heads[0], Slide(front), "whole"),
                (*heads[1], "whole", "whole"),
                (*heads[2], "whole", Slide(front + 1)),
                *[(*each, "whole") for each in mask],
            )
        )

    @staticmethod
    def _heads_read(heads: tuple[int, ...], result: tuple[int, ...]) -> tuple[AxisReach, ...]:
        """Return the reach of the axes before the last two; unknown where heads serve several."""
        if len(heads) == len(result) and heads[-1:] != result[-1:] and heads[-1:] != (1,):
            return (*[Slide(axis) for axis in range(len(heads) - 1)], "unknown")
        return aligned(heads, result)


def _heads(queries: tuple[int, ...], values: tuple[int, ...]) -> tuple[int, ...]:
    if len(queries) == len(values) and queries[:-1] == values[:-1] and values:
        if queries[-1] % (values[-1] or 1):
            raise OpError(f"heads (={queries[-1]}) must be divisible by {values[-1]}")
        return queries
    return broadcast(queries, values) if queries or values else ()
