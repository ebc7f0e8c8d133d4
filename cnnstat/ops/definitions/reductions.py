"""Reductions that ``Reduce`` has no kind for, along axes or where indices put the elements."""

from __future__ import annotations

from math import inf

from cnnstat.ir.work import NO_WORK, Work
from cnnstat.ops.definitions.use import Definition, Use, per_input


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


JOINED = {
    **dict.fromkeys(("add", "sum", "mean"), "additions"),
    **dict.fromkeys(("mul", "multiply", "prod"), "multiplications"),
    **dict.fromkeys(("max", "min", "amax", "amin"), "comparisons"),
}
"""How a value joins what is at its place, and the operation that it takes."""


def _joined(key: str) -> Definition:
    """Return an operation for each element of an argument; a mean divides each result."""

    def definition(use: Use) -> Work | None:
        how = use.arguments.get("reduce", "add")
        kind = JOINED.get(how if isinstance(how, str) else "add")
        if kind is None:
            return None
        work = Work(**{kind: int(use.arguments.get("elements", use.numel(key)))})
        return work.plus(Work(divisions=use.n)) if how == "mean" else work

    return definition


def _added(use: Use) -> Work:
    """Return an addition for each element of the source, a product where it is scaled."""
    count = use.numel("source")
    scaled = use.arguments.get("alpha", 1) != 1
    return Work(additions=count, multiplications=count * scaled)


def _put(use: Use) -> Work:
    """Return the additions of values that accumulate; others are moved."""
    if not use.arguments.get("accumulate"):
        return NO_WORK
    places = use.numel("index")
    return Work(additions=places or use.numel("values") or use.numel("source"))


def _bags(use: Use) -> Work:
    """Return the rows of each bag added up, averaged or compared."""
    bags, width = use.results[0].shape
    rows = use.numel("indices")
    joined = max(rows - bags, 0) * width
    mode = int(use.arguments.get("mode", 0))  # sum, mean, max
    weighted = rows * width if use.tensor("per_sample_weights") is not None else 0
    if mode == 2:
        return Work(comparisons=joined)
    return Work(
        additions=joined, multiplications=weighted, divisions=bags * width if mode == 1 else 0
    )


REDUCTIONS: dict[str, Definition] = {
    "vector_norm": _norm,
    "dist": _distance,
    "_cdist_forward": _distances,
    "_pdist_forward": _distances,
    "var_mean": _variance(root=False),
    "std_mean": _variance(root=True),
    "nansum": lambda use: Work(comparisons=use.m, additions=use.m - use.n),
    "index_add": _added,
    "scatter_add": _joined("index"),
    "scatter_reduce": _joined("index"),
    "index_reduce": _joined("source"),
    "segment_reduce": per_input(additions=1),
    "_embedding_bag": _bags,
    "_embedding_bag_forward_only": _bags,
    "accumulated": _put,
    "logcumsumexp": per_input(exponentials=2, additions=1),
}
"""Functions by PyTorch's names."""
