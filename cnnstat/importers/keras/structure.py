"""Layers of a configuration and their calls, in the forms of Keras 2 and Keras 3.

A call's arguments are kept as they are, with a ``Source`` in the place of each tensor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from cnnstat.errors import ModelError
from cnnstat.importers.naming import printable

NETWORKS = ("Functional", "Sequential", "Model")
"""Classes whose configuration has layers of its own."""

MAX_NESTING = 50

MAX_RESULTS = 1000
"""Most results that a call can have."""


class Source(NamedTuple):
    """A result of a call of a layer, and its shape as the file records it (None: unknown extent).

    ``shape`` is None, ``dtype`` empty where the file does not record it.
    """

    layer: str
    call: int
    result: int
    shape: tuple[int | None, ...] | None = None
    dtype: str = ""


class Arguments(NamedTuple):
    """Arguments of one call of a layer."""

    positional: tuple[Any, ...]
    named: dict[str, Any]

    def sources(self) -> list[Source]:
        """Return the tensors in the arguments, in order."""
        return list(_sources([*self.positional, *self.named.values()]))

    def mapped(self, change: Callable[[Source], Source]) -> Arguments:
        """Return the arguments with a change made to each tensor."""
        positional = tuple(_mapped(each, change) for each in self.positional)
        return Arguments(positional, {k: _mapped(v, change) for k, v in self.named.items()})


@dataclass(frozen=True)
class LayerConfig:
    """One layer: class, module that defines it, name, options, calls, and a network's layers."""

    kind: str
    module: str
    name: str
    options: dict[str, Any]
    calls: tuple[Arguments, ...] = ()
    network: Network | None = None
    built_on: Any = None
    """Shape of its input as the file records it; None where it does not."""


@dataclass(frozen=True)
class Network:
    """Layers in the order of the file, the tensors that enter and those that leave."""

    name: str
    layers: tuple[LayerConfig, ...]
    inputs: tuple[Source, ...]
    outputs: tuple[Source, ...]
    is_sequential: bool = False
    by_name: dict[str, LayerConfig] = field(default_factory=dict)
    is_frozen: bool = False


def network_of(config: dict[str, Any], source: str, depth: int = 0) -> Network:
    """Return the network that a configuration describes. Raises ``ModelError`` for another."""
    kind = config.get("class_name")
    if kind not in NETWORKS and "layers" not in config["config"]:
        raise ModelError(
            f"{source}: a model of class {kind!r} is Python code, and its file does not say "
            "what it computes; only Sequential and functional models can be read"
        )
    if depth > MAX_NESTING:
        raise ModelError(f"{source}: models are nested more than {MAX_NESTING} deep")
    options = config["config"]
    if isinstance(options, list):  # Sequential, before Keras 2.2.3
        options = {"name": "sequential", "layers": options}
    entries = options.get("layers")
    if not isinstance(entries, list) or not entries:
        raise ModelError(f"{source}: the model has no layers")
    layers = tuple(layer_of(entry, source, depth) for entry in entries)
    by_name = {layer.name: layer for layer in layers}
    name = str(options.get("name", "model"))
    if kind == "Sequential":
        return _sequential(name, layers, by_name, options)
    if len(by_name) != len(layers):
        raise ModelError(f"{source}: two layers of {name} have the same name")
    entering = _ends(options.get("input_layers"), source)
    leaving = _ends(options.get("output_layers"), source)
    network = Network(
        name, layers, entering, leaving, by_name=by_name, is_frozen=_is_frozen(options)
    )
    return _numbered_from_zero(network, is_keras2=_is_keras2(entries))


def _is_keras2(entries: list[Any]) -> bool:
    """Return whether calls are lists of tensors, as Keras 2 writes them."""
    calls = [each for entry in entries for each in entry.get("inbound_nodes") or ()]
    return any(isinstance(each, list) for each in calls)


def _numbered_from_zero(network: Network, *, is_keras2: bool) -> Network:
    """Return a network whose calls of networks are counted from 0, as those of layers are.

    Keras counts them from 1, since a functional model has a call of its own: Keras 2 everywhere,
    Keras 3 where a result leaves the network. Source: keras.src.models.functional, ``get_tensor``.
    """
    inner = {
        layer.name
        for layer in network.layers
        if layer.network is not None and (is_keras2 or not layer.network.is_sequential)
    }
    read = [source for layer in network.layers for call in layer.calls for source in call.sources()]
    if is_keras2:
        inner -= {each.layer for each in (*read, *network.outputs) if each.call == 0}
    if not inner:
        return network

    def renumbered(source: Source) -> Source:
        shifted = source.layer in inner and source.call > 0
        return source._replace(call=source.call - 1) if shifted else source

    outputs = tuple(renumbered(each) for each in network.outputs)
    if not is_keras2:
        return replace(network, outputs=outputs)
    layers = tuple(
        replace(layer, calls=tuple(call.mapped(renumbered) for call in layer.calls))
        for layer in network.layers
    )
    by_name = {layer.name: layer for layer in layers}
    return replace(network, layers=layers, outputs=outputs, by_name=by_name)


def _sequential(
    name: str,
    layers: tuple[LayerConfig, ...],
    by_name: dict[str, LayerConfig],
    options: dict[str, Any],
) -> Network:
    first = layers[0]
    if first.kind != "InputLayer":
        shape = options.get("build_input_shape") or first.options.get("batch_input_shape")
        shape = shape or first.built_on
        dtype = first.options.get("dtype", "float32")
        entry = {"batch_shape": shape, "dtype": dtype if isinstance(dtype, str) else "float32"}
        layers = (LayerConfig("InputLayer", "keras.layers", "input", entry), *layers)
    return Network(name, layers, (), (), True, by_name, _is_frozen(options))


def _is_frozen(options: dict[str, Any]) -> bool:
    return options.get("trainable", True) is False


def layer_of(entry: Any, source: str, depth: int = 0) -> LayerConfig:
    """Return one layer. Raises ``ModelError`` for what is none, or has a network that is none."""
    if not isinstance(entry, dict) or not isinstance(entry.get("config"), dict | list):
        raise ModelError(f"{source}: a layer without class and configuration: {entry!r:.60}")
    options = entry["config"]
    kind = str(entry.get("class_name", ""))
    network = None
    if kind in NETWORKS or (isinstance(options, dict) and isinstance(options.get("layers"), list)):
        network = network_of(entry, source, depth + 1)
        options = {} if isinstance(options, list) else options
    elif isinstance(options, list):
        raise ModelError(f"{source}: the configuration of a {kind} is a list")
    name = str(entry.get("name") or options.get("name") or kind.lower())
    calls = tuple(_call(each, source) for each in entry.get("inbound_nodes") or ())
    built = entry.get("build_config")
    shape = built.get("input_shape") if isinstance(built, dict) else None
    return LayerConfig(kind, defined_in(entry), name, options, calls, network, shape)


def defined_in(entry: dict[str, Any]) -> str:
    """Return the module that defines a layer's class, or the name that it is registered under.

    Keras 3 gives no module for a class of the user's own; Keras 2 gives none for its own either.
    """
    return str(entry.get("module") or entry.get("registered_name") or "")


def _call(entry: Any, source: str) -> Arguments:
    """Return one call: ``{"args": ..., "kwargs": ...}`` in Keras 3, a list of tensors in 2."""
    if isinstance(entry, dict) and "args" in entry:
        named = entry.get("kwargs") or {}
        return Arguments(
            tuple(_tensors(each, source) for each in entry["args"]),
            {key: _tensors(value, source) for key, value in named.items()},
        )
    if isinstance(entry, list) and entry and isinstance(entry[0], str):
        entry = [entry]
    if not isinstance(entry, list):
        raise ModelError(f"{source}: a layer's inbound node is {entry!r:.60}")
    tensors, named = [], {}
    for each in entry:
        if not isinstance(each, list) or len(each) < 3:
            raise ModelError(f"{source}: a layer's inbound node is {each!r:.60}")
        tensors.append(_history(each, source))
        extra = each[3] if len(each) > 3 and isinstance(each[3], dict) else {}
        named.update({key: _keras2(value, source) for key, value in extra.items()})
    return Arguments((tensors[0] if len(tensors) == 1 else tensors,), named)


def _keras2(value: Any, source: str) -> Any:
    """Return a named argument of Keras 2, where a tensor is ``[layer, call, result]``."""
    if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
        return _history(value, source)
    return value


def _tensors(value: Any, source: str) -> Any:
    """Return an argument with a ``Source`` in the place of each tensor."""
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            options = value.get("config", {})
            shape = options.get("shape")
            origin = _history(options.get("keras_history"), source)
            dtype = str(options.get("dtype") or "")
            return origin._replace(shape=None if shape is None else tuple(shape), dtype=dtype)
        return {key: _tensors(each, source) for key, each in value.items()}
    if isinstance(value, list):
        return [_tensors(each, source) for each in value]
    return value


def _history(value: Any, source: str) -> Source:
    if not isinstance(value, list) or len(value) < 3 or not isinstance(value[0], str):
        raise ModelError(f"{source}: a tensor's origin is {value!r:.60}, not [layer, call, result]")
    if type(value[1]) is not int or type(value[2]) is not int:
        raise ModelError(f"{source}: a tensor's origin is {value!r:.60}, not [layer, call, result]")
    if not 0 <= value[2] < MAX_RESULTS:
        raise ModelError(
            f"{source}: result {value[2]} of {printable(value[0])!r} is read; results are numbered "
            f"from 0, to {MAX_RESULTS - 1:,} at most"
        )
    return Source(value[0], value[1], value[2])


def _ends(value: Any, source: str) -> tuple[Source, ...]:
    """Return the inputs or outputs of a network: one tensor, a list, or a dict of tensors."""
    if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
        return (_history(value, source),)
    if isinstance(value, dict):
        value = _in_order(value)
    if not isinstance(value, list):
        raise ModelError(f"{source}: the model does not say which layers are its inputs or outputs")
    return tuple(end for each in value for end in _ends(each, source))


def _sources(value: Any) -> list[Source]:
    if isinstance(value, Source):
        return [value]
    if isinstance(value, dict):
        value = _in_order(value)
    if isinstance(value, list | tuple):
        return [each for item in value for each in _sources(item)]
    return []


def _in_order(values: dict[str, Any]) -> list[Any]:
    """Return the values of a dict in the order of their keys, as Keras flattens it."""
    return [values[key] for key in sorted(values)]


def _mapped(value: Any, change: Callable[[Source], Source]) -> Any:
    if isinstance(value, Source):
        return change(value)
    if isinstance(value, dict):
        return {key: _mapped(each, change) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_mapped(each, change) for each in value]
    return value
