"""Models as ONNX files, written by PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnstat.api.model import Inputs, Model
from cnnstat.api.models import input_specs, shaped_graph, with_input
from cnnstat.errors import UsageError

if TYPE_CHECKING:
    from cnnstat.pytorch.export import Exported


def export_onnx(
    model: Model,
    *,
    input: Inputs | None = None,
    batch: int = 1,
    opset: int | None = None,
    seed: int = 0,
) -> Exported:
    """Return a model as an ONNX model that can be saved, in inference form.

    A zoo model or a spec file gets the weights that its paper's scheme draws from ``seed``, with
    the outputs of auxiliary heads after its own; a PyTorch module keeps its weights, ``seed``
    serves what its callable draws. Raises ``UsageError`` for an ONNX file, for bad arguments and
    where PyTorch or onnxscript is missing, ``ModelError`` for a model that cannot be exported.
    """
    model.require_forward()
    if model.structure is None and model.own_module is None:
        if model.saved is not None:  # says that it has no graph
            model.graph_for(model.inputs)
        raise UsageError(f"{model.reference}: an ONNX or Keras file can be exported to yaml only")
    from cnnstat.pytorch import require_torch

    require_torch()
    from cnnstat.pytorch.export import check_opset, export_onnx

    check_opset(opset)
    model, shapes = with_input(model, input)
    specs = input_specs(model, input=shapes, batch=batch)
    if model.own_module is not None:
        from cnnstat.pytorch.random_state import preserved_random_state

        with preserved_random_state(seed=seed):
            module = model.own_module()
    else:
        from cnnstat.pytorch.build import build_full_form
        from cnnstat.pytorch.modules import scheme_of

        training = model.card.training if model.card is not None else None
        scheme = scheme_of(training.initialization if training is not None else "")
        module = build_full_form(shaped_graph(model, specs)[0], seed=seed, scheme=scheme)
    return export_onnx(model.reference, module, specs, opset=opset)
