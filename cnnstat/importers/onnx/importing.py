"""``model.onnx`` -> its inputs, and a graph for any specs of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from cnnstat.errors import unknown
from cnnstat.importers.onnx import require_onnx
from cnnstat.importers.reference import Imported
from cnnstat.ir.tensor import TensorSpec


class OnnxModel(NamedTuple):
    """The inputs as the file declares them (0 for a free extent), and what makes the graph."""

    inputs: Mapping[str, TensorSpec]
    trace: Callable[[Mapping[str, TensorSpec]], Imported]


def load_onnx(path: str) -> OnnxModel:
    """Return the model in a file.

    Raises ``MissingDependencyError`` without onnx, ``UsageError`` for a file that cannot be read,
    ``ModelError`` for one that is no model. ``trace`` raises ``UsageError`` for a free extent that
    is not given and ``ShapeError`` for inputs that do not fit.
    """
    require_onnx()
    from cnnstat.importers.onnx.assemble import assemble
    from cnnstat.importers.onnx.loading import entering_specs, load_file

    file = load_file(path)

    def trace(given: Mapping[str, TensorSpec]) -> Imported:
        for name in given:
            if name not in file.inputs:
                raise unknown("input", name, file.inputs)
        return assemble(file, entering_specs(file, given))

    return OnnxModel({name: each.spec for name, each in file.inputs.items()}, trace)
