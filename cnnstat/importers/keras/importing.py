"""A Keras configuration -> its inputs, and a graph for any specs of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from cnnstat.count.report import UNCOUNTED_WEIGHTS, Note
from cnnstat.errors import ModelError, ShapeError
from cnnstat.importers.assembly import Assembly
from cnnstat.importers.declared import Declared, FileModel, entering_specs
from cnnstat.importers.keras.call import Call, Layers, Results, Tensor, shown_axes
from cnnstat.importers.keras.document import read_config
from cnnstat.importers.keras.structure import (
    LayerConfig,
    Network,
    Recorded,
    Source,
    in_order,
    network_of,
    recorded_shapes,
)
from cnnstat.importers.keras.table import is_function, rule_of
from cnnstat.importers.naming import Names
from cnnstat.importers.reference import Imported
from cnnstat.ir.graph import Value
from cnnstat.ir.op import OpError, Weight
from cnnstat.ir.tensor import DTYPE_BYTES, UNKNOWN, TensorSpec
from cnnstat.ir.window import WindowError
from cnnstat.ops import Input, Opaque, Parameter

MAX_CALLS = 100_000
"""Most calls of layers that are read: nested models can multiply without end."""


class Known(NamedTuple):
    """Facts of a live model that its configuration does not state, by the places of layers.

    A place is a path (``encoder/attention``). ``weights`` are those of each layer, without
    ``frozen``: those that a layer that is trained leaves alone (a quantised kernel, one behind a
    LoRA). ``shapes`` are those of each layer's result, ``results`` those of the model's.
    """

    weights: Mapping[str, tuple[Weight, ...]] = {}
    frozen: Mapping[str, tuple[Weight, ...]] = {}
    shapes: Mapping[str, tuple[int | None, ...]] = {}
    results: tuple[tuple[int | None, ...] | None, ...] = ()


def load_keras(path: str) -> FileModel:
    """Return the model in a ``.keras``, ``.json`` or ``.h5`` file.

    Raises ``UsageError`` for a file that cannot be read, ``ModelError`` for one without a model.
    """
    return keras_model(read_config(path), path)


def keras_model(config: Mapping[str, Any], reference: str, known: Known | None = None) -> FileModel:
    """Return the model that a configuration describes. Raises ``ModelError`` where it is none.

    ``known`` is what a live model tells beyond its configuration.
    """
    try:
        network = network_of(dict(config), reference)
    except RecursionError:
        raise ModelError(f"{reference}: its configuration is nested too deeply") from None
    inputs = {layer.name: _declared(layer, reference) for layer in _input_layers(network)}
    if not inputs:
        raise ModelError(f"{reference}: the model has no input layer")
    declared = {name: each.spec for name, each in inputs.items()}

    def trace(specs: Mapping[str, TensorSpec]) -> Imported:
        return _Reading(reference, network, specs, declared, known or Known()).imported()

    return FileModel(declared, partial(entering_specs, reference, inputs), trace)


def _input_layers(network: Network) -> list[LayerConfig]:
    """Return the input layers in the order in which the model takes them."""
    by_name = {layer.name: layer for layer in network.layers}
    return [by_name[end.layer] for end in network.inputs if end.layer in by_name]


def _declared(layer: LayerConfig, reference: str) -> Declared:
    options = layer.options
    shape = options.get("batch_shape") or options.get("batch_input_shape")
    shape = shape or options.get("shape")
    if not isinstance(shape, list | tuple) or not shape:
        raise ModelError(
            f"{reference}: the model was saved before its input was known; build it, or begin it "
            "with an Input layer"
        )
    if any(extent is not None and (type(extent) is not int or extent < 1) for extent in shape):
        raise ModelError(f"{reference}: input {layer.name} has the shape {shape!r}")
    dtype = options.get("dtype", "float32")
    dtype = dtype if isinstance(dtype, str) and dtype in DTYPE_BYTES else "float32"
    return Declared(layer.name, tuple(shape), dtype)


UNKNOWN_LAYER = "?"
"""Part of a layer without a rule that owns its weights."""


class _Within(NamedTuple):
    """The network around a layer."""

    prefix: str = ""
    """Path of the network's call."""
    place: str = ""
    """The same path without the numbers of calls."""
    frozen: bool = False


class _Reading:
    """Adds the nodes of a network's calls, in an order in which they can run."""

    def __init__(
        self,
        reference: str,
        network: Network,
        specs: Mapping[str, TensorSpec],
        declared: Mapping[str, TensorSpec],
        known: Known,
    ) -> None:
        self.reference = reference
        self.network = network
        self.specs = specs
        self.assembly = Assembly(Names())
        self.layers = Layers(self.assembly, self._wrapped)
        self.paths: dict[str, int] = {}
        self.calls = 0
        self.known = known
        self.as_declared = all(
            specs[name].shape[1:] == spec.shape[1:] for name, spec in declared.items()
        )
        """Whether the shapes that the file records hold, but for the batch."""
        self.batch = next(iter(specs.values())).shape[0]
        self.entering: dict[str, TensorSpec] = {}  # specs of the inputs in the graph's order

    def imported(self) -> Imported:
        entering = [self._enter(layer) for layer in _input_layers(self.network)]
        leaving = self._run(self.network, entering, _Within())
        values = tuple(dict.fromkeys(x.value for x in leaving))
        graph = self.assembly.finish(self.network.name, values)
        return Imported(graph, tuple(self.assembly.notes), inputs=self.entering)

    def _enter(self, layer: LayerConfig) -> Tensor:
        spec = self.specs[layer.name]
        first = spec.rank > 3
        n, *spatial = spec.shape
        made = TensorSpec((n, spatial[-1], *spatial[:-1]), spec.dtype) if first else spec
        op, axes = Input(made.shape[1:], spec.dtype), shown_axes(spec.rank) if first else ()
        value = self.assembly.add(layer.name, op, (), (made,), row=layer.name, axes=axes)
        self.entering[layer.name] = made
        return Tensor(value, made, first)

    def _run(self, network: Network, entering: Sequence[Tensor], within: _Within) -> Results:
        """Return what leaves a network that is called with these tensors."""
        within = within._replace(frozen=within.frozen or network.is_frozen)
        made: dict[tuple[str, int], Results] = {}
        for end, tensor in zip(network.inputs, entering, strict=False):
            made[(end.layer, end.call)] = (tensor,)
        recorded = recorded_shapes(network, () if within.place else self.known.results)
        for layer, number in in_order(network, self.reference):
            key = (layer.name, number)
            if key not in made and layer.calls:
                made[key] = self._call(layer, number, made, within, recorded.get(key, {}))
        return tuple(self._result(made, end) for end in network.outputs)

    def _result(self, made: Mapping[tuple[str, int], Results], end: Source) -> Tensor:
        results = made.get((end.layer, end.call))
        if results is None or not 0 <= end.result < len(results):
            raise ModelError(
                f"{self.reference}: result {end.result} of call {end.call} of {end.layer!r} is "
                "read, but no layer produces it"
            )
        return results[end.result]

    def _call(
        self,
        layer: LayerConfig,
        number: int,
        made: Mapping[tuple[str, int], Results],
        within: _Within,
        shapes: Recorded,
    ) -> Results:
        self.calls += 1
        if self.calls > MAX_CALLS:
            raise ModelError(f"{self.reference}: more than {MAX_CALLS:,} calls of layers")
        arguments = layer.calls[number]
        tensors = [self._result(made, source) for source in arguments.sources()]
        path = self._path(within.prefix + layer.name)
        self.assembly.classes[path] = layer.kind
        place = within.place + layer.name
        if layer.network is not None:
            return self._run(
                layer.network, tensors, _Within(f"{path}/", f"{place}/", within.frozen)
            )
        rule = rule_of(layer)
        if rule is None or not all(x.is_known for x in tensors):
            return self._opaque(layer, path, tensors, shapes, within)
        call = Call(layer, path, tensors, arguments, self.layers, frozen=within.frozen)
        count = len(self.assembly.nodes)
        try:
            results = rule(call if is_function(layer) else call.autocast())
        except (OpError, WindowError) as error:
            entering = ", ".join("x".join(map(str, x.shape)) for x in tensors)
            message = f"{self.reference}: {path} ({layer.kind}) cannot take {entering}: {error}"
            raise ShapeError(message, path) from error
        except ModelError as error:
            raise ModelError(f"{self.reference}: {error}") from error
        except (TypeError, ValueError, AttributeError, KeyError, IndexError) as error:
            message = f"{self.reference}: {path} ({layer.kind}) has an invalid option"
            raise ModelError(f"{message}: {error}") from error
        if results is None:
            self.assembly.drop(count)
            owners = self.layers.owners.items()
            self.layers.owners = {key: node for key, node in owners if node < count}
            return self._opaque(layer, path, tensors, shapes, within)
        results = results if not isinstance(results, Tensor) else (results,)
        if len(results) <= max(shapes, default=0):
            more = self._opaque(layer, f"{path}/results", list(results), shapes, within, weights=())
            return (*results, *more[len(results) :])
        return results

    def _wrapped(self, call: Call) -> Results | None:
        """Return the results of a layer that is inside another one; None where it has no rule."""
        layer = call.layer
        if layer.network is not None:
            inside = f"{call.path}/"
            return self._run(layer.network, call.tensors, _Within(inside, inside, call.frozen))
        rule = rule_of(layer)
        made = None if rule is None else rule(call.autocast())
        return (made,) if isinstance(made, Tensor) else made

    def _path(self, name: str) -> str:
        count = self.paths[name] = self.paths.get(name, 0) + 1
        return name if count == 1 else f"{name}_{count}"

    def _opaque(
        self,
        layer: LayerConfig,
        path: str,
        tensors: list[Tensor],
        shapes: Recorded,
        within: _Within,
        weights: tuple[Weight, ...] | None = None,
    ) -> Results:
        """Add a row whose work is unknown, of the shape that the file records, if any."""
        place, notes = within.place + layer.name, self.assembly.notes
        if weights is None:
            weights = self.known.weights.get(place)
        if weights is None and not is_function(layer):
            message = f"the parameters of this {layer.kind} are not known"
            notes.append(Note(UNCOUNTED_WEIGHTS, path, message))
        specs = self._recorded_specs(layer, place, shapes)
        owner = self.layers.owners.get((id(layer), UNKNOWN_LAYER))
        if owner is None:
            for each in self.known.frozen.get(place, ()):
                stored = Parameter(each.shape, each.role, each.dtype or "float32")
                name = f"{path}/{each.name.rpartition('/')[2]}"
                self.assembly.add(name, stored, (), stored.infer(()), row=path, frozen=True)
        node = self.assembly.add(
            path,
            Opaque(layer.kind, specs, stored=weights or ()),
            tuple(x.value for x in tensors),
            specs,
            tied_to=owner,
            row=path,
            frozen=within.frozen or layer.options.get("trainable") is False,
        ).node
        self.layers.owners.setdefault((id(layer), UNKNOWN_LAYER), node)
        if UNKNOWN in specs:
            message = f"the shape that {layer.kind} returns is not known"
            notes.append(Note("unknown_shape", path, message))
        return tuple(
            Tensor(Value(node, number), spec, is_known=spec is not UNKNOWN)
            for number, spec in enumerate(specs)
        )

    def _recorded_specs(
        self, layer: LayerConfig, place: str, shapes: Recorded
    ) -> tuple[TensorSpec, ...]:
        """Return the specs of a call's results, as the file or the live model has them."""
        specs = []
        for number in range(max(shapes, default=0) + 1):
            _, _, _, shape, kind = shapes.get(number, Source("", 0, 0))
            if shape is None and number == 0:
                shape = self.known.shapes.get(place)
            extents = () if shape is None else tuple(e for e in shape[1:] if type(e) is int)
            fits = self.as_declared and shape is not None and len(extents) == len(shape[1:])
            dtype = kind if kind in DTYPE_BYTES else layer.policy.compute
            specs.append(TensorSpec((self.batch, *extents), dtype) if fits else UNKNOWN)
        return tuple(specs)
