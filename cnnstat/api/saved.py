"""Saved results as models: counted once, on one input, under one convention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cnnstat.api.model import Inputs, Model
from cnnstat.api.models import complete, extents
from cnnstat.count.saved import SavedReport
from cnnstat.errors import UsageError
from cnnstat.ir.tensor import TensorSpec

if TYPE_CHECKING:
    from cnnstat.count.conventions import Convention


def saved_report(
    model: Model,
    saved: SavedReport,
    *,
    input: Inputs | None,
    batch: int,
    dtype: str | None,
    convention: Convention,
) -> SavedReport:
    """Return a saved report under a convention.

    Raises ``UsageError`` for an input, batch or dtype other than the saved ones.
    """
    spec = saved.input
    if isinstance(input, Mapping):
        shapes = [each.shape if isinstance(each, TensorSpec) else each for each in input.values()]
        shape = tuple(shapes[0]) if len(shapes) == 1 else ()
    else:
        shape = spec.shape[1:] if input is None else complete(extents(input), spec.shape[1:])
    requested = {"input": shape, "dtype": dtype or spec.dtype, "batch": batch}
    counted = {"input": spec.shape[1:], "dtype": spec.dtype, "batch": saved.batch}
    for name, value in counted.items():
        if requested[name] != value and not (name == "batch" and batch == 1):
            said, wanted = (
                "x".join(map(str, each)) if isinstance(each, tuple) else each
                for each in (value, requested[name])
            )
            raise UsageError(
                f"{model.reference}: saved with {name} {said}, not {wanted}: "
                "a saved result cannot be counted again"
            )
    return saved.under(convention)
