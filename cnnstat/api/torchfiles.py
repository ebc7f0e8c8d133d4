"""Models of files that PyTorch writes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cnnstat.api.model import Model
from cnnstat.errors import UsageError
from cnnstat.importers.declared import entering_specs
from cnnstat.importers.reference import Shapes
from cnnstat.importers.weights import NO_FORWARD, imported, read_safetensors
from cnnstat.ir.tensor import TensorSpec

if TYPE_CHECKING:
    from cnnstat.importers.weights import NamedTensor


def file_model(path: str) -> Model:
    """Return the model of a ``.pt2``, ``.pt``, ``.pth`` or ``.safetensors`` file.

    Raises ``UsageError`` for a file that cannot be read, ``ModelError`` for one that is damaged.
    """
    if path.lower().endswith(".safetensors"):
        return _weights(path, read_safetensors(path))
    from cnnstat.pytorch import require_torch
    from cnnstat.pytorch.files import content_of, load_exported, load_script, load_weights

    content = content_of(path)
    require_torch()
    if content == "weights":
        return _weights(path, load_weights(path))
    from cnnstat.api.modules import module_model

    if content == "script":
        return module_model(path, load_script(path), lambda: load_script(path))
    program = load_exported(path)

    def fill(shapes: Shapes, batch: int) -> dict[str, TensorSpec]:
        return entering_specs(path, program.inputs, shapes, batch, usual=program.usual)

    specs = {name: each.spec for name, each in program.inputs.items()}
    model = module_model(path, program.load(), program.load)
    return replace(model, inputs=specs, fill=fill, complete=None)


def _weights(path: str, tensors: list[NamedTensor]) -> Model:
    known = imported(path, tensors)

    def fill(shapes: Shapes, batch: int) -> dict[str, TensorSpec]:
        if shapes:
            raise UsageError(f"{path} takes no input: {NO_FORWARD}")
        return {}

    return Model(path, {}, trace=lambda specs: known, fill=fill, no_forward=NO_FORWARD)
