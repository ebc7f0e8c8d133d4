"""Convolutions, fully connected layers, LeNet-5's codes, tables of rows, stored tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnstat.importers.onnx.emit.windows import window_attributes
from cnnstat.importers.onnx.emitting import Emission, Pick


def convolution(use: Emission) -> str:
    """Write a convolution of 1, 2 or 3 axes."""
    op: Any = use.op
    held = [use.weight(name) for name in use.weights()]
    return use.node(
        "Conv",
        (use.input, *held),
        dilations=op.dilation,
        group=op.groups,
        **window_attributes(use, op),
    )


def connected(use: Emission) -> str:
    """One grouped convolution for each number of maps that are read together, then the order."""
    op: Any = use.op
    starts = np.cumsum([0, *map(len, op.connections)]).tolist()
    fan_ins = sorted({len(row) for row in op.connections})
    parts, made = [], []
    for fan_in in fan_ins:
        rows = [i for i, row in enumerate(op.connections) if len(row) == fan_in]
        kernels = [starts[i] + tap for i in rows for tap in range(fan_in)]
        maps = use.constant(
            [m for i in rows for m in op.connections[i]], suffix=f"maps_{fan_in}", whole=True
        )
        read = use.node("Gather", (use.input, maps), suffix=f"read_{fan_in}", axis=1)
        weight = use.weight(
            "weight",
            shape=(len(rows), fan_in, *op.kernel),
            part=f".{fan_in}",
            pick=_rows(kernels),
        )
        bias = use.weight(
            "bias",
            shape=(len(rows),),
            part=f".{fan_in}",
            pick=_rows(rows),
        )
        inputs, kernel = (read, weight, bias), op.kernel
        parts.append(
            use.node("Conv", inputs, suffix=f"of_{fan_in}", group=len(rows), kernel_shape=kernel)
        )
        made += rows
    order = np.argsort(made).tolist()
    if order == list(range(len(made))):
        return use.node("Concat", parts, axis=1)
    whole = use.node("Concat", parts, suffix="concat", axis=1)
    return use.node("Gather", (whole, use.constant(order, suffix="order", whole=True)), axis=1)


def _rows(places: list[int]) -> Pick:
    return lambda array: array[places]


def transposed(use: Emission) -> str:
    """Write a transposed convolution; what its size lacks is output padding."""
    op: Any = use.op
    given, made = use.facts.inputs[0].shape[2:], use.facts.outputs[0].shape[2:]
    least = [
        (n - 1) * s - 2 * p + d * (k - 1) + 1
        for n, s, p, d, k in zip(given, op.stride, op.padding, op.dilation, op.kernel, strict=True)
    ]
    use.shape_only(*use.inputs[1:])
    return use.node(
        "ConvTranspose",
        (use.input, *[use.weight(name) for name in use.weights()]),
        dilations=op.dilation,
        group=op.groups,
        output_padding=[out - low for out, low in zip(made, least, strict=True)],
        **window_attributes(use, op),
    )


def linear(use: Emission) -> str:
    """Write a fully connected layer: ``Gemm`` for rows of features, else a product and a sum."""
    held = [use.weight(name) for name in use.weights()]
    if use.facts.inputs[0].rank == 2:
        return use.node("Gemm", (use.input, *held), transB=1)
    matrix = use.node("Transpose", held[:1], suffix="transpose", perm=(1, 0))
    if len(held) == 1:
        return use.node("MatMul", (use.input, matrix))
    product = use.node("MatMul", (use.input, matrix), suffix="product")
    return use.node("Add", (product, held[1]))


def rbf(use: Emission) -> str:
    """Sum of squared differences; the codes, which are not trained, are a constant of -1 and 1."""
    units, features = use.facts.weights[0].shape
    given = use.given(use.facts.weights[0])
    drawn = np.random.default_rng(0).choice([-1.0, 1.0], (units, features))
    codes = use.constant(drawn if given is None else given, suffix="codes")
    axis = use.constant([1], suffix="axis", whole=True)
    wide = use.node("Unsqueeze", (use.input, axis), suffix="unsqueeze")
    apart = use.node("Sub", (wide, codes), suffix="difference")
    square = use.node("Mul", (apart, apart), suffix="square")
    last = use.constant([2], suffix="last", whole=True)
    return use.node("ReduceSum", (square, last), keepdims=0)


def embedding(use: Emission) -> str:
    """Write rows of a table."""
    return use.node("Gather", (use.weight("weight"), use.input), axis=0)


def parameter(use: Emission) -> str:
    """Write a stored tensor that is read as data: a constant where it is not trained."""
    op: Any = use.op
    if op.role == "buffer":
        weight = use.facts.weights[0]
        given = use.given(weight)
        elements = np.zeros(op.shape) if given is None else given
        return use.constant(elements, suffix="", dtype=op.dtype)
    if use.leaves:
        return use.node("Identity", (use.weight("value"),))
    return use.weight("value", label=use.own_name())
