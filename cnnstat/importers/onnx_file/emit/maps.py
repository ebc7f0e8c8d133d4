"""Activations, arithmetic, and what acts in training alone."""

from __future__ import annotations

from typing import Any

from cnnstat.importers.onnx_file.emitting import Emission


def scaled_tanh(use: Emission) -> str:
    """Write LeNet's amplitude * tanh(slope * x)."""
    op: Any = use.op
    slope = use.constant(op.slope, suffix="slope")
    inner = use.node("Mul", (use.input, slope), suffix="slope_times")
    bent = use.node("Tanh", (inner,), suffix="tanh")
    return use.node("Mul", (bent, use.constant(op.amplitude, suffix="amplitude")))


def softmax(use: Emission) -> str:
    """Write a softmax along one axis."""
    op: Any = use.op
    return use.node("Softmax", (use.input,), axis=op.axis)


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


def nonlinearity(use: Emission) -> str:
    """Write a nonlinearity by its name."""
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


def prelu(use: Emission) -> str:
    """Write a rectifier with trained slopes, one or one a channel."""
    op: Any = use.op
    shape = (op.slopes, *[1] * (use.facts.inputs[0].rank - 2))
    return use.node("PRelu", (use.input, use.weight("weight", shape=shape)))


def dropout(use: Emission) -> str:
    """Write a dropout, which passes its input on in inference."""
    op: Any = use.op
    return use.node("Dropout", (use.input, use.constant(op.p, suffix="ratio")))


def drop_path(use: Emission) -> str:
    """Write a path that is scaled by its probability of survival."""
    if use.op.survival == 1:
        return use.node("Identity", (use.input,))
    return use.node("Mul", (use.input, use.constant(use.op.survival, suffix="survival")))


def add(use: Emission) -> str:
    """Write a sum of two or more tensors."""
    return use.node("Add" if len(use.inputs) == 2 else "Sum", use.inputs)


def matrix_product(use: Emission) -> str:
    """Write a product of two tensors, and the third that is added."""
    if len(use.inputs) == 2:
        return use.node("MatMul", use.inputs)
    product = use.node("MatMul", use.inputs[:2], suffix="product")
    return use.node("Add", (product, use.inputs[2]))
