"""Recurrent layers of Keras."""

from __future__ import annotations

from typing import Any

from cnnstat import ops
from cnnstat.importers.keras.activations import is_elementwise
from cnnstat.importers.keras.call import Call, Rule, Tensor

CELLS = {"LSTMCell": "LSTM", "GRUCell": "GRU", "SimpleRNNCell": "RNN"}


def recurrent(kind: str) -> Rule:
    """``LSTM``, ``GRU``, ``SimpleRNN``: sequence or last output, then the states where asked for.

    Keras stores one vector of biases; a GRU with ``reset_after`` two.
    """

    def rule(call: Call) -> tuple[Tensor, ...] | None:
        made = _one(call, kind, call.layer.options, call.tensors)
        return None if made is None else _leaving(call, made[0], list(made[1:]))

    return rule


def cells(call: Call) -> tuple[Tensor, ...] | None:
    """``RNN`` over a cell of Keras, or several that are stacked."""
    entry = call.option("cell")
    entries = entry if isinstance(entry, list) else [entry]
    if isinstance(entry, dict) and entry.get("class_name") == "StackedRNNCells":
        entries = entry["config"]["cells"]
    x, *given = call.tensors
    states: list[Tensor] = []
    for number, each in enumerate(entries):
        kind = CELLS.get(each.get("class_name", "")) if isinstance(each, dict) else None
        if kind is None:
            return None
        count = 2 if kind == "LSTM" else 1
        entering, given = given[:count], given[count:]
        suffix = f"cell_{number}" if len(entries) > 1 else ""
        made = _one(call, kind, each["config"], [x, *entering], suffix)
        if made is None:
            return None
        x = made[0]
        states += made[1:]
    return _leaving(call, x, states)


def _one(
    call: Call, kind: str, options: dict[str, Any], tensors: list[Tensor], suffix: str = ""
) -> tuple[Tensor, ...] | None:
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
        call.viewed(
            (1, *s.spec.shape), s, "unsqueeze", (("dim", 0),), suffix=f"{suffix}state_in_{k}"
        )
        for k, s in enumerate(entering)
    ]
    op = ops.Recurrent(kind, units, bias=bias, single_bias=bias and not two)
    return call.add_all(op, x, *states, suffix=suffix)


def _leaving(call: Call, sequence: Tensor, states: list[Tensor]) -> tuple[Tensor, ...]:
    n, _, units = sequence.spec.shape
    results = [sequence]
    if not call.flag("return_sequences", default=False):
        last = (("dim", 1), ("index", -1))
        results = [call.viewed((n, units), sequence, "select", last, suffix="last")]
    if call.flag("return_state", default=False):
        only = (("dim", 0), ("index", 0))
        results += [
            call.viewed((n, state.spec.shape[-1]), state, "select", only, suffix=f"state_{number}")
            for number, state in enumerate(states)
        ]
    return tuple(results)
