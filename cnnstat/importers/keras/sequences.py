"""Recurrent layers and attention of Keras, and the layers that wrap another one."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from cnnstat import ops
from cnnstat.importers.keras.activations import name_of
from cnnstat.importers.keras.call import Call, Rule, Tensor
from cnnstat.importers.keras.structure import LayerConfig, defined_in
from cnnstat.ir.tensor import TensorSpec


def recurrent(kind: str) -> Rule:
    """``LSTM``, ``GRU``, ``SimpleRNN``: sequence or last output, then the states where asked for.

    Keras stores one vector of biases; a GRU with ``reset_after`` two.
    """

    def rule(call: Call) -> tuple[Tensor, ...] | None:
        if name_of(call.option("activation", "tanh")) not in ("tanh", "relu"):
            return None
        x = call.as_keras(call.x)
        bias = call.flag("use_bias", default=True)
        two = kind == "GRU" and call.flag("reset_after", default=True)
        op = ops.Recurrent(kind, call.integer("units"), bias=bias, single_bias=bias and not two)
        first, *states = call.add_all(op, x)
        n, _, units = first.spec.shape
        results = [first]
        if not call.flag("return_sequences", default=False):
            last = (("dim", 1), ("index", -1))
            results = [call.viewed((n, units), first, "select", last, suffix="last")]
        if call.flag("return_state", default=False):
            only = (("dim", 0), ("index", 0))
            results += [
                call.viewed((n, units), state, "select", only, suffix=f"state_{number}")
                for number, state in enumerate(states)
            ]
        return tuple(results)

    return rule


def inner_layer(call: Call, key: str) -> LayerConfig:
    """Return the layer that is an option of another. Raises ``ModelError`` where there is none."""
    entry = call.option(key)
    if not isinstance(entry, dict) or not isinstance(entry.get("config"), dict):
        raise call.error(f"{key} must be a layer")
    options = entry["config"]
    return LayerConfig(
        str(entry.get("class_name", "")),
        defined_in(entry),
        str(options.get("name", key)),
        options,
    )


def bidirectional(call: Call, rules: dict[str, Rule]) -> Tensor | tuple[Tensor, ...] | None:
    """``Bidirectional``: a recurrent layer along the sequence and another against it."""
    forward = inner_layer(call, "layer")
    rule = rules.get(forward.kind)
    if rule is None:
        return None
    ways: list[tuple[Tensor, ...]] = []
    for part in ("forward", "backward"):
        made = rule(replace(call, layer=_owned(call, forward, part), part=part))
        if made is None:
            return None
        ways.append(made if isinstance(made, tuple) else (made,))
    heads = [way[0] for way in ways]
    states = [state for way in ways for state in way[1:]]
    mode = call.option("merge_mode", "concat")
    kinds = {"sum": "add", "mul": "mul", "ave": "add"}
    if mode == "concat":
        merged = call.add(ops.Concat(heads[0].spec.rank - 1), *heads, suffix="concat")
    elif mode in kinds:
        merged = call.add(ops.Pointwise(kinds[mode]), *heads, suffix=kinds[mode])
        if mode == "ave":
            merged = call.add(ops.Pointwise("div"), merged, suffix="div")
    else:
        return None
    return (merged, *states)


def _owned(call: Call, inner: LayerConfig, part: str) -> LayerConfig:
    """Return the inner layer of a wrapper, one and the same for each call of the wrapper."""
    return call.layers.inner.setdefault((id(call.layer), part), inner)


def time_distributed(call: Call, rules: dict[str, Rule]) -> Tensor | None:
    """``TimeDistributed``: a layer on each step of a sequence, with the same weights."""
    inner = _owned(call, inner_layer(call, "layer"), "layer")
    rule = rules.get(inner.kind)
    if rule is None:
        return None
    x = call.as_keras(call.x)
    n, steps, *rest = x.spec.shape
    folded = TensorSpec((n * steps, *rest), x.dtype)
    flat = call.add(ops.View("reshape", (folded,)), x, suffix="fold", channels_first=False)
    made = rule(replace(call, layer=inner, tensors=[flat], part=""))
    if not isinstance(made, Tensor):
        return None
    made = call.as_keras(made)
    shape = (n, steps, *made.spec.shape[1:])
    return call.add(
        ops.View("reshape", (TensorSpec(shape, made.dtype),)),
        made,
        suffix="unfold",
        channels_first=False,
    )


def multi_head_attention(call: Call) -> tuple[Tensor, ...] | None:
    """``MultiHeadAttention`` over the axis of the sequence.

    query (n, l, c), value (n, s, c'), key (n, s, c'') -> (n, l, output_shape or c).
    """
    if call.option("attention_axes") not in (None, [1], 1) or len(call.tensors) < 2:
        return None
    query, value, *more = [call.as_keras(x) for x in call.tensors[:3]]
    key = more[0] if more else value
    if query.spec.rank != 3:
        return None
    heads, width = call.integer("num_heads"), call.integer("key_dim")
    value_width = call.integer("value_dim", width)
    bias = call.flag("use_bias", default=True)
    n = query.spec.shape[0]

    def turned(x: Tensor, suffix: str) -> Tensor:
        a, b, c, d = x.spec.shape
        return call.viewed((a, c, b, d), x, "permute", (("dims", (0, 2, 1, 3)),), suffix=suffix)

    def projected(x: Tensor, size: int, name: str) -> Tensor:
        made = call.add(ops.Linear(heads * size, bias), x, suffix=name)
        length = x.spec.shape[1]
        made = call.viewed((n, length, heads, size), made, suffix=f"{name}/split")
        return turned(made, f"{name}/permute")

    q, k = projected(query, width, "query"), projected(key, width, "key")
    v = projected(value, value_width, "value")
    mixed = call.add(ops.Attention(), q, k, v)
    length = query.spec.shape[1]
    mixed = turned(mixed, "permute")
    mixed = call.viewed((n, length, heads * value_width), mixed, suffix="merge")
    shape = call.option("output_shape")
    out = prod(shape) if isinstance(shape, list) else shape or query.spec.shape[-1]
    result = call.add(ops.Linear(out, bias), mixed, suffix="attention_output")
    if isinstance(shape, list) and len(shape) > 1:
        result = call.viewed((n, length, *shape), result)
    return (result,)
