"""Products of tensors that are both computed, and layers that remember a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, sqrt
from typing import Any

from cnnstat.importers.onnx.emitting import Emission


def matrix_product(use: Emission) -> str:
    """Write a product of two tensors, and the third that is added: one node for matrices."""
    operands = use.numbers()
    if len(operands) == 2:
        return use.node("MatMul", operands)
    made, third = use.facts.outputs[0].shape, use.facts.inputs[2].shape
    flat = use.facts.inputs[0].rank == use.facts.inputs[1].rank == 2 >= len(third)
    if flat and all(n in (1, m) for n, m in zip(third[::-1], made[::-1], strict=False)):
        return use.node("Gemm", operands)
    product = use.node("MatMul", operands[:2], suffix="product")
    return use.node("Add", (product, operands[2]))


def attention(use: Emission) -> str:
    """Write softmax(q k^T / sqrt(d) + mask) v.

    [..., l, d] [..., d, s] -> [..., l, s], then [..., l, s] [..., s, e] -> [..., l, e].
    """
    q, k, v = use.numbers(0, 1, 2)
    queries, keys = use.facts.inputs[0].shape, use.facts.inputs[1].shape
    k, v = _heads(use, k, 1, "keys"), _heads(use, v, 2, "values")
    rank = len(keys)
    order = (*range(rank - 2), rank - 1, rank - 2)
    turned = use.node("Transpose", (k,), suffix="transpose", perm=order)
    scores = use.node("MatMul", (q, turned), suffix="scores")
    scale = use.constant(1 / sqrt(queries[-1]), suffix="scale")
    scores = use.node("Mul", (scores, scale), suffix="scaled")
    if len(use.inputs) > 3:
        scores = _masked(use, scores)
    shares = use.node("Softmax", (scores,), suffix="softmax", axis=-1)
    return use.node("MatMul", (shares, v))


def _masked(use: Emission, scores: str) -> str:
    if use.facts.inputs[3].dtype == "bool":
        nothing = use.constant(-inf, suffix="nothing")
        return use.node("Where", (use.inputs[3], scores, nothing), suffix="masked")
    return use.node("Add", (scores, *use.numbers(3)), suffix="masked")


def _heads(use: Emission, tensor: str, number: int, suffix: str) -> str:
    """Repeat each head of keys or values for the queries that it serves, where they are fewer.

    [..., few, s, d] -> [..., few, 1, s, d] -> [..., few, times, s, d] -> [..., heads, s, d].
    """
    queries, shape = use.facts.inputs[0].shape, use.facts.inputs[number].shape
    if len(shape) < 3 or len(shape) != len(queries) or shape[-3] in (1, queries[-3]):
        return tensor
    front, times = len(shape) - 3, queries[-3] // shape[-3]
    axis = use.constant([front + 1], suffix=f"{suffix}_axis", whole=True)
    one = use.node("Unsqueeze", (tensor, axis), suffix=f"{suffix}_apart")
    wanted = use.constant([1] * (front + 1) + [times, 1, 1], suffix=f"{suffix}_times", whole=True)
    many = use.node("Expand", (one, wanted), suffix=f"{suffix}_repeated")
    extents = [0] * front + [queries[-3], -1, shape[-1]]
    made = use.constant(extents, suffix=f"{suffix}_shape", whole=True)
    return use.node("Reshape", (many, made), suffix=suffix)


GATES: dict[str, tuple[int, ...]] = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}
"""ONNX's order of the gates, as places in PyTorch's: input, output, forget, cell of PyTorch's
input, forget, cell, output; update, reset, new of PyTorch's reset, update, new."""


def recurrent(use: Emission) -> tuple[str, ...]:
    """Write one ONNX node per layer, each over (length, batch, features).

    Its result [l, directions, n, hidden] -> [l, n, directions * hidden], the last one with the
    batch in front again where it was there.
    """
    op: Any = use.op
    x = use.input
    if op.batch_first:
        x = use.node("Transpose", (x,), suffix="length_first", perm=(1, 0, 2))
    states: list[list[str]] = [[], []]
    wide = use.constant((0, 0, op.directions * op.hidden), suffix="wide", whole=True)
    for layer in range(op.layers):
        made = _layer(use, x, layer)
        for number, each in enumerate(states, 1):
            each.append(f"{made}:{number}")
        last = layer == op.layers - 1
        order = (2, 0, 1, 3) if last and op.batch_first else (0, 2, 1, 3)
        turned = use.node("Transpose", (made,), suffix=f"turned_{layer}", perm=order)
        x = use.node("Reshape", (turned, wide), suffix="" if last else f"sequence_{layer}")
    found = [x]
    for number, each in enumerate(states[: len(use.facts.outputs) - 1], 1):
        found.append(
            _joined(use, each, ("hidden", "cell")[number - 1], wanted=number in use.wanted)
        )
    return tuple(found)


def _layer(use: Emission, x: str, layer: int) -> str:
    op: Any = use.op
    order = GATES[op.kind]
    rows = len(order) * op.hidden
    ways = [f"l{layer}", f"l{layer}_reverse"][: op.directions]
    width = use.weights()[f"weight_ih_{ways[0]}"].shape[1]

    def gates(array: Any) -> Any:
        return array.reshape(len(order), -1)[list(order)]

    def held(kinds: Sequence[str], *shape: int) -> str:
        names = [f"{kind}_{way}" for way in ways for kind in kinds]
        return use.weight(*names, shape=(op.directions, *shape), pick=gates)

    inputs = [x, held(["weight_ih"], rows, width), held(["weight_hh"], rows, op.hidden)]
    if op.bias:
        inputs.append(held(["bias_ih", "bias_hh"], 2 * rows))
    said: dict[str, Any] = {"hidden_size": op.hidden}
    if op.directions == 2:
        said["direction"] = "bidirectional"
    if op.kind == "GRU":
        said["linear_before_reset"] = 1  # PyTorch resets the product with the state, not the state
    return use.node(
        op.kind, inputs, suffix=f"layer_{layer}", results=len(use.facts.outputs), **said
    )


def _joined(use: Emission, states: Sequence[str], name: str, *, wanted: bool) -> str:
    """Return the final states of all layers as one tensor."""
    if len(states) == 1 or not wanted:
        return states[0]
    return use.node("Concat", states, suffix=name, axis=0)
