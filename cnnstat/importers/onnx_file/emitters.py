"""Operator class -> its ONNX nodes: ``EMITTERS``, one line an operator."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnstat import ops
from cnnstat.importers.onnx_file.emitting import Emission, Emitter
from cnnstat.importers.onnx_file.pool_emitters import POOLS, window_attributes
from cnnstat.ir.window import Axes


def _simple(op_type: str, **attributes: Any) -> Emitter:
    def emitter(use: Emission) -> str:
        return use.node(op_type, use.inputs, **attributes)

    return emitter


def _convolution(use: Emission) -> str:
    op: Any = use.op
    held = [use.weight(name) for name in use.weights()]
    return use.node(
        "Conv",
        (use.input, *held),
        dilations=op.dilation,
        group=op.groups,
        **window_attributes(use, op),
    )


def _connected(use: Emission) -> str:
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
            pick=lambda array, kernels=kernels: array[kernels],
        )
        bias = use.weight(
            "bias",
            shape=(len(rows),),
            part=f".{fan_in}",
            pick=lambda array, rows=rows: array[rows],
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


def _transposed(use: Emission) -> str:
    op: Any = use.op
    given, made = use.facts.inputs[0].shape[2:], use.facts.outputs[0].shape[2:]
    least = [
        (n - 1) * s - 2 * p + d * (k - 1) + 1
        for n, s, p, d, k in zip(given, op.stride, op.padding, op.dilation, op.kernel, strict=True)
    ]
    return use.node(
        "ConvTranspose",
        (use.input, *[use.weight(name) for name in use.weights()]),
        dilations=op.dilation,
        group=op.groups,
        output_padding=[out - low for out, low in zip(made, least, strict=True)],
        **window_attributes(use, op),
    )


def _linear(use: Emission) -> str:
    held = [use.weight(name) for name in use.weights()]
    if use.facts.inputs[0].rank == 2:
        return use.node("Gemm", (use.input, *held), transB=1)
    matrix = use.node("Transpose", held[:1], suffix="transpose", perm=(1, 0))
    if len(held) == 1:
        return use.node("MatMul", (use.input, matrix))
    product = use.node("MatMul", (use.input, matrix), suffix="product")
    return use.node("Add", (product, held[1]))


def _rbf(use: Emission) -> str:
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


def _batch_norm(use: Emission) -> str:
    op: Any = use.op
    if not op.tracked:
        raise use.cannot("ONNX normalises with stored statistics")
    held = [use.weight(name) for name in use.weights()]
    if not op.affine:
        shape = (use.facts.inputs[0].shape[1],)
        ones, zeros = (use.filled(shape, n, suffix=s) for n, s in ((1, "scale"), (0, "shift")))
        held = [ones, zeros, *held]
    return use.node("BatchNormalization", (use.input, *held), epsilon=1e-5)


def _scale_and_shift(use: Emission, shape: Axes) -> tuple[str, str]:
    if "weight" in use.weights():
        return use.weight("weight"), use.weight("bias")
    return use.filled(shape, 1, suffix="scale"), use.filled(shape, 0, suffix="shift")


def _instance_norm(use: Emission) -> str:
    held = _scale_and_shift(use, use.facts.inputs[0].shape[1:2])
    return use.node("InstanceNormalization", (use.input, *held), epsilon=1e-5)


def _layer_norm(use: Emission) -> str:
    op: Any = use.op
    names = use.weights()
    shape = use.facts.inputs[0].shape[-op.axes :]
    held = [use.weight("weight") if "weight" in names else use.filled(shape, 1, suffix="scale")]
    if "bias" in names:
        held.append(use.weight("bias"))
    return use.node("LayerNormalization", (use.input, *held), axis=-op.axes, epsilon=1e-5)


def _local_response_norm(use: Emission) -> str:
    op: Any = use.op
    return use.node("LRN", (use.input,), size=op.size, alpha=op.alpha, beta=op.beta, bias=op.k)


def _scaled_tanh(use: Emission) -> str:
    op: Any = use.op
    slope = use.constant(op.slope, suffix="slope")
    inner = use.node("Mul", (use.input, slope), suffix="slope_times")
    bent = use.node("Tanh", (inner,), suffix="tanh")
    return use.node("Mul", (bent, use.constant(op.amplitude, suffix="amplitude")))


def _softmax(use: Emission) -> str:
    op: Any = use.op
    return use.node("Softmax", (use.input,), axis=op.axis)


def _dropout(use: Emission) -> str:
    op: Any = use.op
    return use.node("Dropout", (use.input, use.constant(op.p, suffix="ratio")))


def _drop_path(use: Emission) -> str:
    if use.op.survival == 1:
        return use.node("Identity", (use.input,))
    return use.node("Mul", (use.input, use.constant(use.op.survival, suffix="survival")))


def _add(use: Emission) -> str:
    return use.node("Add" if len(use.inputs) == 2 else "Sum", use.inputs)


def _concat(use: Emission) -> str:
    op: Any = use.op
    return use.node("Concat", use.inputs, axis=op.axis)


def _zero_pad(use: Emission) -> str:
    op: Any = use.op
    thinned, missing = use.input, op.out_channels - use.facts.inputs[0].shape[1]
    if op.stride > 1:
        starts = use.constant([0, 0], suffix="starts", whole=True)
        ends = use.constant([2**31 - 1] * 2, suffix="ends", whole=True)
        axes = use.constant([2, 3], suffix="axes", whole=True)
        steps = use.constant([op.stride] * 2, suffix="steps", whole=True)
        inputs = (thinned, starts, ends, axes, steps)
        thinned = use.node("Slice", inputs, suffix="thinned" if missing else "")
    if not missing:
        return thinned if op.stride > 1 else use.node("Identity", (thinned,))
    pads = use.constant([0, 0, 0, 0, 0, missing, 0, 0], suffix="pads", whole=True)
    return use.node("Pad", (thinned, pads))


SIMPLE_NONLINEARITIES = {
    "Hardswish": "HardSwish",
    "ELU": "Elu",
    "SELU": "Selu",
    "CELU": "Celu",
    "LeakyReLU": "LeakyRelu",
    "Softplus": "Softplus",
    "Softsign": "Softsign",
    "LogSoftmax": "LogSoftmax",
    "Erf": "Erf",
}


def _nonlinearity(use: Emission) -> str:
    op: Any = use.op
    if op.kind == "SiLU":
        gate = use.node("Sigmoid", (use.input,), suffix="sigmoid")
        return use.node("Mul", (use.input, gate))
    if op.kind == "ReLU6":
        low, high = use.constant(0, suffix="low"), use.constant(6, suffix="high")
        return use.node("Clip", (use.input, low, high))
    if op.kind == "Hardsigmoid":
        return use.node("HardSigmoid", (use.input,), alpha=1 / 6, beta=0.5)
    if op.kind == "LeakyReLU":
        return use.node("LeakyRelu", (use.input,), alpha=0.01)
    if op.kind not in SIMPLE_NONLINEARITIES:
        raise use.cannot(f"opset 17 has no {op.kind}")
    return use.node(SIMPLE_NONLINEARITIES[op.kind], (use.input,))


def _prelu(use: Emission) -> str:
    op: Any = use.op
    shape = (op.slopes, *[1] * (use.facts.inputs[0].rank - 2))
    return use.node("PRelu", (use.input, use.weight("weight", shape=shape)))


def _embedding(use: Emission) -> str:
    return use.node("Gather", (use.weight("weight"), use.input), axis=0)


def _matrix_product(use: Emission) -> str:
    if len(use.inputs) == 2:
        return use.node("MatMul", use.inputs)
    product = use.node("MatMul", use.inputs[:2], suffix="product")
    return use.node("Add", (product, use.inputs[2]))


def _parameter(use: Emission) -> str:
    return use.node("Identity", (use.weight("value"),))


EMITTERS: dict[type, Emitter] = {
    ops.Conv1d: _convolution,
    ops.Conv2d: _convolution,
    ops.Conv3d: _convolution,
    ops.ConnectedConv2d: _connected,
    ops.ConvTranspose2d: _transposed,
    ops.Linear: _linear,
    ops.RBF: _rbf,
    **POOLS,
    ops.BatchNorm2d: _batch_norm,
    ops.LocalResponseNorm: _local_response_norm,
    ops.LayerNorm: _layer_norm,
    ops.InstanceNorm: _instance_norm,
    ops.ReLU: _simple("Relu"),
    ops.Tanh: _simple("Tanh"),
    ops.ScaledTanh: _scaled_tanh,
    ops.Sigmoid: _simple("Sigmoid"),
    ops.Softmax: _softmax,
    ops.Nonlinearity: _nonlinearity,
    ops.PReLU: _prelu,
    ops.Dropout: _dropout,
    ops.DropPath: _drop_path,
    ops.Add: _add,
    ops.FractalJoin: _simple("Mean"),
    ops.Concat: _concat,
    ops.Flatten: _simple("Flatten", axis=1),
    ops.ZeroPadShortcut: _zero_pad,
    ops.MatMul: _matrix_product,
    ops.Embedding: _embedding,
    ops.Parameter: _parameter,
}
"""Operators that ONNX has, or that a few of its operators make up."""
