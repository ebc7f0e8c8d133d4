"""Recurrent layers of Keras, and layers that wrap another layer."""

from __future__ import annotations

from typing import Any

from cnnstat import ops
from cnnstat.importers.keras.activations import is_elementwise
from cnnstat.importers.keras.call import Call, Results, Tensor

KINDS = {"LSTM": "LSTM", "GRU": "GRU", "SimpleRNN": "RNN"}
MERGED = {"sum": "add", "mul": "mul", "ave": "add"}
"""How ``Bidirectional`` joins its two ways, other than by concatenation."""


def recurrent(call: Call) -> Results | None:
    """``LSTM``, ``GRU``, ``SimpleRNN``, and ``RNN`` over cells of theirs, stacked if several.

    The sequence or its last output, then the states where asked for. Keras stores one vector of
    biases; a GRU with ``reset_after`` two.
    """
    entries: list[Any] = [{"class_name": call.layer.kind, "config": call.layer.options}]
    if call.layer.kind == "RNN":
        cell = call.option("cell")
        if isinstance(cell, dict) and cell.get("class_name") == "StackedRNNCells":
            cell = cell["config"]["cells"]
        entries = cell if isinstance(cell, list) else [cell]
    x, *initial = call.tensors
    states: list[Tensor] = []
    for number, each in enumerate(entries):
        name = str(each.get("class_name", "")) if isinstance(each, dict) else ""
        kind = KINDS.get(name.removesuffix("Cell"))
        if kind is None:
            return None
        count = 2 if kind == "LSTM" else 1
        entering, initial = initial[:count], initial[count:]
        suffix = f"cell_{number}" if len(entries) > 1 else ""
        made = _one(call, kind, each["config"], [x, *entering], suffix)
        if made is None:
            return None
        x = made[0]
        states += made[1:]
    return _leaving(call, x, states)


def _one(
    call: Call, kind: str, options: dict[str, Any], tensors: list[Tensor], suffix: str = ""
) -> Results | None:
    """Return the sequence that a layer makes and its last states; None for a foreign activation."""
    gates = options.get("recurrent_activation", "sigmoid")
    if not (is_elementwise(options.get("activation", "tanh")) and is_elementwise(gates)):
        return None
    units, bias = options.get("units"), bool(options.get("use_bias", True))
    if type(units) is not int:
        raise call.error(f"units (={units!r}) must be a whole number")
    two = kind == "GRU" and bool(options.get("reset_after", True))
    x, *entering = (call.as_keras(each) for each in tensors)
    states = [
        call.viewed((1, *s.spec.shape), s, "unsqueeze", suffix=f"{suffix}state_in_{k}", dim=0)
        for k, s in enumerate(entering)
    ]
    op = ops.Recurrent(kind, units, bias=bias, single_bias=bias and not two)
    return call.add_all(op, x, *states, suffix=suffix)


def _leaving(call: Call, sequence: Tensor, states: list[Tensor]) -> Results:
    n, _, units = sequence.spec.shape
    results = [sequence]
    if not call.option("return_sequences"):
        results = [call.viewed((n, units), sequence, "select", suffix="last", dim=1, index=-1)]
    if call.option("return_state"):
        for number, x in enumerate(states):
            shape, suffix = (n, x.spec.shape[-1]), f"state_{number}"
            results.append(call.viewed(shape, x, "select", suffix=suffix, dim=0, index=0))
    return tuple(results)


def bidirectional(call: Call) -> Results | None:
    """``Bidirectional``: a recurrent layer along the sequence and another against it."""
    backward_key = "layer" if call.option("backward_layer") is None else "backward_layer"
    x, *initial = call.tensors
    half = len(initial) // 2
    heads: list[Tensor] = []
    states: list[Tensor] = []
    for part, key, entering in (
        ("forward", "layer", initial[:half]),
        ("backward", backward_key, initial[half:]),
    ):
        made = call.inside(call.inner_layer(key, part), part, [x, *entering])
        if made is None:
            return None
        heads.append(made[0])
        states += made[1:]
    mode = call.layer.options.get("merge_mode", "concat")
    if mode is None:
        return (*heads, *states)
    if mode == "concat":
        return (call.add(ops.Concat(heads[0].spec.rank - 1), *heads, suffix="concat"), *states)
    if mode not in MERGED:
        return None
    merged = call.add(ops.Pointwise(MERGED[mode]), *heads, suffix=MERGED[mode])
    if mode == "ave":
        halved = ops.Pointwise("div", None, (("other", 2),))
        merged = call.add(halved, merged, suffix="div")
    return (merged, *states)


def time_distributed(call: Call) -> Tensor | None:
    """``TimeDistributed``: a layer or a model on each step of a sequence, with the same weights."""
    inner = call.inner_layer("layer")
    x = call.as_keras(call.x)
    n, steps, *rest = x.spec.shape
    flat = call.viewed((n * steps, *rest), x, suffix="fold")
    results = call.inside(inner, "", [flat])
    if results is None or len(results) != 1 or not results[0].is_known:
        return None
    made = call.as_keras(results[0])
    shape = (n, steps, *made.spec.shape[1:])
    return call.viewed(shape, made, suffix="unfold")


def spectral_normalization(call: Call) -> Tensor | None:
    """``SpectralNormalization``: a layer whose kernel is divided by its norm in training alone.

    The vector that estimates the norm has an element for each value of the kernel's last axis.
    """
    inner = call.inner_layer("layer")
    lasts = {"Dense": "units", "Embedding": "output_dim"}
    lasts |= dict.fromkeys(("Conv1D", "Conv2D", "Conv3D"), "filters")
    width = inner.options.get(lasts.get(inner.kind, ""))
    if not isinstance(width, int):
        return None
    call.parameter((1, width), "vector_u", "buffer")
    results = call.inside(inner, "", call.tensors)
    return None if results is None else results[0]
