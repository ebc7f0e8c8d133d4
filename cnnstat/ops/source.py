"""Where tensors enter a graph."""

from dataclasses import dataclass
from typing import ClassVar

from cnnstat.ir.op import Elementwise, NoDetail, NoWeights, NoWork, Op, Specs
from cnnstat.ir.tensor import TensorSpec


@dataclass(frozen=True, slots=True)
class Input(NoWeights, NoWork, Elementwise, NoDetail, Op):
    """A tensor that comes from outside; ``shape`` leaves the batch out and is the default.

    Shape: () -> (1, *shape), or the spec that the caller of shape inference gives for this node.
    Weights: none.
    Work: none.
    Source: the model's input, PyTorch's placeholder.
    """

    is_input: ClassVar[bool] = True
    shape: tuple[int, ...]
    dtype: str = "float32"

    def infer(self, inputs: Specs) -> Specs:
        """Return the given spec, or the default with a batch of 1."""
        return inputs or (TensorSpec((1, *self.shape), self.dtype),)
