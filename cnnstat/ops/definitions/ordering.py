"""Order, search and counting of values.

Ranking is counted as comparisons, m * ceil(log2 (k + 1)) to find the first k of each row of m
elements in all: a heap of k (Knuth, The Art of Computer Programming, volume 3, 5.2.3).
"""

from __future__ import annotations

from cnnstat.ir.work import Work
from cnnstat.ops.definitions.use import Definition, Use, log2, per_input


def _ranked(use: Use) -> Work:
    k = int(use.arguments.get("k", use.length()))
    return Work(comparisons=use.m * log2(k + 1))


def _ranked_flat(use: Use) -> Work:
    """Return the order of all elements, or of rows where they are compared whole."""
    axis = use.arguments.get("dim")
    rows = use.first.shape[axis] if isinstance(axis, int) and use.first.rank else use.m
    width = use.m // max(rows, 1)
    return Work(comparisons=(rows * log2(rows + 1) + max(rows - 1, 0)) * width)


def _neighbours(use: Use) -> Work:
    """Return a comparison of each element, or row, with the one before."""
    axis = use.arguments.get("dim")
    rows = use.first.shape[axis] if isinstance(axis, int) and use.first.rank else use.m
    return Work(comparisons=max(rows - 1, 0) * (use.m // max(rows, 1)))


def _searched(use: Use) -> Work:
    edges = use.tensor("boundaries") or use.tensor("sorted_sequence")
    length = edges.shape[-1] if edges is not None and edges.rank else 1
    return Work(comparisons=use.n * log2(length + 1))


def _isin(use: Use) -> Work:
    """Return the order of the tested elements, and a search in it for each element."""
    tested = use.numel("test_elements") or 1
    return Work(comparisons=(use.numel("elements") + tested) * log2(tested + 1))


def _binned(use: Use) -> Work:
    """Return, per element, the place (x - low) * bins / (high - low) and an addition there."""
    weights = use.numel("weight")
    return Work(additions=2 * use.m, multiplications=use.m, comparisons=2 * use.m).plus(
        Work(multiplications=weights)
    )


def _counted(use: Use) -> Work:
    return Work(additions=use.numel("weights"))


def _peaks(use: Use) -> Work:
    """Return the comparisons that find the largest element of each row."""
    return Work(comparisons=use.m - use.m // max(use.length(), 1))


def _boxes(use: Use) -> Work:
    """Return boxes in order of their scores, and the overlap of each with each.

    An area takes 2 subtractions and a product; a pair 4 comparisons of corners, 2 subtractions and
    2 clippings of the sides, their product, the union of the areas (2 additions), the ratio and its
    comparison with the threshold.
    """
    groups = int(use.arguments.get("groups", 1))
    count = int(use.arguments.get("boxes", use.first.shape[0]))
    pairs = count * (count - 1) // 2
    one = Work(
        comparisons=count * log2(count + 1) + 7 * pairs,
        additions=2 * count + 4 * pairs,
        multiplications=count + pairs,
        divisions=pairs,
    )
    return one.times(groups)


ORDERING: dict[str, Definition] = {
    "sort": _ranked,
    "argsort": _ranked,
    "topk": _ranked,
    "kthvalue": _ranked,
    "median": _ranked,
    "nanmedian": _ranked,
    "mode": _ranked,
    "msort": _ranked,
    "_unique": _ranked_flat,
    "_unique2": _ranked_flat,
    "unique_dim": _ranked_flat,
    "unique_consecutive": _neighbours,
    "unique_dim_consecutive": _neighbours,
    "searchsorted": _searched,
    "bucketize": _searched,
    "isin": _isin,
    "nonzero": per_input(comparisons=1),
    "nonzero_static": per_input(comparisons=1),
    "count_nonzero": per_input(comparisons=1),
    "_to_sparse": per_input(comparisons=1),
    "aminmax": per_input(comparisons=2),
    "_aminmax": per_input(comparisons=2),
    "cummax": per_input(comparisons=1),
    "cummin": per_input(comparisons=1),
    "histc": _binned,
    "histogram": _binned,
    "_histogramdd_bin_edges": per_input(comparisons=2),
    "_histogramdd_from_bin_cts": _binned,
    "_histogramdd_from_bin_tensors": _binned,
    "bincount": _counted,
    "hardmax": _peaks,
    "nms": _boxes,
}
"""Functions that compare."""

CAVEATS = {
    **dict.fromkeys(
        ("nms",),
        "counts every pair of boxes; an implementation that skips suppressed boxes compares fewer",
    ),
    **dict.fromkeys(
        ("_unique", "_unique2", "unique_dim", "unique_consecutive", "unique_dim_consecutive"),
        "the number of distinct elements depends on the values",
    ),
    **dict.fromkeys(
        ("nonzero", "_to_sparse"),
        "the number of results depends on the values",
    ),
}
"""Functions whose work or results depend on values, and what the count stands for."""
