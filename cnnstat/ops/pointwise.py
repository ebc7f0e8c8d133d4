"""Elementwise arithmetic and the nonlinearities beyond the zoo's, each named by what it computes.

One operator per kind of thing: ``Nonlinearity`` acts in place on its layer's output, ``Pointwise``
combines tensors (or a tensor and numbers) and makes a tensor of its own.
"""

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from cnnstat.ir.op import (
    Arguments,
    Elementwise,
    NoDetail,
    NoWeights,
    Op,
    OpError,
    SameShape,
    Specs,
    Storage,
    Weight,
)
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.work import NO_WORK, Work

NONLINEARITIES: dict[str, int] = {
    **{"SiLU": 0, "GELU": 0, "Hardswish": 0, "Hardsigmoid": 0, "Hardtanh": 2, "ReLU6": 0},
    **{"ELU": 1, "SELU": 0, "CELU": 1, "LeakyReLU": 1, "Mish": 0, "Softplus": 1, "Softsign": 0},
    **{"Hardshrink": 1, "Softshrink": 1, "Threshold": 2, "LogSigmoid": 0, "Erf": 0},
}
"""Nonlinearities by PyTorch's names of their modules, and how many numbers of its own each has: a
slope, an alpha, a beta, two limits."""

_EXPONENTIALS = ("pow", "sqrt", "rsqrt", "exp", "log", "sin", "cos")
_COMPARISONS = (
    *("abs", "sign", "clamp", "maximum", "minimum", "compare", "logical", "where"),
    *("masked_fill", "round"),
)

POINTWISE: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("add", "sub", "rsub"), ("additions",)),
    **dict.fromkeys(("mul", "neg"), ("multiplications",)),
    **dict.fromkeys(("div", "remainder", "floor_divide", "reciprocal"), ("divisions",)),
    **dict.fromkeys(_EXPONENTIALS, ("exponentials",)),
    **dict.fromkeys(_COMPARISONS, ("comparisons",)),
    "addcmul": ("multiplications", "multiplications", "additions"),
    "addcdiv": ("divisions", "multiplications", "additions"),
    "quantize": ("divisions", "comparisons", "additions"),
    "dequantize": ("additions", "multiplications"),
    "dynamic_quantize": ("comparisons", "comparisons", "divisions", "comparisons", "additions"),
    "lerp": ("additions", "multiplications", "additions"),
}
"""Kinds of ``Pointwise`` and the operations that one element of the result takes."""


COMPLEX: dict[str, Work] = {
    **dict.fromkeys(("add", "sub", "rsub"), Work(additions=2)),
    "mul": Work(multiplications=4, additions=2),
    "div": Work(multiplications=6, additions=3, divisions=2),
    "reciprocal": Work(multiplications=2, additions=1, divisions=2),
    "neg": Work(multiplications=2),
    "abs": Work(multiplications=2, additions=1, exponentials=1),
    **dict.fromkeys(("where", "masked_fill"), Work(comparisons=1)),
    "compare": Work(comparisons=2),
}
"""Operations that one complex element of the result takes, by kind; other kinds are unknown."""

SCALED: dict[str, Work] = {"mul": Work(multiplications=2), "div": Work(divisions=2)}
"""The same where a complex number is scaled by a real one."""


@dataclass(frozen=True, slots=True)
class Nonlinearity(SameShape, NoWeights, Elementwise, NoDetail, Op):
    """A nonlinearity of ``NONLINEARITIES``, by name.

    Shape: any -> the same.
    Weights: none.
    Work: activations = elements.
    Source: the module of that name in torch.nn.
    """

    storage: ClassVar[Storage] = "in_place"
    kind: str
    numbers: tuple[float, ...] = ()
    """Its own numbers, in the order of the module's arguments; none: those that PyTorch has."""

    def __post_init__(self) -> None:
        count = NONLINEARITIES.get(self.kind)
        if count is None:
            raise OpError(f"kind (={self.kind!r}) must be one of {', '.join(NONLINEARITIES)}")
        plain = all(isinstance(number, int | float) for number in self.numbers)
        if len(self.numbers) not in (0, count) or not plain:
            raise OpError(f"numbers (={self.numbers}) of {self.kind} must be none or {count}")

    @property
    def type_name(self) -> str:
        """The nonlinearity's own name."""
        return self.kind

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return one activation per element."""
        return Work(activations=inputs[0].numel)


@dataclass(frozen=True, slots=True)
class PReLU(SameShape, Elementwise, NoDetail, Op):
    """max(0, x) + a * min(0, x), the slope trained, one for all or one per channel.

    Shape: any -> the same.
    Weights: ``slopes``, 1 or the channels.
    Work: activations = elements.
    Source: He et al. 2015 (delving deep into rectifiers); torch.nn.PReLU.
    """

    storage: ClassVar[Storage] = "in_place"
    slopes: int = 1

    def weights(self, inputs: Specs) -> tuple[Weight, ...]:
        """Return the slopes."""
        return (Weight("weight", (self.slopes,)),)

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return one activation per element."""
        return Work(activations=inputs[0].numel)


@dataclass(frozen=True, slots=True)
class Pointwise(NoWeights, Elementwise, NoDetail, Op):
    """Elementwise arithmetic of tensors that broadcast, or of one tensor and numbers.

    Shape: broadcasting, aligned at the last axis -> the larger of each extent.
    Weights: none.
    Work: the operations of the kind (``POINTWISE``) per element of the result; none for whole
        numbers.
    Source: the function of that name in torch.
    """

    reads: ClassVar[tuple[int, int | None]] = (1, None)
    counts_complex: ClassVar[bool] = True

    kind: str
    dtype: str | None = None
    """Dtype of the result; None: the first input's."""
    arguments: Arguments = ()
    """Its numbers by PyTorch's names (``other``, ``min``), and the function where ``kind`` stands
    for several."""

    def __post_init__(self) -> None:
        if self.kind not in POINTWISE:
            raise OpError(f"kind (={self.kind!r}) must be one of {', '.join(POINTWISE)}")

    @property
    def type_name(self) -> str:
        """The kind, as a name: ``Mul``."""
        return self.kind.capitalize()

    def infer(self, inputs: Specs) -> Specs:
        """Return the broadcast shape."""
        if not inputs:
            raise OpError("it needs an input")
        shape = broadcast(*(spec.shape for spec in inputs))
        return (TensorSpec(shape, self.dtype or inputs[0].dtype),)

    def work(self, inputs: Specs, outputs: Specs) -> Work | None:
        """Return the kind's operations per element of the result; None where unknown."""
        if any(spec.is_complex for spec in inputs):
            scaled = inputs[-1].is_float or any(name == "other" for name, _ in self.arguments)
            each = (SCALED.get(self.kind) if scaled else None) or COMPLEX.get(self.kind)
            return None if each is None else each.times(outputs[0].numel)
        real = any("float" in spec.dtype for spec in inputs)
        if not real and self.kind != "dequantize":
            return NO_WORK
        numel = outputs[0].numel
        return Work(**{kind: n * numel for kind, n in Counter(POINTWISE[self.kind]).items()})


def broadcast(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the common shape; raise ``OpError`` where extents differ and neither is 1."""
    rank = max(map(len, shapes))
    result = [1] * rank
    for shape in shapes:
        for axis, extent in enumerate(shape, rank - len(shape)):
            if extent != 1 and result[axis] not in (1, extent):
                raise OpError(f"extents {result[axis]} and {extent} do not broadcast")
            if extent != 1:
                result[axis] = extent
    return tuple(result)
