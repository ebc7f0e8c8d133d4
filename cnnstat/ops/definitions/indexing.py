"""Elements that are added up, multiplied or compared where indices put them."""

from __future__ import annotations

from cnnstat.ir.work import NO_WORK, Work
from cnnstat.ops.definitions.use import Definition, Use, per_input

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


INDEXING: dict[str, Definition] = {
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
