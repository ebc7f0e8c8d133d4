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
from cnnstat.importers.keras.policies import Policy, policy_of
from cnnstat.importers.keras.structure import Arguments as CallArguments
from cnnstat.importers.keras.structure import LayerConfig, Source, layer_of
from cnnstat.ir.graph import Value
from cnnstat.ir.op import Arguments, Op, Role
from cnnstat.ir.tensor import DTYPE_BYTES, TensorSpec
from cnnstat.ops import Parameter, Rearrange, View

MAX_ELEMENTS = 2**62
"""Most elements of a tensor: as many bytes no address reaches."""

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

        Raises ``ModelError`` for an axis that does not exist.
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
    wrapped: Callable[[Call], tuple[Tensor, ...] | None]
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
    arguments: CallArguments
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

    @property
    def policy(self) -> Policy:
        """The types in which the layer computes and stores."""
        return policy_of(self.layer.options.get("dtype", "float32"))

    @property
    def is_frozen(self) -> bool:
        """Whether training leaves the layer's weights alone: one frozen thing around suffices."""
        return self.frozen or not self.flag("trainable", default=True)

    def inside(
        self, inner: LayerConfig, part: str, tensors: Sequence[Tensor]
    ) -> tuple[Tensor, ...] | None:
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
        known = self.layers.inner.get((id(self.layer), part or key))
        if known is not None:
            return known
        entry = self.option(key) if entry is None else entry
        if not isinstance(entry, dict) or not isinstance(entry.get("config"), dict):
            raise self.error(f"{key} must be a layer")
        inner = layer_of({"name": key, **entry}, self.path)
        return self.layers.inner.setdefault((id(self.layer), part or key), inner)

    def argument(self, position: int, name: str) -> Tensor | None:
        """Return the tensor that is an argument of the call; None where it is none."""
        positional = self.arguments.positional
        value = positional[position] if position < len(positional) else self.named.get(name)
        sources = self.arguments.sources()
        return self.tensors[sources.index(value)] if isinstance(value, Source) else None

    def error(self, message: str) -> ModelError:
        """Return an error about this layer."""
        return ModelError(f"{self.path} ({self.layer.kind}): {message}")

    @property
    def named(self) -> dict[str, Any]:
        """Arguments of the call by name."""
        return self.arguments.named

    @property
    def constants(self) -> tuple[float, ...]:
        """Numbers among the positional arguments, in order (``x * 2.0``)."""
        return tuple(each for each in self.arguments.positional if type(each) in (int, float))

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
        self,
        op: Op,
        *inputs: Tensor,
        suffix: str = "",
        channels_first: bool | None = None,
        frozen: bool = False,
    ) -> tuple[Tensor, ...]:
        """Add a node; return all its results. Errors are those of the operator.

        ``frozen``: training leaves its weights alone, even where the layer is trained.
        """
        assembly = self.layers.assembly
        specs = tuple(x.spec for x in inputs)
        outputs = op.infer(specs)
        if any(spec.numel > MAX_ELEMENTS for spec in outputs):
            raise self.error(f"it makes a tensor of more than {MAX_ELEMENTS:,} elements")
        end = "/".join(part for part in (self.part, suffix) if part)
        name = f"{self.path}/{end}" if end else self.path
        owner = None
        weights = op.weights(specs)
        if weights:
            owner = self.layers.owners.get((id(self.layer), end))
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
            frozen=bool(weights) and (frozen or self.is_frozen),
        )
        if weights:
            self.layers.owners.setdefault((id(self.layer), end), first.node)
            self._note_dtype(assembly.nodes[first.node].name, inputs)
        return tuple(
            Tensor(Value(first.node, number), spec, channels_first and spec.rank > 2)
            for number, spec in enumerate(outputs)
        )

    def _note_dtype(self, name: str, inputs: Sequence[Tensor]) -> None:
        """Note the dtype of weights that are not stored in that of what they act on."""
        acted = [x.dtype for x in inputs if x.spec.is_float]
        if (acted or ["float32"])[0] != self.policy.stored:
            self.layers.assembly.weight_dtypes[name] = self.policy.stored

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
        op = Parameter(shape, role, dtype or self.policy.stored)
        return self.add_all(op, suffix=suffix, frozen=frozen)[0]

    def computed(self, x: Tensor, suffix: str) -> Tensor:
        """Return a stored tensor in the type in which the layer computes."""
        return self.cast(x, self.policy.compute, suffix)

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

    def cast(self, x: Tensor, dtype: str, suffix: str = "to") -> Tensor:
        """Return a tensor in another element type."""
        if x.dtype == dtype or dtype not in DTYPE_BYTES:
            return x
        return self.add(Rearrange("to", (TensorSpec(x.spec.shape, dtype),)), x, suffix=suffix)

    def autocast(self) -> Call:
        """Return the call with its floating-point tensors in the type in which the layer computes.

        Source: keras.layers.Layer, ``autocast``.
        """
        kind = self.policy.compute
        if all(x.dtype == kind or not x.spec.is_float for x in self.tensors):
            return self
        cast: dict[Value, Tensor] = {}
        for number, x in enumerate(self.tensors):
            if x.value not in cast:
                suffix = "to" if number == 0 else f"to_{number}"
                cast[x.value] = self.cast(x, kind, suffix) if x.spec.is_float else x
        return replace(self, tensors=[cast[x.value] for x in self.tensors])


def _shown_axes(rank: int) -> tuple[int, ...]:
    """Return the order in which the axes of a tensor with its channels first are shown."""
    return (0, *range(2, rank), 1) if rank > 2 else ()


Rule = Callable[[Call], Tensor | tuple[Tensor, ...] | None]
"""Adds the nodes of a call; None where the layer has an option that the rule does not know."""
