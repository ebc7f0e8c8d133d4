"""Products that an equation writes, as ``Einsum`` has them."""

from __future__ import annotations

import math

from cnnstat import ops
from cnnstat.importers.onnx.call import Call, Meaning, shaped
from cnnstat.ir.op import Op, OpError
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ops.pointwise import broadcast


def einsum(call: Call) -> Meaning:
    """Read a product of two tensors that an equation writes: [b m k] [b k n] -> [b m n]."""
    equation = call.text("equation", "").replace(" ", "")
    left, _, out = equation.partition("->")
    terms = left.split(",")
    plain = len(terms) == 2 and "." not in equation and bool(out)
    a, b = terms if plain else ("", "")
    if not plain or any(len(set(t)) != len(t) for t in (a, b, out)) or set(out) - set(a + b):
        return shaped(call, summed_shape(call, equation), reads=len(terms))
    extents = dict(zip(a, call.shape(0), strict=True)) | dict(zip(b, call.shape(1), strict=True))
    both = [c for c in a if c in b and c in out]
    summed = [c for c in a if c in b and c not in out]
    rows = [c for c in a if c not in b]
    columns = [c for c in b if c not in a]
    if any(c not in out for c in rows + columns):
        return shaped(call, summed_shape(call, equation), reads=2)

    def view(*groups: list[str]) -> Op:
        shape = [math.prod(extents[c] for c in group) for group in groups]
        return ops.View("permute", (TensorSpec(tuple(shape), call.spec().dtype),))

    before = (0, "permute", view(both, rows, summed)), (1, "permute_b", view(both, summed, columns))
    made = TensorSpec(tuple(extents[c] for c in out), call.spec().dtype)
    after = ((0, "permute_out", ops.View("permute", (made,))),)
    return Meaning(ops.MatMul(), call.present, (), before, after)


def summed_shape(call: Call, equation: str) -> tuple[int, ...]:
    """Return what an equation of any form makes: an ellipsis stands for axes that broadcast."""
    left, arrow, out = equation.partition("->")
    terms = left.split(",")
    extents: dict[str, int] = {}
    fronts: list[tuple[int, ...]] = [()]
    for number, term in enumerate(terms):
        shape = call.shape(number)
        before, dots, after = term.partition("...")
        named = len(before) + len(after)
        if len(shape) < named or (not dots and len(shape) != named):
            raise OpError(f"{term} does not name the axes of {call.spec(number)}")
        end = len(shape) - len(after)
        fronts.append(shape[len(before) : end])
        extents |= dict(zip(before + after, (*shape[: len(before)], *shape[end:]), strict=True))
    front = broadcast(*fronts)
    if not arrow:
        letters = left.replace(",", "").replace(".", "")
        out = "..." + "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    before, dots, after = out.partition("...")
    middle = front if dots else ()
    return (*(extents[c] for c in before), *middle, *(extents[c] for c in after))
