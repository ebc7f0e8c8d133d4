"""Models on inputs around the size of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cnnstat.errors import ModelError
from cnnstat.ir.tensor import TensorSpec

if TYPE_CHECKING:
    from cnnstat.api.model import Inputs, Model
    from cnnstat.count.report import Report


def sizes_around(model: Model, report: Report) -> Iterator[tuple[str, Report | None]]:
    """Yield sizes around that of a report's first input, and the model's report at each.

    Several inputs are scaled together. None: the model cannot take this size.
    """
    from cnnstat import api
    from cnnstat.render.plots.scaling import default_sizes

    entering = report.entering or report.inputs
    scaled = {name: default_sizes(spec.shape[2:]) for name, spec in entering.items()}
    for sizes in zip(*scaled.values(), strict=True):
        specs = {}
        for (name, spec), extents in zip(entering.items(), sizes, strict=True):
            channels = spec.shape[1:2]
            shape = (*extents, *channels) if model.channels_last else (*channels, *extents)
            specs[name] = TensorSpec(shape, spec.dtype)
        inputs: Inputs = specs if len(specs) > 1 else next(iter(specs.values())).shape
        try:
            sized = api.analyze(model, input=inputs, batch=report.batch).report
        except ModelError:
            yield "x".join(map(str, sizes[0])), None
        else:
            yield "x".join(map(str, sizes[0])), sized
