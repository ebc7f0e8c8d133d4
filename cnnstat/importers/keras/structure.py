"""Layers of a configuration and their calls, in the forms of Keras 2 and Keras 3, and their order.

A call's arguments are kept as they are, with a ``Source`` in the place of each tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Any, NamedTuple

from cnnstat.errors import ModelError
from cnnstat.importers.naming import printable
from cnnstat.ir.tensor import DTYPE_BYTES

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

    def mapped(self, change: Callable[[Any], Any]) -> Arguments:
        """Return the arguments with a change made to each part of them."""
        return Arguments(tuple(_mapped(self.positional, change)), _mapped(self.named, change))


MIXED = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}
"""Policies that compute in the named type and store float32."""


class Policy(NamedTuple):
    """Types of computation and of weights; ``quantized`` is the mode of a quantised layer."""

    compute: str = "float32"
    stored: str = "float32"
    quantized: str = ""


def policy_of(options: Any) -> Policy:
    """Return the policy of a layer's ``dtype``: a name, or a policy object of Keras 2 or 3.

    A policy that is not known counts as float32, Keras' own default.
    """
    config = {"name": options} if isinstance(options, str) else {}
    if isinstance(options, dict) and isinstance(options.get("config"), dict):
        config = options["config"]
    if "default_policy" in config:
        return policy_of(config["default_policy"])
    name = str(config.get("name", config.get("source_name", "float32")))
    mode = str(config.get("mode", ""))
    if name in MIXED:
        return Policy(MIXED[name], "float32", mode)
    kind = name if name in DTYPE_BYTES else "float32"
    return Policy(kind, kind, mode)


@dataclass(frozen=True)
class LayerConfig:
    """One layer: class, module that defines it, name, options, calls, and a network's layers."""

    kind: str
    module: str
    name: str
    options: dict[str, Any]
    calls: tuple[Arguments, ...] = ()
    network: Network | None = None
    built_on: tuple[int | None, ...] | None = None
    """Shape of its input as the file records it; None where it does not, or of several."""

    @property
    def policy(self) -> Policy:
        """The types in which the layer computes and stores."""
        return policy_of(self.options.get("dtype"))


class Network(NamedTuple):
    """Layers in the order of the file, the tensors that enter and those that leave."""

    name: str
    layers: tuple[LayerConfig, ...]
    inputs: tuple[Source, ...]
    outputs: tuple[Source, ...]
    is_frozen: bool


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
    name = str(options.get("name", "model"))
    is_frozen = options.get("trainable", True) is False
    if kind == "Sequential":
        layers = _chained(layers, options)
        entering, leaving = (Source(layers[end].name, 0, 0) for end in (0, -1))
        network = Network(name, layers, (entering,), (leaving,), is_frozen)
    else:
        ends = [_ends(options.get(key), source) for key in ("input_layers", "output_layers")]
        network = Network(name, layers, ends[0], ends[1], is_frozen)
    if len({layer.name for layer in layers}) != len(layers):
        raise ModelError(f"{source}: two layers of {name} have the same name")
    calls = [call for entry in entries for call in entry.get("inbound_nodes") or ()]
    return _numbered_from_zero(network, is_keras2=any(isinstance(call, list) for call in calls))


def _chained(layers: tuple[LayerConfig, ...], options: dict[str, Any]) -> tuple[LayerConfig, ...]:
    """Return the layers of a ``Sequential``, each called with the result of the one before it."""
    first = layers[0]
    if first.kind != "InputLayer":
        shape = options.get("build_input_shape") or first.options.get("batch_input_shape")
        dtype = first.options.get("dtype", "float32")
        stated = {
            "batch_shape": shape or first.built_on,
            "dtype": dtype if isinstance(dtype, str) else "float32",
        }
        name = "input" if all(layer.name != "input" for layer in layers) else "model_input"
        layers = (LayerConfig("InputLayer", "keras.layers", name, stated), *layers)
    called = (
        replace(after, calls=(Arguments((Source(before.name, 0, 0, after.built_on),), {}),))
        for before, after in pairwise(layers)
    )
    return (layers[0], *called)


def _numbered_from_zero(network: Network, *, is_keras2: bool) -> Network:
    """Return a network whose calls of networks are counted from 0, as those of layers are.

    Keras counts them from 1, since a functional model has a call of its own: Keras 2 everywhere,
    Keras 3 where a result leaves the network. Source: keras.src.models.functional, ``get_tensor``.
    """
    inner = {
        layer.name
        for layer in network.layers
        if layer.network is not None and (is_keras2 or layer.kind != "Sequential")
    }
    if is_keras2:
        read = [s for layer in network.layers for call in layer.calls for s in call.sources()]
        inner -= {each.layer for each in (*read, *network.outputs) if each.call == 0}

    def renumbered(part: Any) -> Any:
        shifted = isinstance(part, Source) and part.layer in inner and part.call > 0
        return part._replace(call=part.call - 1) if shifted else part

    network = network._replace(outputs=tuple(map(renumbered, network.outputs)))
    if not is_keras2 or not inner:
        return network
    layers = tuple(
        replace(layer, calls=tuple(call.mapped(renumbered) for call in layer.calls))
        for layer in network.layers
    )
    return network._replace(layers=layers)


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
    # Keras 3 names no module for a user's own class, Keras 2 none for those of Keras
    module = str(entry.get("module") or entry.get("registered_name") or "")
    calls = tuple(_call(each, source) for each in entry.get("inbound_nodes") or ())
    built = entry.get("build_config")
    shape = built.get("input_shape") if isinstance(built, dict) else None
    single = isinstance(shape, list) and not any(isinstance(n, list | dict) for n in shape)
    built_on = tuple(shape) if single and shape else None
    return LayerConfig(kind, module, name, options, calls, network, built_on)


def _call(entry: Any, source: str) -> Arguments:
    """Return one call: ``{"args": ..., "kwargs": ...}`` in Keras 3, a list of tensors in 2."""
    if isinstance(entry, dict) and "args" in entry:
        written = Arguments(tuple(entry["args"]), entry.get("kwargs") or {})
        return written.mapped(lambda part: _keras3(part, source))
    if isinstance(entry, list) and entry and isinstance(entry[0], str):
        entry = [entry]
    tensors, named = [], {}
    for each in entry if isinstance(entry, list) else [entry]:
        if not isinstance(each, list) or len(each) < 3:
            raise ModelError(f"{source}: a layer's inbound node is {each!r:.60}")
        tensors.append(_history(each, source))
        extra = each[3] if len(each) > 3 and isinstance(each[3], dict) else {}
        for key, value in extra.items():  # a tensor is [layer, call, result] there
            is_tensor = isinstance(value, list) and len(value) == 3 and isinstance(value[0], str)
            named[key] = _history(value, source) if is_tensor else value
    return Arguments((tensors[0] if len(tensors) == 1 else tensors,), named)


def _keras3(part: Any, source: str) -> Any:
    """Return a part of an argument of Keras 3, a ``Source`` where it is a tensor."""
    if not isinstance(part, dict) or part.get("class_name") != "__keras_tensor__":
        return part
    options = part.get("config", {})
    shape, dtype = options.get("shape"), str(options.get("dtype") or "")
    origin = _history(options.get("keras_history"), source)
    return origin._replace(shape=None if shape is None else tuple(shape), dtype=dtype)


def _history(value: Any, source: str) -> Source:
    if not isinstance(value, list) or [type(each) for each in value[:3]] != [str, int, int]:
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
    if isinstance(value, dict):  # in the order of the keys, as Keras flattens it
        value = [value[key] for key in sorted(value)]
    if not isinstance(value, list):
        raise ModelError(f"{source}: the model does not say which layers are its inputs or outputs")
    return tuple(end for each in value for end in _ends(each, source))


def _sources(value: Any) -> list[Source]:
    if isinstance(value, Source):
        return [value]
    if isinstance(value, dict):
        value = [value[key] for key in sorted(value)]
    return [each for item in value for each in _sources(item)] if isinstance(value, list) else []


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a value, or the lists and dicts in it, with a change made to each part."""
    changed = change(value)
    if changed is not value or isinstance(value, Source):
        return changed
    if isinstance(value, dict):
        return {key: _mapped(each, change) for key, each in value.items()}
    return [_mapped(each, change) for each in value] if isinstance(value, list | tuple) else value


def in_order(network: Network, reference: str) -> list[tuple[LayerConfig, int]]:
    """Return the calls of a network in an order in which they can run, branch by branch.

    Raises ``ModelError`` where calls wait for each other, or for a layer that does not exist.
    """
    calls = {
        (layer.name, number): (layer, {(s.layer, s.call) for s in call.sources()})
        for layer in network.layers
        for number, call in enumerate(layer.calls or (Arguments((), {}),))
    }
    entering = {(end.layer, end.call) for end in network.inputs}
    sorter = TopologicalSorter(dict.fromkeys(calls, ()))
    for key, (_, sources) in calls.items():
        sorter.add(key, *(sources - entering))
    with suppress(CycleError):  # the calls outside the cycle have an order all the same
        sorter.prepare()
    ordered: dict[tuple[str, int], tuple[LayerConfig, int]] = {}
    queue = [*reversed(sorter.get_ready())]
    while queue:
        key = queue.pop()
        if key in calls:
            ordered[key] = (calls[key][0], key[1])
            sorter.done(key)
            queue += reversed(sorter.get_ready())
    if len(ordered) < len(calls):
        stuck = [name for name, number in calls if (name, number) not in ordered]
        raise ModelError(f"{reference}: {', '.join(stuck[:3])} read tensors that no layer produces")
    return list(ordered.values())


Recorded = Mapping[int, Source]
"""A call's results that are read, by number: their shapes, as far as the file records them."""


def recorded_shapes(
    network: Network, leaving: Sequence[tuple[int | None, ...] | None]
) -> dict[tuple[str, int], dict[int, Source]]:
    """Return the results of each call that are read, with their shapes where they are known.

    ``leaving`` are the shapes of the results that leave the network, where they are known.
    """
    recorded: dict[tuple[str, int], dict[int, Source]] = {}
    inside = [s for layer in network.layers for call in layer.calls for s in call.sources()]
    known = [*leaving, *[None] * (len(network.outputs) - len(leaving))]
    outside = [s._replace(shape=shape) for s, shape in zip(network.outputs, known, strict=False)]
    for source in (*inside, *outside):
        results = recorded.setdefault((source.layer, source.call), {})
        if source.shape is not None or source.result not in results:
            results[source.result] = source
    return recorded
