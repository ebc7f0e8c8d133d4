"""One use of an ONNX operator as the rules see it, and what a rule makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from cnnstat.ir.op import Op, OpError
from cnnstat.ir.tensor import TensorSpec


class UnknownShape(Exception):  # noqa: N818 - a state of knowledge, not an error
    """A rule needs an unknown shape."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor in the file: an initializer, or the value of a ``Constant`` node.

    ``values`` are its elements where it is small enough to be read.
    """

    name: str
    spec: TensorSpec
    values: Any = None
    constant: bool = False
    quantized: bool = False

    @property
    def is_weight(self) -> bool:
        """Whether it can be a parameter: real or quantised, and more than one lone scalar."""
        return self.quantized or ("float" in self.spec.dtype and self.spec.rank > 0)

    def seen_as(self, spec: TensorSpec) -> Stored:
        """Return the same tensor in another shape."""
        return replace(self, spec=spec, values=None)


class Operand(NamedTuple):
    """One input: its name, its spec if known, the stored tensor that it is, its known elements."""

    name: str
    spec: TensorSpec | None
    stored: Stored | None = None
    value: Any = None


def is_weight(operand: Operand) -> bool:
    """Return whether an input is a stored tensor that can be a parameter."""
    return operand.stored is not None and operand.stored.is_weight


class Meaning(NamedTuple):
    """The meaning of a call: operator, tensors it reads, stored tensors that are its weights.

    ``before`` are operators on single reads (number, name, operator), ``after`` on single results.
    ``extras`` are further results that cost nothing more (number, name, spec): a dropout's mask,
    the mean of a normalisation.
    """

    op: Op
    reads: tuple[Operand, ...]
    weights: tuple[Operand, ...] = ()
    before: tuple[tuple[int, str, Op], ...] = ()
    after: tuple[tuple[int, str, Op], ...] = ()
    extras: tuple[tuple[int, str, TensorSpec], ...] = ()


ARGUMENTS: dict[str, tuple[int, ...]] = {
    "Resize": (1, 2, 3),
    "Upsample": (1,),
    "Pad": (1, 2, 3),
    "Clip": (1, 2),
    "OneHot": (1, 2),
    "QuantizeLinear": (1, 2),
    "DequantizeLinear": (1, 2),
    "QLinearConv": (1, 2, 4, 5, 6, 7),
    "QLinearMatMul": (1, 2, 4, 5, 6, 7),
    "ConvInteger": (2, 3),
    "MatMulInteger": (2, 3),
    "NonMaxSuppression": (2, 3, 4),
    "Dropout": (1, 2),
}
"""Inputs that say how an operator works: never a parameter, though they are stored."""


@dataclass(frozen=True, slots=True)
class Call:
    """One node: ``results`` are names, empty for one that is not read.

    ``opsets`` are versions of operators by domain; ``node`` is the node as the file has it;
    ``declared`` are the specs that the file states for results.
    """

    name: str
    op_type: str
    opsets: Mapping[str, int]
    operands: tuple[Operand | None, ...]
    results: tuple[str, ...]
    attributes: Mapping[str, Any]
    node: Any
    declared: Mapping[str, TensorSpec]

    @property
    def opset(self) -> int:
        """The version of ONNX's own operators."""
        return self.opsets.get("", 0)

    def operand(self, number: int) -> Operand | None:
        """Return an input, or None where it is left out."""
        return self.operands[number] if number < len(self.operands) else None

    def required(self, number: int) -> Operand:
        """Return an input that must be there."""
        operand = self.operand(number)
        if operand is None:
            raise ValueError(f"input {number} is missing")
        return operand

    @property
    def present(self) -> tuple[Operand, ...]:
        """The inputs that are not left out."""
        return tuple(each for each in self.operands if each is not None)

    @property
    def data(self) -> tuple[Operand, ...]:
        """The inputs that are tensors of the model: computed ones and weights."""
        arguments = ARGUMENTS.get(self.op_type, ())
        known = [None if n in arguments else each for n, each in enumerate(self.operands)]
        return tuple(each for each in known if each and (each.value is None or is_weight(each)))

    def spec(self, number: int = 0) -> TensorSpec:
        """Return the spec of an input; raise ``UnknownShape`` if it is unknown."""
        spec = self.required(number).spec
        if spec is None:
            raise UnknownShape(self.required(number).name)
        return spec

    def shape(self, number: int = 0) -> tuple[int, ...]:
        """Return the shape of an input."""
        return self.spec(number).shape

    def ints(self, attribute: str, number: int | None = None) -> tuple[int, ...] | None:
        """Return whole numbers from an attribute, or from an input as later opsets have it.

        None where neither is given; ``UnknownShape`` where the input is computed at run time.
        """
        if attribute in self.attributes:
            value = self.attributes[attribute]
            return (value,) if isinstance(value, int) else tuple(int(each) for each in value)
        operand = None if number is None else self.operand(number)
        if operand is None:
            return None
        if operand.value is None:
            raise UnknownShape(operand.name)
        return tuple(int(each) for each in operand.value.reshape(-1).tolist())

    def number(self, attribute: str, default: float, number: int | None = None) -> float | None:
        """Return a number from an attribute or an input; None where it is computed."""
        if attribute in self.attributes:
            return plain(self.attributes[attribute])
        operand = None if number is None else self.operand(number)
        if operand is None:
            return default
        return None if operand.value is None else plain(operand.value.reshape(-1)[0])

    def integer(self, attribute: str, default: int) -> int:
        """Return a whole number from an attribute."""
        return int(self.attributes.get(attribute, default))

    def text(self, attribute: str, default: str) -> str:
        """Return a text from an attribute."""
        value = self.attributes.get(attribute, default)
        return value.decode() if isinstance(value, bytes) else str(value)


def plain(number: Any) -> float:
    """Return a number as it was written down: 0.1, not what 32 bits make of it."""
    return float(str(np.float32(number))) if np.float32(number) == number else float(number)


def check_axis(axis: int, rank: int) -> int:
    """Return an axis counted from the front; raise ``OpError`` if there is none."""
    if not -rank <= axis < rank:
        raise OpError(f"axis (={axis}) must be one of {rank}")
    return axis % rank


Rule = Callable[[Call], Meaning | None]
"""Returns None where a call is beyond it: the caller then makes it an ``Opaque`` row."""
