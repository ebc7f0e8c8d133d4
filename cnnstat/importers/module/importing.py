"""An ``nn.Module`` and the specs of its inputs -> a graph and its notes."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from cnnstat.engine.report import Note
from cnnstat.errors import CnnstatError, ModelError
from cnnstat.importers.module.assemble import assemble
from cnnstat.importers.module.capture import capture
from cnnstat.importers.module.translate import leaf
from cnnstat.ir.graph import Graph
from cnnstat.ir.tensor import TensorSpec


def import_module(
    name: str, module: nn.Module, inputs: Mapping[str, TensorSpec]
) -> tuple[Graph, tuple[Note, ...]]:
    """Return the graph of one forward pass in evaluation form, batch included in ``inputs``.

    Raises ``ModelError`` with the module's own message where the forward pass fails.
    """
    try:
        trace = capture(module, inputs, leaves=leaf)
    except CnnstatError:
        raise
    except Exception as error:
        shapes = ", ".join(f"{key} {spec}" for key, spec in inputs.items())
        first = str(error).strip().splitlines() or [""]
        raise ModelError(
            f"{name} cannot take {shapes}: {type(error).__name__}: {first[0]}"
        ) from error
    graph, unused = assemble(name, trace)
    notes = [
        Note("unused_parameter", path, f"{path} is stored but the forward pass never uses it")
        for path in unused
    ]
    if trace.real:
        notes.append(Note("real_tensors", "", "the forward pass asks for values: it ran for real"))
    return graph, tuple(notes)
