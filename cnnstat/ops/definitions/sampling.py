"""Maps read at computed places, windows without a layer, and normalisations of ONNX."""

from __future__ import annotations

from math import prod

from cnnstat.ir.work import NO_WORK, Work
from cnnstat.ops.definitions.use import Definition, Use, per_input


def _sampled(use: Use) -> Work:
    """Return the weighted sum of 2 taps on each axis (bilinear), or 4 (bicubic); 1 is a move."""
    rank = use.results[0].rank - 2
    taps = {0: 2**rank, 1: 1, 2: 4**rank}[int(use.arguments["interpolation_mode"])]
    return Work(multiplications=taps * use.n, additions=(taps - 1) * use.n) if taps > 1 else NO_WORK


def _regions(use: Use) -> Work | None:
    """Return the mean, or the largest, of samples in each bin: 4 products and 3 sums a sample.

    ``sampling_ratio`` squared samples a bin; where it is 0 they depend on the size of each region.
    """
    samples = int(use.arguments["sampling_ratio"]) ** 2
    if samples == 0 or int(use.arguments["sampling_ratio"]) < 0:
        return None
    read, n = samples * use.n, use.n
    if use.arguments.get("mode") == "max":  # the largest of all weighted taps
        return Work(multiplications=4 * read, comparisons=4 * read - n)
    return Work(multiplications=4 * read, additions=4 * read - n, divisions=n)


def _grid(use: Use) -> Work:
    """Return a product with the matrix of each map: k + 1 products for each of k coordinates."""
    return Work(macs=use.n * use.first.shape[-1])


def _window(use: Use) -> int:
    return prod(use.arguments["kernel"])


def _norms(use: Use) -> Work:
    """Return the norm of each window: a power for each element, their sum and its root.

    Absolute values count as comparisons (p = 1), squares as multiplications (p = 2).
    """
    p, n = float(use.arguments.get("p", 2)), use.n
    read = n * _window(use)
    work = Work(additions=read - n)
    if p == 1:
        return work.plus(Work(comparisons=read))
    powers = Work(multiplications=read) if p == 2 else Work(exponentials=read)
    return work.plus(powers).plus(Work(exponentials=n))


def _maxima(use: Use) -> Work:
    """Return the largest element of each window."""
    size = use.arguments.get("kernel") or use.arguments["kernel_size"]
    return Work(comparisons=use.n * (prod(size) - 1))


def _region_maxima(use: Use) -> Work:
    """Return the comparisons of regions without overlap: every element of a map once a region."""
    regions, c, *_ = use.results[0].shape
    return Work(comparisons=regions * c * prod(use.first.shape[2:]))


def _scaled_to_norm(use: Use) -> Work:
    """Return the norm of each row along an axis, and every element divided by it."""
    m, p = use.m, int(use.arguments.get("p", 2))
    rows = m // max(use.length(), 1)
    if p == 0:  # the largest absolute value
        return Work(comparisons=2 * m - rows, divisions=m)
    each = Work(multiplications=m, exponentials=rows) if p == 2 else Work(comparisons=m)
    return each.plus(Work(additions=m - rows, divisions=m))


def _renormed(use: Use) -> Work:
    """Return the norms of slices, and each element scaled."""
    rows = use.first.shape[use.axes()[0]] if use.first.rank else 1
    sums = Work(multiplications=2 * use.m, additions=use.m - rows)
    return sums.plus(Work(exponentials=rows, divisions=rows))


SAMPLING: dict[str, Definition] = {
    **dict.fromkeys(
        ("grid_sampler_2d", "grid_sampler_3d", "_grid_sampler_2d_cpu_fallback"), _sampled
    ),
    "affine_grid_generator": _grid,
    **dict.fromkeys(("roi_align", "ps_roi_align"), _regions),
    **dict.fromkeys(("roi_pool", "ps_roi_pool"), _region_maxima),
    **dict.fromkeys(("fractional_max_pool2d", "fractional_max_pool3d", "max_pool"), _maxima),
    "lp_pool": _norms,
    "dilated_avg_pool": lambda use: Work(additions=use.n * (_window(use) - 1), divisions=use.n),
    "lp_normalization": _scaled_to_norm,
    # (x - mean) / std over axes: as a layer normalisation without parameters
    "mean_variance_normalization": per_input(normalized=1, additions=3, multiplications=1),
    **dict.fromkeys(("renorm", "embedding_renorm"), _renormed),
    "overlap_add": per_input(additions=1),
}
"""Functions of maps."""

CAVEATS = {
    **dict.fromkeys(
        ("roi_align", "ps_roi_align"),
        "without a sampling ratio the samples depend on the size of each region",
    ),
    **dict.fromkeys(
        ("roi_pool", "ps_roi_pool"), "counts each region as the whole map: an upper bound"
    ),
}
"""Functions whose work depends on values."""
