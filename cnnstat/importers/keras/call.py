"""One call of a Keras layer: its options, its tensors, and how a rule adds nodes for it.

Keras' order of axes is (batch, spatial ..., channels). A ``Tensor`` with ``channels_first`` lies in
the graph as (batch, channels, spatial ...); ``shape`` is always in Keras' order. A rule asks for
the order that its operator needs and a transposed view is inserted only where the order changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cnnstat.errors import ModelError
from cnnstat.importers.assembly import Assembly
from cnnstat.importers.keras.structure import LayerConfig
from cnnstat.ir.graph import Value
from cnnstat.ir.op import Arguments, Op, Role
from cnnstat.ir.tensor import DTYPE_BYTES, TensorSpec
from cnnstat.ops import Parameter, Rearrange, View

CHANNELS_FIRST = "channels_first"


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of the graph as Keras knows it. ``spec`` is that of the graph."""

    value: Value
    spec: TensorSpec
    channels_first: bool = False
    is_known: bool = True
    """Whether its shape is known; what reads a tensor of unknown shape is unknown itself."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape in Keras' order of axes."""
        return channels_last(self.spec.shape) if self.channels_first else self.spec.shape

    @property
    def dtype(self) -> str:
        """The element type."""
        return self.spec.dtype

    def axis(self, axis: int) -> int:
        """Return the axis of the graph's tensor that Keras calls ``axis`` (negative: from the end).

        Raises ``ModelError`` for an axis that there is not.
        """
        rank = self.spec.rank
        if not -rank <= axis < rank:
            raise ModelError(f"axis (={axis}) must be one of {rank}")
        axis %= rank
        if not self.channels_first or axis == 0:
            return axis
        return 1 if axis == rank - 1 else axis + 1


def channels_last(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(n, c, spatial ...) -> (n, spatial ..., c)."""
    return (shape[0], *shape[2:], shape[1])


def channels_first(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(n, spatial ..., c) -> (n, c, spatial ...)."""
    return (shape[0], shape[-1], *shape[1:-1])


@dataclass
class Layers:
    """Nodes of all calls so far: which node holds the weights of which part of a layer."""

    assembly: Assembly
    owners: dict[tuple[int, str], int] = field(default_factory=dict)
    inner: dict[tuple[int, str], LayerConfig] = field(default_factory=dict)
    frozen_params: int = 0


@dataclass
class Call:
    """A call of ``layer`` under the row ``path``; rules read its options and add its nodes."""

    layer: LayerConfig
    path: str
    tensors: list[Tensor]
    named: dict[str, Any]
    layers: Layers
    part: str = ""
    """Prefix of the names of the nodes, where the layer is inside another (Bidirectional)."""
    constants: tuple[float, ...] = ()
    """Numbers among the positional arguments, in order (``x * 2.0``)."""

    # -- options --------------------------------------------------------------------------------

    def option(self, key: str, default: Any = None) -> Any:
        """Return an option of the layer."""
        value = self.layer.options.get(key, default)
        return default if value is None else value

    def integer(self, key: str, default: int | None = None) -> int:
        """Return an option that is a whole number. Raises ``ModelError`` where it is not."""
        value = self.option(key, default)
        if type(value) is not int:
            raise self.error(f"{key} (={value!r}) must be a whole number")
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """Return an option that is true or false."""
        return bool(self.option(key, default))

    def axes(self, key: str, rank: int, default: Any = 1) -> tuple[int, ...]:
        """Return an option with one whole number per spatial axis; one alone stands for all."""
        value = self.option(key, default)
        values = [value] * rank if type(value) is int else value
        if not isinstance(values, list | tuple) or [type(v) for v in values] != [int] * rank:
            raise self.error(f"{key} (={value!r}) must be {rank} whole numbers")
        return tuple(values)

    def pairs(self, key: str, rank: int) -> tuple[tuple[int, int], ...]:
        """Return elements before and after each axis: n, (n, m) per axis, or ((a, b), ...)."""
        value = self.option(key, 0)
        values: Any = [value] * rank if type(value) is int else value
        if rank == 1 and isinstance(values, list | tuple) and len(values) == 2:
            values = [values]
        sides = [[v, v] if type(v) is int else v for v in values or ()]
        if len(sides) != rank or any(
            not isinstance(s, list | tuple) or [type(v) for v in s] != [int, int] for s in sides
        ):
            raise self.error(f"{key} (={value!r}) must be a pair of whole numbers per axis")
        return tuple((before, after) for before, after in sides)

    @property
    def is_channels_first(self) -> bool:
        """Whether Keras itself has the channels first in this layer."""
        return bool(self.option("data_format") == CHANNELS_FIRST)

    def error(self, message: str) -> ModelError:
        """Return an error about this layer."""
        return ModelError(f"{self.path} ({self.layer.kind}): {message}")

    # -- tensors --------------------------------------------------------------------------------

    @property
    def x(self) -> Tensor:
        """The first tensor that the layer is called with."""
        if not self.tensors:
            raise self.error("it is called without a tensor")
        return self.tensors[0]

    def image(self, rank: int) -> Tensor:
        """Return the first tensor with its channels first; ``rank`` is the number of spatial axes.

        Raises ``ModelError`` for another rank.
        """
        x = self.x
        if x.spec.rank != rank + 2:
            shape = "x".join(map(str, x.shape))
            raise self.error(f"it needs {rank + 2} axes, batch and channels included, got {shape}")
        if self.is_channels_first:
            return self.as_keras(x)
        return self.with_channels_first(x)

    def with_channels_first(self, x: Tensor) -> Tensor:
        """Return a tensor whose last axis in Keras' order is axis 1 of the graph."""
        if x.channels_first or x.spec.rank < 3:
            return x
        made = TensorSpec(channels_first(x.spec.shape), x.dtype)
        return self._transposed(x, made, channels_first=True)

    def as_keras(self, x: Tensor) -> Tensor:
        """Return a tensor whose axes lie in Keras' order."""
        if not x.channels_first:
            return x
        return self._transposed(x, TensorSpec(x.shape, x.dtype), channels_first=False)

    def _transposed(self, x: Tensor, made: TensorSpec, *, channels_first: bool) -> Tensor:
        rank = made.rank
        forward = (0, rank - 1, *range(1, rank - 1))
        backward = (0, *range(2, rank), 1)
        order = forward if channels_first else backward
        view = View("permute", (made,), (("dims", order),))
        return self.add(view, x, suffix="permute", channels_first=channels_first)

    def alike(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Return tensors in one order of axes: channels first if one of equal rank has them so."""
        ranks = {x.spec.rank for x in tensors}
        if len(ranks) == 1 and any(x.channels_first for x in tensors):
            return [self.with_channels_first(x) for x in tensors]
        return [self.as_keras(x) for x in tensors]

    # -- nodes ----------------------------------------------------------------------------------

    def add(
        self, op: Op, *inputs: Tensor, suffix: str = "", channels_first: bool | None = None
    ) -> Tensor:
        """Add a node; return its first result. ``suffix`` tells it from the layer's main node.

        The order of the axes is that of the first input unless it is given.
        """
        return self.add_all(op, *inputs, suffix=suffix, channels_first=channels_first)[0]

    def add_all(
        self, op: Op, *inputs: Tensor, suffix: str = "", channels_first: bool | None = None
    ) -> tuple[Tensor, ...]:
        """Add a node; return all its results. Errors are those of the operator."""
        assembly = self.layers.assembly
        specs = tuple(x.spec for x in inputs)
        outputs = op.infer(specs)
        end = "/".join(part for part in (self.part, suffix) if part)
        name = f"{self.path}/{end}" if end else self.path
        owner = None
        weights = op.weights(specs)
        if weights:
            owner = self.layers.owners.get((id(self.layer), end))
            if owner is None and not self.flag("trainable", default=True):
                self.layers.frozen_params += sum(w.numel for w in weights if w.role != "buffer")
        if channels_first is None:
            channels_first = bool(inputs) and inputs[0].channels_first
        first = assembly.add(
            name,
            op,
            tuple(x.value for x in inputs),
            outputs,
            tied_to=owner,
            row=self.path,
            axes=_shown_axes(outputs[0].rank) if channels_first else (),
        )
        if weights:
            self.layers.owners.setdefault((id(self.layer), end), first.node)
        return tuple(
            Tensor(Value(first.node, number), spec, channels_first and spec.rank > 2)
            for number, spec in enumerate(outputs)
        )

    def parameter(
        self, shape: tuple[int, ...], suffix: str, role: Role = "weight", dtype: str = "float32"
    ) -> Tensor:
        """Add a stored tensor of the layer."""
        return self.add(Parameter(shape, role, dtype), suffix=suffix)

    def viewed(
        self,
        shape: tuple[int, ...],
        x: Tensor,
        kind: str = "reshape",
        arguments: Arguments = (),
        *,
        suffix: str = "",
    ) -> Tensor:
        """Add a view whose axes lie in Keras' order; ``arguments`` are the view's own."""
        view = View(kind, (TensorSpec(shape, x.dtype),), arguments)
        return self.add(view, x, suffix=suffix, channels_first=False)

    def cast(self, x: Tensor, dtype: str) -> Tensor:
        """Return a tensor in another element type."""
        if x.dtype == dtype or dtype not in DTYPE_BYTES:
            return x
        return self.add(Rearrange("to", (TensorSpec(x.spec.shape, dtype),)), x, suffix="to")


def _shown_axes(rank: int) -> tuple[int, ...]:
    """Return the order in which the axes of a tensor with its channels first are shown."""
    return (0, *range(2, rank), 1) if rank > 2 else ()


Rule = Callable[[Call], Tensor | tuple[Tensor, ...] | None]
"""Adds the nodes of a call; None where the layer has an option that the rule does not know."""
