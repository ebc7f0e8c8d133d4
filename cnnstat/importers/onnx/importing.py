"""``model.onnx`` -> its inputs, and a graph for any specs of them."""

from __future__ import annotations

from collections.abc import Mapping

from cnnstat.importers.declared import FileModel, entering_specs
from cnnstat.importers.onnx import require_onnx
from cnnstat.importers.reference import Imported, Shapes
from cnnstat.ir.tensor import TensorSpec


def load_onnx(path: str) -> FileModel:
    """Return the model in a file.

    Raises ``MissingDependencyError`` without onnx, ``UsageError`` for a file that cannot be read,
    ``ModelError`` for one without a model. ``fill`` raises ``UsageError`` for a free extent that
    nothing fills, ``trace`` ``ShapeError`` for inputs that do not fit.
    """
    require_onnx()
    from cnnstat.importers.onnx.assemble import assemble
    from cnnstat.importers.onnx.loading import load_file

    file = load_file(path)

    def fill(shapes: Shapes, batch: int) -> dict[str, TensorSpec]:
        return entering_specs(path, file.inputs, shapes, batch)

    def trace(specs: Mapping[str, TensorSpec]) -> Imported:
        return assemble(file, specs)

    return FileModel({name: each.spec for name, each in file.inputs.items()}, fill, trace)
