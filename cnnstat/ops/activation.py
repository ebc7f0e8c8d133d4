"""Nonlinearities. Each acts in place on its layer's output as long as nothing else reads that."""

from dataclasses import dataclass
from typing import ClassVar

from cnnstat.ir.op import Elementwise, NoDetail, NoWeights, Op, SameShape, Specs, Storage
from cnnstat.ir.reach import Reach, normalised
from cnnstat.ir.work import Work


@dataclass(frozen=True, slots=True)
class _Activation(SameShape, NoWeights, Elementwise, NoDetail, Op):
    storage: ClassVar[Storage] = "in_place"

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return one activation per element."""
        return Work(activations=inputs[0].numel)


@dataclass(frozen=True, slots=True)
class ReLU(_Activation):
    """max(0, x).

    Shape: any -> the same.
    Weights: none.
    Work: activations = elements.
    Source: Nair and Hinton 2010; torch.nn.ReLU.
    """


@dataclass(frozen=True, slots=True)
class Tanh(_Activation):
    """tanh(x).

    Shape: any -> the same.
    Weights: none.
    Work: activations = elements.
    Source: torch.nn.Tanh.
    """


@dataclass(frozen=True, slots=True)
class ScaledTanh(_Activation):
    """amplitude * tanh(slope * x).

    Shape: any -> the same.
    Weights: none.
    Work: activations = elements.
    Source: LeCun et al. 1998, equation 6 and appendix A: A = 1.7159, S = 2/3.
    """

    amplitude: float = 1.7159
    slope: float = 2 / 3


@dataclass(frozen=True, slots=True)
class Sigmoid(_Activation):
    """1 / (1 + exp(-x)).

    Shape: any -> the same.
    Weights: none.
    Work: activations = elements.
    Source: torch.nn.Sigmoid.
    """


class _AlongAxis(SameShape, NoWeights, NoDetail, Op):
    __slots__ = ()
    storage: ClassVar[Storage] = "in_place"
    axis: int

    def _counts(self, inputs: Specs) -> tuple[int, int]:
        """Return how many elements and how many sums there are."""
        return inputs[0].numel, inputs[0].numel // max(inputs[0].shape[self.axis], 1)

    def reach(self, inputs: Specs) -> Reach:
        """Return all elements of the axis, its own position along the others."""
        return normalised(inputs[0].shape, (self.axis,))


@dataclass(frozen=True, slots=True)
class Softmax(_AlongAxis):
    """exp(x_i) / sum over j of exp(x_j) along one axis.

    Shape: any -> the same.
    Weights: none.
    Work: exponentials = elements; additions = elements - sums; divisions = elements.
    Source: torch.nn.Softmax (the subtraction of the maximum, a matter of precision, is not
        counted).
    """

    axis: int = -1

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return the exponentials, the sums and the divisions."""
        numel, sums = self._counts(inputs)
        return Work(exponentials=numel, additions=numel - sums, divisions=numel)


@dataclass(frozen=True, slots=True)
class LogSoftmax(_AlongAxis):
    """x_i - log(sum over j of exp(x_j)) along one axis.

    Shape: any -> the same.
    Weights: none.
    Work: exponentials = elements + sums (the logarithm of each); additions = 2 * elements - sums
        (each sum's, and a subtraction per element).
    Source: torch.nn.LogSoftmax (the subtraction of the maximum is not counted).
    """

    axis: int = -1

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return the exponentials, the sums, their logarithms and the subtractions."""
        numel, sums = self._counts(inputs)
        return Work(exponentials=numel + sums, additions=2 * numel - sums)
