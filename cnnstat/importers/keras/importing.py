"""A Keras configuration -> its inputs, and a graph for any specs of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cnnstat.count.report import UNCOUNTED_WEIGHTS, Note
from cnnstat.errors import ModelError, ShapeError
from cnnstat.importers.assembly import Assembly
from cnnstat.importers.declared import Declared, FileModel, entering_specs
from cnnstat.importers.keras.call import Call, Layers, Tensor, channels_first
from cnnstat.importers.keras.document import read_config
from cnnstat.importers.keras.order import Recorded, in_order, recorded_shapes
from cnnstat.importers.keras.policies import policy_of
from cnnstat.importers.keras.structure import (
    Arguments,
    LayerConfig,
    Network,
    Source,
    network_of,
)
from cnnstat.importers.keras.table import is_function, rule_of
from cnnstat.importers.keras.unknown import Known
from cnnstat.importers.naming import Names
from cnnstat.importers.reference import Imported, Shapes
from cnnstat.ir.graph import Value
from cnnstat.ir.op import OpError, Weight
from cnnstat.ir.tensor import DTYPE_BYTES, UNKNOWN, TensorSpec
from cnnstat.ir.window import WindowError
from cnnstat.ops import Input, Opaque, Parameter

MAX_CALLS = 100_000
"""Most calls of layers that are read: nested models can multiply without end."""


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

    def fill(shapes: Shapes, batch: int) -> dict[str, TensorSpec]:
        return entering_specs(reference, inputs, shapes, batch)

    def trace(specs: Mapping[str, TensorSpec]) -> Imported:
        return _Reading(reference, network, specs, declared, known or Known()).imported()

    return FileModel(declared, fill, trace)


def _input_layers(network: Network) -> list[LayerConfig]:
    """Return the input layers in the order in which the model takes them."""
    if network.is_sequential:
        return [network.layers[0]]
    return [network.by_name[end.layer] for end in network.inputs if end.layer in network.by_name]


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

Results = tuple[Tensor, ...]
"""Results of one call of a layer."""


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
        self.frozen = False  # whether a network around the layer is
        self.place = ""  # of the network around the layer, without numbers of calls
        self.known = known
        self.as_declared = all(
            specs[name].shape[1:] == spec.shape[1:] for name, spec in declared.items()
        )
        """Whether the shapes that the file records hold, but for the batch."""
        self.batch = next(iter(specs.values())).shape[0]
        self.unknown: list[tuple[str, str]] = []  # path and class of layers without a rule
        self.entering: dict[str, TensorSpec] = {}  # specs of the inputs in the graph's order

    def imported(self) -> Imported:
        entering: list[Tensor] = [self._enter(layer) for layer in _input_layers(self.network)]
        leaving = self._inside(self.network, entering, "", "")
        values = tuple(dict.fromkeys(x.value for x in leaving))
        graph = self.assembly.finish(self.network.name, values)
        return Imported(graph, self._notes(), inputs=self.entering)

    def _notes(self) -> tuple[Note, ...]:
        notes = [
            Note(UNCOUNTED_WEIGHTS, path, f"the parameters of this {kind} are not known")
            for path, kind in self.unknown
        ]
        return (*self.assembly.notes, *notes)

    def _enter(self, layer: LayerConfig) -> Tensor:
        spec = self.specs[layer.name]
        first = spec.rank > 3
        shape = channels_first(spec.shape) if first else spec.shape
        made = TensorSpec(shape, spec.dtype)
        axes = (0, *range(2, spec.rank), 1) if first else ()
        value = self.assembly.add(
            layer.name, Input(shape[1:], spec.dtype), (), (made,), row=layer.name, axes=axes
        )
        self.entering[layer.name] = made
        return Tensor(value, made, first)

    def _inside(
        self, network: Network, entering: Sequence[Tensor], prefix: str, place: str
    ) -> tuple[Tensor, ...]:
        """Return what leaves a network, whose layers are frozen where it is itself."""
        around = self.frozen, self.place
        self.frozen, self.place = self.frozen or network.is_frozen, place
        leaving = self._run(network, entering, prefix)
        self.frozen, self.place = around
        return leaving

    def _run(self, network: Network, entering: Sequence[Tensor], prefix: str) -> tuple[Tensor, ...]:
        """Return what leaves a network that is called with these tensors."""
        if network.is_sequential:
            return self._sequence(network, entering, prefix)
        made: dict[tuple[str, int], Results] = {}
        for end, tensor in zip(network.inputs, entering, strict=False):
            made[(end.layer, end.call)] = (tensor,)
        recorded = recorded_shapes(network, self.known.results if not self.place else ())
        for layer, number in in_order(network, self.reference):
            key = (layer.name, number)
            if key in made or not layer.calls:
                continue
            call = layer.calls[number]
            made[key] = self._call(layer, call, made, prefix, recorded.get(key, {}))
        return tuple(self._result(made, end) for end in network.outputs)

    def _sequence(
        self, network: Network, entering: Sequence[Tensor], prefix: str
    ) -> tuple[Tensor, ...]:
        current: Results = tuple(entering[:1])
        for position, layer in enumerate(network.layers[1:], 1):
            after = network.layers[position + 1] if position + 1 < len(network.layers) else None
            built = after.built_on if after is not None else None
            shape = tuple(built) if isinstance(built, list) and not _is_nested(built) else None
            shapes = {0: Source("", 0, 0, shape)}
            made = {("", 0): current}
            arguments = Arguments((Source("", 0, 0),), {})
            current = self._call(layer, arguments, made, prefix, shapes)[:1]
        return current

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
        arguments: Arguments,
        made: Mapping[tuple[str, int], Results],
        prefix: str,
        shapes: Recorded,
    ) -> Results:
        self.calls += 1
        if self.calls > MAX_CALLS:
            raise ModelError(f"{self.reference}: more than {MAX_CALLS:,} calls of layers")
        tensors = [self._result(made, source) for source in arguments.sources()]
        path = self._path(prefix + layer.name)
        self.assembly.classes[path] = layer.kind
        if layer.network is not None:
            return self._inside(layer.network, tensors, f"{path}/", f"{self.place}{layer.name}/")
        rule = rule_of(layer)
        if rule is None or not all(x.is_known for x in tensors):
            return self._opaque(layer, path, tensors, shapes)
        call = Call(layer, path, tensors, arguments, self.layers, frozen=self.frozen)
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
            self._take_back(count)
            return self._opaque(layer, path, tensors, shapes)
        results = results if not isinstance(results, Tensor) else (results,)
        if len(results) <= max(shapes, default=0):
            more = self._opaque(layer, f"{path}/results", list(results), shapes, weights=())
            return (*results, *more[len(results) :])
        return results

    def _wrapped(self, call: Call) -> Results | None:
        """Return the results of a layer that is inside another one; None where it has no rule."""
        layer = call.layer
        if layer.network is not None:
            around, self.frozen = self.frozen, call.frozen
            results = self._inside(layer.network, call.tensors, f"{call.path}/", f"{call.path}/")
            self.frozen = around
            return results
        rule = rule_of(layer)
        made = None if rule is None else rule(call.autocast())
        return (made,) if isinstance(made, Tensor) else made

    def _take_back(self, count: int) -> None:
        """Forget the nodes of a rule that gave up half-way."""
        self.assembly.drop(count)
        owners = self.layers.owners
        self.layers.owners = {key: node for key, node in owners.items() if node < count}

    def _path(self, name: str) -> str:
        count = self.paths[name] = self.paths.get(name, 0) + 1
        return name if count == 1 else f"{name}_{count}"

    def _opaque(
        self,
        layer: LayerConfig,
        path: str,
        tensors: list[Tensor],
        shapes: Recorded,
        weights: tuple[Weight, ...] | None = None,
    ) -> Results:
        """Add a row whose work is unknown, of the shape that the file records, if any."""
        if weights is None:
            weights = self.known.weights.get(self.place + layer.name)
        if weights is None and not is_function(layer):
            self.unknown.append((path, layer.kind))
        specs = self._recorded_specs(layer, shapes)
        inputs = tuple(x.value for x in tensors)
        op = Opaque(layer.kind, specs, stored=weights or ())
        owner = self.layers.owners.get((id(layer), UNKNOWN_LAYER))
        frozen = self.frozen or layer.options.get("trainable") is False
        if owner is None:
            for each in self.known.frozen.get(self.place + layer.name, ()):
                stored = Parameter(each.shape, each.role, each.dtype or "float32")
                name = f"{path}/{each.name.rpartition('/')[2]}"
                entering = stored.infer(())
                self.assembly.add(name, stored, (), entering, row=path, frozen=True)
        node = self.assembly.add(
            path, op, inputs, specs, tied_to=owner, row=path, frozen=frozen
        ).node
        self.layers.owners.setdefault((id(layer), UNKNOWN_LAYER), node)
        if UNKNOWN in specs:
            message = f"the shape that {layer.kind} returns is not known"
            self.assembly.notes.append(Note("unknown_shape", path, message))
        return tuple(
            Tensor(Value(node, number), spec, is_known=spec is not UNKNOWN)
            for number, spec in enumerate(specs)
        )

    def _recorded_specs(self, layer: LayerConfig, shapes: Recorded) -> tuple[TensorSpec, ...]:
        """Return the specs of a call's results, as the file or the live model has them."""
        usual = policy_of(layer.options.get("dtype", "float32")).compute
        specs = []
        for number in range(max(shapes, default=0) + 1):
            _, _, _, shape, kind = shapes.get(number, Source("", 0, 0))
            if shape is None and number == 0:
                shape = self.known.shapes.get(self.place + layer.name)
            extents = () if shape is None else tuple(e for e in shape[1:] if type(e) is int)
            fits = self.as_declared and shape is not None and len(extents) == len(shape[1:])
            dtype = kind if kind in DTYPE_BYTES else usual
            specs.append(TensorSpec((self.batch, *extents), dtype) if fits else UNKNOWN)
        return tuple(specs)


def _is_nested(shape: list[Any]) -> bool:
    return any(isinstance(each, list | dict) for each in shape)
