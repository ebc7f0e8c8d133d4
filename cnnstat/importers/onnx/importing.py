"""``model.onnx`` -> its inputs, and a graph for any specs of them."""

from __future__ import annotations

from functools import partial

from cnnstat.errors import MissingDependencyError
from cnnstat.importers.declared import FileModel, entering_specs


def load_onnx(path: str) -> FileModel:
    """Return the model in a file.

    Raises ``MissingDependencyError`` without onnx, ``UsageError`` for a file that cannot be read,
    ``ModelError`` for one without a model. ``fill`` raises ``UsageError`` for a free extent that
    nothing fills, ``trace`` ``ShapeError`` for inputs that do not fit.
    """
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError("onnx", "onnx") from error
    from cnnstat.importers.onnx.assemble import assemble
    from cnnstat.importers.onnx.loading import load_file

    file = load_file(path)
    return FileModel(
        {name: each.spec for name, each in file.inputs.items()},
        partial(entering_specs, path, file.inputs),
        partial(assemble, file),
    )
