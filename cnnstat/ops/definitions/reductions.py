"""Reductions that ``Reduce`` has no kind for."""

from __future__ import annotations

from math import inf

from cnnstat.ir.work import Work
from cnnstat.ops.definitions.use import Definition, Use


def _norm(use: Use) -> Work:
    """Return (sum of abs(x)**p) ** (1/p) over axes, for other p than 1 and 2.

    The largest (inf, -inf) and the number of elements that are not 0 (p = 0) are comparisons.
    """
    p, m, n = float(use.arguments.get("ord", 2)), use.m, use.n
    if abs(p) == inf:
        return Work(comparisons=2 * m - n)
    if p in (0, 1):
        return Work(comparisons=m, additions=m - n)
    if p == 2:
        return Work(multiplications=m, additions=m - n, exponentials=n)
    return Work(exponentials=m + n, comparisons=m, additions=m - n)


def _distance(use: Use) -> Work:
    """Return the differences of two tensors, and their norm."""
    p = use.arguments.get("p", 2)
    differences = Work(additions=max(spec.numel for spec in use.inputs))
    return differences.plus(_norm(use._replace(arguments={"ord": p})))


def _distances(use: Use) -> Work:
    """Return, per pair, the differences, their powers, the sum and its root."""
    pairs, d, p = use.n, use.first.shape[-1], float(use.arguments["p"])
    powers = pairs * d
    return Work(
        additions=powers + pairs * max(d - 1, 0),
        multiplications=powers if p == 2 else 0,
        exponentials=pairs + (0 if p == 2 else powers),
    )


def _variance(*, root: bool) -> Definition:
    """Return the mean and the variance: as ``Reduce`` has it, whose variance takes the mean."""

    def definition(use: Use) -> Work:
        m, n = use.m, use.n
        work = Work(additions=3 * m - 2 * n, multiplications=m, divisions=2 * n)
        return work.plus(Work(exponentials=n)) if root else work

    return definition


REDUCTIONS: dict[str, Definition] = {
    "vector_norm": _norm,
    "dist": _distance,
    "_cdist_forward": _distances,
    "_pdist_forward": _distances,
    "var_mean": _variance(root=False),
    "std_mean": _variance(root=True),
    "nansum": lambda use: Work(comparisons=use.m, additions=use.m - use.n),
}
"""Functions by PyTorch's names."""
