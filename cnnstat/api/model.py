"""A loaded model: what the functions of this package pass to each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cnnstat.errors import UsageError
from cnnstat.importers.reference import Imported, Shapes
from cnnstat.ir.graph import Graph
from cnnstat.ir.tensor import TensorSpec
from cnnstat.zoo.card import ModelCard

if TYPE_CHECKING:
    from cnnstat.api.modules import OwnModule
    from cnnstat.count.saved import SavedReport

Inputs = tuple[int, ...] | Mapping[str, Any]
"""Shapes without the batch: of the first input, or of each by name (a spec tells its dtype).

Where the model is a PyTorch module, a value may also be an example tensor, a list or a dictionary
of shapes and tensors, or another argument of the forward pass (``{"deep": True}``).
"""


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded model: the default spec of each input, its graph, and its card if it has one.

    ``structure`` is a graph that holds for every input; ``trace`` makes one for the inputs that it
    is given, as a PyTorch module is captured; ``channels_last`` says that images have their
    channels as the last axis (a Keras model). ``fill`` returns the spec of every input from shapes
    of some and a batch, where a file says what is open (0 in ``inputs``) and what is fixed (an ONNX
    or Keras file, an exported program). ``complete`` makes a shape without a name one of the first
    input, where the model's first layer tells how. ``places`` says where in its source a node
    stands (``net.yaml:12``), for error messages. ``own`` is the module of a model that is one.
    ``no_forward`` says why nothing runs, where only weights are known; ``saved`` is a result that
    was saved as JSON, without a graph.
    """

    reference: str
    inputs: Mapping[str, TensorSpec]
    structure: Graph | None = None
    card: ModelCard | None = None
    places: Mapping[str, str] = field(default_factory=dict)
    trace: Callable[[Mapping[str, TensorSpec]], Imported] | None = None
    channels_last: bool = False
    fill: Callable[[Shapes, int], dict[str, TensorSpec]] | None = None
    complete: Callable[[tuple[int, ...] | None], TensorSpec] | None = None
    own: OwnModule | None = None
    no_forward: str = ""
    saved: SavedReport | None = None

    @property
    def graph(self) -> Graph:
        """The graph for the default inputs."""
        return self.graph_for(self.inputs).graph

    def graph_for(self, specs: Mapping[str, TensorSpec]) -> Imported:
        """Return the graph for inputs of these specs, and notes on it."""
        if self.structure is not None:
            return Imported(self.structure)
        if self.saved is not None:
            return Imported(self.saved.shaped.graph)
        if self.trace is None:
            raise UsageError(f"{self.reference} has no graph")
        return self.trace(specs)

    def require_forward(self) -> None:
        """Raise ``UsageError`` where the model is a file of weights, which no one can run."""
        if self.no_forward:
            raise UsageError(f"{self.reference}: {self.no_forward}")


def default_inputs(graph: Graph) -> dict[str, TensorSpec]:
    """Return the spec of each input that a graph states itself."""
    return {node.name: node.op.infer(())[0] for node in graph.inputs}
