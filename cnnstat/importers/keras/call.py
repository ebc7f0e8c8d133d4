"""One call of a Keras layer: its options, its tensors, and how a rule adds nodes for it.

Keras' order of axes is (batch, spatial ..., channels). A ``Tensor`` with ``channels_first`` lies in
the graph as (batch, channels, spatial ...); ``shape`` is always in Keras' order. A rule asks for
the order that its operator needs and a transposed view is inserted only where the order changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cnnstat.errors import ModelError
from cnnstat.importers.assembly import Assembly
from cnnstat.importers.keras.structure import Arguments, LayerConfig, Source, layer_of
from cnnstat.ir.graph import Value
from cnnstat.ir.op import Argument, Op, Role
from cnnstat.ir.tensor import DTYPE_BYTES, TensorSpec
from cnnstat.ops import Parameter, Rearrange, View

MAX_ELEMENTS = 2**62
"""Most elements of a tensor: as many bytes no address reaches."""


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
        if not self.channels_first:
            return self.spec.shape
        n, c, *spatial = self.spec.shape
        return (n, *spatial, c)

    @property
    def dtype(self) -> str:
        """The element type."""
        return self.spec.dtype

    def axis(self, axis: int) -> int:
        """Return the axis of the graph's tensor that Keras calls ``axis`` (negative: from the end).

        Raises ``ModelError`` for an axis that does not exist.
        """
        rank = self.spec.rank
        if not -rank <= axis < rank:
            raise ModelError(f"axis (={axis}) must be one of {rank}")
        axis %= rank
        if not self.channels_first or axis == 0:
            return axis
        return 1 if axis == rank - 1 else axis + 1


def shown_axes(rank: int) -> tuple[int, ...]:
    """Return the order in which the axes of a tensor with its channels first are shown."""
    return (0, *range(2, rank), 1) if rank > 2 else ()


Results = tuple[Tensor, ...]
"""Results of one call of a layer."""


@dataclass
class Layers:
    """Nodes of all calls so far: which node holds the weights of which part of a layer."""

    assembly: Assembly
    wrapped: Callable[[Call], Results | None]
    """Returns the results of a layer that is inside another one; None where it has no rule."""
    owners: dict[tuple[int, str], int] = field(default_factory=dict)
    inner: dict[tuple[int, str], LayerConfig] = field(default_factory=dict)
    """Layers inside others, by the outer one and the place in it."""


@dataclass
class Call:
    """A call of ``layer`` under the row ``path``; rules read its options and add its nodes."""

    layer: LayerConfig
    path: str
    tensors: list[Tensor]
    arguments: Arguments
    """As the file has them, with a ``Source`` in the place of each tensor."""
    layers: Layers
    part: str = ""
    """Prefix of the names of the nodes, where the layer is inside another (Bidirectional)."""
    frozen: bool = False
    """Whether what the layer is inside is frozen (``model.trainable = False``)."""

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

    @property
    def has_bias(self) -> bool:
        """Whether the layer adds a bias, as most do by default."""
        return bool(self.option("use_bias", default=True))

    @property
    def rank(self) -> int:
        """The number of spatial axes: as the class says (``Conv2D``), else those of its tensor."""
        stated = [int(letter) for letter in self.layer.kind if letter.isdecimal()]
        return stated[0] if stated else self.x.spec.rank - 2

    def axes(self, key: str, default: Any = 1) -> tuple[int, ...]:
        """Return an option with one whole number per spatial axis; one alone stands for all."""
        value = self.option(key, default)
        values = [value] * self.rank if type(value) is int else value
        if not isinstance(values, list | tuple) or [type(v) for v in values] != [int] * self.rank:
            raise self.error(f"{key} (={value!r}) must be {self.rank} whole numbers")
        return tuple(values)

    def pairs(self, key: str) -> tuple[tuple[int, int], ...]:
        """Return elements before and after each axis: n, (n, m) per axis, or ((a, b), ...)."""
        value = self.option(key, 0)
        values: Any = [value] * self.rank if type(value) is int else value
        if self.rank == 1 and isinstance(values, list | tuple) and len(values) == 2:
            values = [values]
        sides = [[v, v] if type(v) is int else v for v in values or ()]
        if len(sides) != self.rank or any(
            not isinstance(s, list | tuple) or [type(v) for v in s] != [int, int] for s in sides
        ):
            raise self.error(f"{key} (={value!r}) must be a pair of whole numbers per axis")
        return tuple((before, after) for before, after in sides)

    def places(self, axis: Any, rank: int) -> tuple[int, ...]:
        """Return one axis or a list of them, counted from 0; raise ``ModelError`` for any other."""
        stated = axis if isinstance(axis, list) else [axis]
        if not stated or any(type(a) is not int or not -rank <= a < rank for a in stated):
            raise self.error(f"axis (={axis!r}) must be one of {rank} axes")
        return tuple(a % rank for a in stated)

    @property
    def is_frozen(self) -> bool:
        """Whether training leaves the layer's weights alone: one frozen thing around suffices."""
        return self.frozen or not self.option("trainable", default=True)

    def inside(self, inner: LayerConfig, part: str, tensors: Sequence[Tensor]) -> Results | None:
        """Return the results of a layer that is inside this one; None where it has no rule.

        ``part`` is a prefix of the names of its nodes.
        """
        end = "/".join(each for each in (self.part, part) if each)
        call = replace(self, layer=inner, part=end, tensors=list(tensors), frozen=self.is_frozen)
        return self.layers.wrapped(call)

    def inner_layer(self, key: str, part: str = "", entry: Any = None) -> LayerConfig:
        """Return the layer that is an option of this one, the same for every call.

        ``part`` tells two copies of it apart, ``entry`` is the option where it is inside another.
        Raises ``ModelError`` where there is none.
        """
        place = (id(self.layer), part or key)
        if place not in self.layers.inner:
            entry = self.option(key) if entry is None else entry
            if not isinstance(entry, dict) or not isinstance(entry.get("config"), dict):
                raise self.error(f"{key} must be a layer")
            self.layers.inner[place] = layer_of({"name": key, **entry}, self.path)
        return self.layers.inner[place]

    def stated(self, position: int, name: str, default: Any = None) -> Any:
        """Return an argument of the call, by its position or its name, else the option."""
        positional = self.arguments.positional
        if position < len(positional):
            return positional[position]
        value = self.arguments.named.get(name)
        return self.layer.options.get(name, default) if value is None else value

    def argument(self, position: int, name: str) -> Tensor | None:
        """Return the tensor that is an argument of the call; None where it is none."""
        value = self.stated(position, name)
        known = isinstance(value, Source)
        return self.tensors[self.arguments.sources().index(value)] if known else None

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

    def image(self) -> Tensor:
        """Return the first tensor, its channels first. Raises ``ModelError`` for another rank."""
        x, rank = self.x, self.rank + 2
        if x.spec.rank != rank:
            shape = "x".join(map(str, x.shape))
            raise self.error(f"it needs {rank} axes, batch and channels included, got {shape}")
        if self.option("data_format") == "channels_first":  # Keras itself has them so here
            return self.as_keras(x)
        return self.with_channels_first(x)

    def with_channels_first(self, x: Tensor) -> Tensor:
        """Return a tensor whose last axis in Keras' order is axis 1 of the graph."""
        rank = x.spec.rank
        if x.channels_first or rank < 3:
            return x
        return self.permuted(x, (0, rank - 1, *range(1, rank - 1)), channels_first=True)

    def as_keras(self, x: Tensor) -> Tensor:
        """Return a tensor whose axes lie in Keras' order."""
        if not x.channels_first:
            return x
        return self.permuted(x, (0, *range(2, x.spec.rank), 1))

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
        self,
        op: Op,
        *inputs: Tensor,
        suffix: str = "",
        channels_first: bool | None = None,
        frozen: bool = False,
    ) -> Results:
        """Add a node; return all its results. Errors are those of the operator.

        ``frozen``: training leaves its weights alone, even where the layer is trained.
        """
        assembly = self.layers.assembly
        specs = tuple(x.spec for x in inputs)
        outputs = op.infer(specs)
        if any(spec.numel > MAX_ELEMENTS for spec in outputs):
            raise self.error(f"it makes a tensor of more than {MAX_ELEMENTS:,} elements")
        end = "/".join(part for part in (self.part, suffix) if part)
        weights, holder = op.weights(specs), (id(self.layer), end)
        if channels_first is None:
            channels_first = bool(inputs) and inputs[0].channels_first
        first = assembly.add(
            f"{self.path}/{end}" if end else self.path,
            op,
            tuple(x.value for x in inputs),
            outputs,
            tied_to=self.layers.owners.get(holder) if weights else None,
            row=self.path,
            axes=shown_axes(outputs[0].rank) if channels_first else (),
            frozen=bool(weights) and (frozen or self.is_frozen),
        )
        if weights:
            self.layers.owners.setdefault(holder, first.node)
            acted = [spec.dtype for spec in specs if spec.is_float] or ["float32"]
            if acted[0] != self.layer.policy.stored:  # the graph's weights have what they act on
                assembly.weight_dtypes[assembly.nodes[first.node].name] = self.layer.policy.stored
        return tuple(
            Tensor(Value(first.node, number), spec, channels_first and spec.rank > 2)
            for number, spec in enumerate(outputs)
        )

    def parameter(
        self,
        shape: tuple[int, ...],
        suffix: str,
        role: Role = "weight",
        dtype: str = "",
        *,
        frozen: bool = False,
    ) -> Tensor:
        """Add a stored tensor of the layer, in its policy's type unless ``dtype`` is another."""
        op = Parameter(shape, role, dtype or self.layer.policy.stored)
        return self.add_all(op, suffix=suffix, frozen=frozen)[0]

    def weight(self, shape: tuple[int, ...], suffix: str, role: Role = "weight") -> Tensor:
        """Add a stored tensor, and return it in the type in which the layer computes."""
        stored = self.parameter(shape, suffix, role)
        return self.cast(stored, self.layer.policy.compute, f"{suffix}/to")

    def viewed(
        self,
        shape: tuple[int, ...],
        x: Tensor,
        kind: str = "reshape",
        *,
        suffix: str = "",
        **arguments: Argument,
    ) -> Tensor:
        """Add a view of a shape; ``arguments`` are the view's own."""
        view = View(kind, (TensorSpec(shape, x.dtype),), tuple(arguments.items()))
        return self.add(view, x, suffix=suffix)

    def copied(self, shape: tuple[int, ...], x: Tensor, kind: str, **arguments: Argument) -> Tensor:
        """Add a tensor that has elements of another; ``arguments`` are those of the movement."""
        spec = TensorSpec(shape, x.dtype)
        return self.add(Rearrange(kind, (spec,), tuple(arguments.items())), x)

    def permuted(
        self,
        x: Tensor,
        order: tuple[int, ...],
        suffix: str = "permute",
        *,
        channels_first: bool = False,
    ) -> Tensor:
        """Return a tensor with its axes in another order."""
        if suffix and order == tuple(range(x.spec.rank)):
            return x
        made = TensorSpec(tuple(x.spec.shape[axis] for axis in order), x.dtype)
        view = View("permute", (made,), (("dims", order),))
        return self.add(view, x, suffix=suffix, channels_first=channels_first)

    def cast(self, x: Tensor, dtype: str, suffix: str = "to") -> Tensor:
        """Return a tensor in another element type."""
        if x.dtype == dtype or dtype not in DTYPE_BYTES:
            return x
        return self.add(Rearrange("to", (TensorSpec(x.spec.shape, dtype),)), x, suffix=suffix)

    def autocast(self) -> Call:
        """Return the call with its floating-point tensors in the type in which the layer computes.

        Source: keras.layers.Layer, ``autocast``.
        """
        kind = self.layer.policy.compute
        if all(x.dtype == kind or not x.spec.is_float for x in self.tensors):
            return self
        cast: dict[Value, Tensor] = {}
        for number, x in enumerate(self.tensors):
            if x.value not in cast:
                suffix = "to" if number == 0 else f"to_{number}"
                cast[x.value] = self.cast(x, kind, suffix) if x.spec.is_float else x
        return replace(self, tensors=[cast[x.value] for x in self.tensors])


Rule = Callable[[Call], Tensor | Results | None]
"""Adds the nodes of a call; None where the layer has an option that the rule does not know."""
