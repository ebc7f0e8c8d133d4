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


def _rows(use: Use) -> tuple[int, int]:
    """Return how many rows are compared whole, and the elements of one; elements without axis."""
    axis = use.arguments.get("dim")
    rows = use.first.shape[axis] if isinstance(axis, int) and use.first.rank else use.m
    return rows, use.m // max(rows, 1)


def _neighbours(use: Use) -> Work:
    """Return a comparison of each element, or row, with the one before."""
    rows, width = _rows(use)
    return Work(comparisons=max(rows - 1, 0) * width)


def _ranked_flat(use: Use) -> Work:
    """Return the order of all elements, or rows, and the comparisons of neighbours."""
    rows, width = _rows(use)
    return _neighbours(use).plus(Work(comparisons=rows * log2(rows + 1) * width))


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
    return Work(additions=2 * use.m, multiplications=use.m + weights, comparisons=2 * use.m)


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
    **dict.fromkeys(("sort", "argsort", "topk", "kthvalue", "median", "nanmedian"), _ranked),
    **dict.fromkeys(("mode", "msort"), _ranked),
    **dict.fromkeys(("_unique", "_unique2", "unique_dim"), _ranked_flat),
    **dict.fromkeys(("unique_consecutive", "unique_dim_consecutive"), _neighbours),
    **dict.fromkeys(("searchsorted", "bucketize"), _searched),
    "isin": _isin,
    **dict.fromkeys(
        ("nonzero", "nonzero_static", "count_nonzero", "_to_sparse", "cummax", "cummin"),
        per_input(comparisons=1),
    ),
    **dict.fromkeys(("aminmax", "_aminmax", "_histogramdd_bin_edges"), per_input(comparisons=2)),
    **dict.fromkeys(("histc", "histogram"), _binned),
    **dict.fromkeys(("_histogramdd_from_bin_cts", "_histogramdd_from_bin_tensors"), _binned),
    "bincount": lambda use: Work(additions=use.numel("weights")),
    "hardmax": _peaks,
    "nms": _boxes,
}
"""Functions that compare."""

CAVEATS = {
    "nms": "counts every pair of boxes; an implementation that skips suppressed boxes compares "
    "fewer",
    **dict.fromkeys(
        ("_unique", "_unique2", "unique_dim", "unique_consecutive", "unique_dim_consecutive"),
        "the number of distinct elements depends on the values",
    ),
    **dict.fromkeys(("nonzero", "_to_sparse"), "the number of results depends on the values"),
}
"""Functions whose work or results depend on values, and what the count stands for."""
