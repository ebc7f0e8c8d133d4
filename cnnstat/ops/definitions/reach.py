"""How far one element of a function's result reads back; a function without a line is unknown."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from cnnstat.ir.op import OpError
from cnnstat.ir.reach import (
    AxisReach,
    ByAxis,
    Reach,
    Slide,
    Sliding,
    normalised,
    own,
    so_far,
    without,
)
from cnnstat.ir.window import Window
from cnnstat.ops.definitions.elementwise import ELEMENTWISE
from cnnstat.ops.definitions.losses import LOSSES
from cnnstat.ops.definitions.use import Use
from cnnstat.ops.pointwise import broadcast

Reaching = Callable[[Use], Reach]


def reach_of(kind: str, use: Use) -> Reach:
    """Return what an element of the first result reads of each tensor; unknown where not known."""
    rule = REACHES.get(kind)
    if rule is None or not use.inputs:
        return "unknown"
    try:
        return rule(use)
    except (KeyError, IndexError, ValueError, TypeError):
        return "unknown"


def _elementwise(use: Use) -> Reach:
    made = use.results[0].shape
    try:
        return (
            "elementwise" if broadcast(*[each.shape for each in use.inputs]) == made else "unknown"
        )
    except OpError:
        return "unknown"


def _rows(use: Use) -> Reach:
    """Return all elements along the axes, the own position elsewhere; the rank stays or goes."""
    rank, over = use.first.rank, use.axes() if "dim" in use.arguments else (use.first.rank - 1,)
    keepdim = use.results[0].rank == rank
    return ByAxis((without(rank, over, keepdim=keepdim), *[None] * (len(use.inputs) - 1)))


def _so_far(use: Use) -> Reach:
    over = {axis: so_far(axis, use.first.shape[axis]) for axis in use.axes()}
    return ByAxis((own(use.first.rank, over),))


def _halves(use: Use) -> Reach:
    """Return the own position in both halves of an axis."""
    (axis,) = use.axes()
    both = Slide(axis, Window(2, 1, 0, 0, use.results[0].shape[axis]))
    return ByAxis((own(use.first.rank, {axis: both}),))


def _all(use: Use) -> Reach:
    """Return every element of every tensor where there is one result; else the own position."""
    if prod(use.results[0].shape) == 1 and int(use.arguments.get("reduction", 0)):
        return _everything(use)
    return _elementwise(use)


def _everything(use: Use) -> Reach:
    whole: AxisReach = "whole"
    return ByAxis(tuple((whole,) * each.rank for each in use.inputs))


def _placed_by_grid(use: Use) -> Reach:
    """Return unknown places of the maps, and the own place of the grid, whose last axis is read."""
    spatial: list[AxisReach] = ["unknown"] * (use.first.rank - 2)
    places = [Slide(axis) for axis in range(2, use.first.rank)]
    return ByAxis(((Slide(0), Slide(1), *spatial), (Slide(0), *places, "whole")))


def _window(use: Use) -> Reach:
    a = use.arguments
    sides = (a["kernel"], a["stride"], a["before"], a["after"], a["dilation"])
    return Sliding(tuple(Window(*each) for each in zip(*sides, strict=True)))


REACHES: dict[str, Reaching] = {
    **dict.fromkeys(ELEMENTWISE, _elementwise),
    **dict.fromkeys(LOSSES.keys() - {"_ctc_loss"}, _all),
    **dict.fromkeys(("sort", "topk", "kthvalue", "mode", "hardmax"), _rows),
    **dict.fromkeys(("_fft_r2c", "_fft_c2c", "_fft_c2r"), _rows),
    **dict.fromkeys(("cummax", "cummin", "logcumsumexp"), _so_far),
    **dict.fromkeys(("vector_norm", "nansum", "var_mean", "std_mean"), _rows),
    **dict.fromkeys(
        ("lp_normalization", "mean_variance_normalization"),
        lambda use: normalised(use.first.shape, use.axes()),
    ),
    **dict.fromkeys(("lp_pool", "dilated_avg_pool"), _window),
    **dict.fromkeys(("grid_sampler_2d", "grid_sampler_3d"), _placed_by_grid),
    "glu": _halves,
    "dist": _everything,
    "affine_grid_generator": lambda use: ByAxis(
        ((Slide(0), Slide(use.results[0].rank - 1), "whole"),)
    ),
}
"""Functions by name."""
