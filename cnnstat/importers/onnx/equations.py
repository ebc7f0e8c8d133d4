"""Products that an equation writes, as ``Einsum`` has them."""

from __future__ import annotations

import math
from collections.abc import Mapping

from cnnstat import ops
from cnnstat.importers.onnx.call import Call, Meaning
from cnnstat.ir.op import Op, OpError
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ops.pointwise import broadcast


def einsum(call: Call) -> Meaning:
    """Read a product of tensors that an equation writes: [b m k] [b k n] -> [b m n]."""
    equation = call.text("equation", "").replace(" ", "")
    terms, out = _letters(call, equation)
    extents = _extents(call, terms)
    shape = tuple(extents[letter] for letter in out)
    if len(terms) == 1 and sorted(terms[0]) == sorted(out) and len(set(out)) == len(out):
        made = (TensorSpec(shape, call.spec().dtype),)
        order = tuple(terms[0].index(c) for c in out)
        return Meaning(ops.View("permute", made, (("dims", order),)), call.present)
    meant = _matrix_product(call, terms, out) if len(terms) == 2 else None
    return meant or _contraction(call, terms, out, extents)


def _letters(call: Call, equation: str) -> tuple[list[str], str]:
    """Return the terms and the result with a letter in place of each axis of an ellipsis."""
    left, arrow, out = equation.partition("->")
    terms = left.split(",")
    if not arrow:
        letters = left.replace(",", "").replace(".", "")
        out = "..." * ("..." in left) + "".join(
            sorted(c for c in set(letters) if letters.count(c) == 1)
        )
    fronts = [len(call.shape(n)) - len(t.replace(".", "")) for n, t in enumerate(terms)]
    hidden = max([n for n, t in zip(fronts, terms, strict=True) if "..." in t], default=0)
    names = "".join(chr(0x3B1 + number) for number in range(hidden))  # no letter of an equation
    filled = [
        term.replace("...", names[hidden - n :] if n else "")
        for n, term in zip(fronts, terms, strict=True)
    ]
    return filled, out.replace("...", names)


def _extents(call: Call, terms: list[str]) -> dict[str, int]:
    """Return the extent of each letter; one that is 1 in a term is broadcast."""
    extents: dict[str, int] = {}
    for number, term in enumerate(terms):
        shape = call.shape(number)
        if len(term) != len(shape):
            raise OpError(f"{term} does not name the axes of {call.spec(number)}")
        for letter, n in zip(term, shape, strict=True):
            (extents[letter],) = broadcast((extents.get(letter, 1),), (n,))
    return extents


def _contraction(call: Call, terms: list[str], out: str, extents: Mapping[str, int]) -> Meaning:
    """Return factor by factor from the left, each summed over what no later one needs.

    A step that sums over letters of both its factors is a matrix product; one that does not is an
    elementwise product; letters of a single term are added up before.
    """

    def count(letters: set[str]) -> int:
        return math.prod(extents[letter] for letter in letters)

    macs = multiplications = additions = 0
    current = set(terms[0])
    for number in range(len(terms)):
        needed = set(out).union(*terms[number + 1 :])
        if number:
            following = set(terms[number])
            alone = following - current - needed
            additions += count(following) - count(following - alone)
            following -= alone
            both = current | following
            summed = (current & following) - needed
            macs += count(both) if summed else 0
            multiplications += 0 if summed else count(both)
            current = both - summed
        gone = current - needed
        additions += count(current) - count(current - gone)
        current -= gone
    counts = (("macs", macs), ("multiplications", multiplications), ("additions", additions))
    spec = TensorSpec(tuple(extents[letter] for letter in out), call.spec().dtype)
    return Meaning(ops.Function("contraction", (spec,), counts, (), "Einsum"), call.present)


def _matrix_product(call: Call, terms: list[str], out: str) -> Meaning | None:
    """Return a product of two matrices, or of batches of them; None where it is none."""
    a, b = terms
    if any(len(set(t)) != len(t) for t in (a, b, out)) or set(out) - set(a + b):
        return None
    extents = dict(zip(a, call.shape(0), strict=True)) | dict(zip(b, call.shape(1), strict=True))
    if any(extents[c] != n for c, n in zip(a, call.shape(0), strict=True)):
        return None  # an axis that is broadcast
    both = [c for c in a if c in b and c in out]
    summed = [c for c in a if c in b and c not in out]
    rows = [c for c in a if c not in b]
    columns = [c for c in b if c not in a]
    if any(c not in out for c in rows + columns):
        return None

    def view(*groups: list[str]) -> Op:
        shape = [math.prod(extents[c] for c in group) for group in groups]
        return ops.View("permute", (TensorSpec(tuple(shape), call.spec().dtype),))

    before = (0, "permute", view(both, rows, summed)), (1, "permute_b", view(both, summed, columns))
    made = TensorSpec(tuple(extents[c] for c in out), call.spec().dtype)
    after = ((0, "permute_out", ops.View("permute", (made,))),)
    return Meaning(ops.MatMul(), call.present, (), before, after)
