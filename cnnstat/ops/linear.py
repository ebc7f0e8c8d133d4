"""Fully connected layers, and the radial basis functions of LeNet-5's output."""

from dataclasses import dataclass
from typing import ClassVar

from cnnstat.ir.op import NoDetail, Op, OpError, Specs, Weight
from cnnstat.ir.reach import ByAxis, Reach, Slide
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.work import Work, complex_products


def _features(inputs: Specs) -> int:
    if not inputs or not inputs[0].shape:
        raise OpError("it needs an axis of features")
    return inputs[0].shape[-1]


def _all_features(inputs: Specs) -> Reach:
    before = inputs[0].rank - 1
    return ByAxis(((*[Slide(axis) for axis in range(before)], "whole"),))


@dataclass(frozen=True, slots=True)
class Linear(NoDetail, Op):
    """Fully connected layer over the last axis.

    Shape: (n, ..., in) -> (n, ..., out_features); a vector is one row.
    Weights: in * out_features, and out_features biases.
    Work: macs = n * ... * in * out_features; bias_adds = output elements.
    Source: torch.nn.Linear.
    """

    is_layer: ClassVar[bool] = True
    counts_complex: ClassVar[bool] = True
    out_features: int
    bias: bool = True

    def infer(self, inputs: Specs) -> Specs:
        """Replace the last extent."""
        _features(inputs)
        if self.out_features < 1:
            raise OpError(f"out_features (={self.out_features}) must be at least 1")
        return (TensorSpec((*inputs[0].shape[:-1], self.out_features), inputs[0].dtype),)

    def weights(self, inputs: Specs) -> tuple[Weight, ...]:
        """Return the matrix, and the bias if there is one."""
        matrix = Weight("weight", (self.out_features, inputs[0].shape[-1]))
        return (matrix, Weight("bias", (self.out_features,), "bias")) if self.bias else (matrix,)

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return one MAC per input of each output."""
        numel = outputs[0].numel
        macs, bias_adds = numel * inputs[0].shape[-1], numel if self.bias else 0
        if inputs[0].is_complex:
            return complex_products(macs, bias_adds)
        return Work(macs=macs, bias_adds=bias_adds)

    def reach(self, inputs: Specs) -> Reach:
        """Return all features of the same position."""
        return _all_features(inputs)


@dataclass(frozen=True, slots=True)
class RBF(NoDetail, Op):
    """Euclidean radial basis functions: y_i = sum over j of (x_j - w_ij)^2, against fixed codes.

    Shape: (n, in) -> (n, units).
    Weights: units * in codes, stored but not trained (buffers).
    Work: n * units * in subtractions and as many multiplications, n * units * (in - 1) additions.
    Source: LeCun et al. 1998, equation 7; the codes are 7x12 bitmaps, fixed by hand.
    """

    is_layer: ClassVar[bool] = True
    units: int

    def infer(self, inputs: Specs) -> Specs:
        """Return one distance per unit."""
        _features(inputs)
        if len(inputs[0].shape) != 2:
            raise OpError(f"it needs 2 axes (batch, features), got {len(inputs[0].shape)}")
        return (TensorSpec((inputs[0].shape[0], self.units), inputs[0].dtype),)

    def weights(self, inputs: Specs) -> tuple[Weight, ...]:
        """Return the codes."""
        return (Weight("codes", (self.units, inputs[0].shape[-1]), "buffer"),)

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return the differences, their squares and the sums."""
        terms = outputs[0].numel * inputs[0].shape[-1]
        return Work(additions=2 * terms - outputs[0].numel, multiplications=terms)

    def reach(self, inputs: Specs) -> Reach:
        """Return all features."""
        return _all_features(inputs)
