"""Small ONNX models made by hand, and one use of every ONNX operator that has a rule.

A case says which operator of cnnstat comes out, and its parameters and MACs as products.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

KINDS = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "bool": TensorProto.BOOL}
IR_VERSIONS = {9: 4, 11: 6, 13: 7, 17: 8, 18: 8, 20: 9, 21: 10, 23: 11, 24: 12}
"""Of each opset, the version of the format that came with it."""


class X(NamedTuple):
    """A computed input; an extent may be a text, which leaves it free."""

    shape: tuple[int | str, ...]
    dtype: str = "float32"


def weight(*shape: int) -> Any:
    """Return a stored tensor of real numbers that are not all alike."""
    return np.linspace(0.5, 1.5, int(np.prod(shape)), dtype=np.float32).reshape(shape)


def ints(*values: int) -> Any:
    return np.asarray(values, np.int64)


def scalar(value: float) -> Any:
    return np.asarray(value, np.float32)


def model(
    nodes: Sequence[Any],
    inputs: dict[str, X],
    outputs: Sequence[str],
    stored: dict[str, Any] | None = None,
    *,
    opset: int = 17,
    domains: dict[str, int] | None = None,
) -> Any:
    """Return a model; outputs are declared without a shape."""
    entering = [
        helper.make_tensor_value_info(name, KINDS[x.dtype], x.shape) for name, x in inputs.items()
    ]
    leaving = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    held = [numpy_helper.from_array(array, name) for name, array in (stored or {}).items()]
    graph = helper.make_graph(list(nodes), "net", entering, leaving, held)
    imports = [helper.make_opsetid("", opset)]
    imports += [helper.make_opsetid(name, number) for name, number in (domains or {}).items()]
    return helper.make_model(graph, opset_imports=imports, ir_version=IR_VERSIONS[opset])


def saved(proto: Any, folder: Path, name: str = "net.onnx") -> str:
    path = folder / name
    onnx.save(proto, str(path))
    return str(path)


@dataclass(frozen=True)
class Case:
    """One use of one operator: its inputs in order (None is left out), what must come out."""

    op_type: str
    inputs: tuple[Any, ...]
    kind: str
    params: int = 0
    macs: int = 0
    opset: int = 17
    results: int = 1
    attributes: dict[str, Any] = field(default_factory=dict)
    runs: bool = True
    """Whether onnx's reference evaluator can run it, and so tells its shape."""

    @property
    def id(self) -> str:
        shapes = "+".join(
            "x".join(map(str, each.shape)) or "scalar" for each in self.inputs if each is not None
        )
        said = ",".join(f"{key}={value}" for key, value in self.attributes.items())
        return f"{self.op_type}-{self.opset}({said})[{shapes}]"

    def proto(self) -> Any:
        names = ["" if each is None else f"i{n}" for n, each in enumerate(self.inputs)]
        pairs = [(name, each) for name, each in zip(names, self.inputs, strict=True) if name]
        outputs = [f"o{number}" for number in range(self.results)]
        node = helper.make_node(self.op_type, names, outputs, "here", **self.attributes)
        return model(
            [node],
            {name: each for name, each in pairs if isinstance(each, X)},
            outputs,
            {name: each for name, each in pairs if not isinstance(each, X)},
            opset=self.opset,
        )


IMAGE = X((1, 4, 9, 11))
VOLUME = X((1, 2, 5, 6, 7))
ROWS = X((3, 5, 12))


def case(op_type: str, kind: str, *inputs: Any, **said: Any) -> Case:
    known = {key: said.pop(key) for key in ("params", "macs", "opset", "results", "runs")
             if key in said}  # fmt: skip
    return Case(op_type, inputs, kind, attributes=said, **known)


CONVOLUTIONS = (
    case(
        "Conv",
        "Conv2d",
        IMAGE,
        weight(6, 4, 3, 3),
        weight(6),
        params=6 * 4 * 9 + 6,
        macs=6 * 7 * 9 * 4 * 9,
    ),
    case(
        "Conv",
        "Conv2d",
        IMAGE,
        weight(8, 1, 3, 3),
        opset=9,
        group=4,
        pads=[1, 1, 1, 1],
        strides=[2, 2],
        params=8 * 9,
        macs=8 * 5 * 6 * 9,
    ),
    case(
        "Conv",
        "Conv2d",
        IMAGE,
        weight(6, 4, 3, 2),
        pads=[0, 1, 1, 0],
        strides=[2, 1],
        params=6 * 4 * 6,
        macs=6 * 4 * 11 * 4 * 6,
    ),
    case(
        "Conv",
        "Conv2d",
        IMAGE,
        weight(6, 4, 2, 2),
        opset=11,
        auto_pad="SAME_UPPER",
        strides=[2, 2],
        params=6 * 16,
        macs=6 * 5 * 6 * 16,
    ),
    case(
        "Conv",
        "Conv2d",
        IMAGE,
        weight(6, 4, 2, 2),
        opset=11,
        auto_pad="SAME_LOWER",
        params=6 * 16,
        macs=6 * 9 * 11 * 16,
    ),
    case(
        "Conv",
        "Conv2d",
        IMAGE,
        weight(6, 4, 3, 3),
        auto_pad="VALID",
        dilations=[2, 2],
        params=6 * 36,
        macs=6 * 5 * 7 * 36,
    ),
    case("Conv", "Conv1d", X((2, 4, 9)), weight(6, 4, 3), params=6 * 12, macs=2 * 6 * 7 * 12),
    case(
        "Conv",
        "Conv3d",
        X((1, 2, 5, 6, 7)),
        weight(3, 2, 2, 2, 2),
        params=3 * 16,
        macs=3 * 4 * 5 * 6 * 16,
    ),
    case(
        "ConvTranspose",
        "ConvTranspose2d",
        IMAGE,
        weight(4, 6, 3, 3),
        weight(6),
        strides=[2, 2],
        pads=[1, 1, 1, 1],
        params=4 * 6 * 9 + 6,
        macs=4 * 9 * 11 * 6 * 9,
    ),
    case(
        "ConvTranspose",
        "ConvTranspose2d",
        IMAGE,
        weight(4, 6, 3, 3),
        strides=[2, 2],
        pads=[0, 0, 1, 1],
        output_padding=[0, 0],
        params=4 * 6 * 9,
        macs=4 * 9 * 11 * 6 * 9,
    ),
    case(
        "ConvTranspose",
        "ConvTranspose2d",
        IMAGE,
        weight(4, 3, 3, 3),
        strides=[2, 2],
        output_shape=[18, 22],
        runs=False,
        params=4 * 3 * 9,
        macs=4 * 9 * 11 * 3 * 9,
    ),
    case(
        "ConvTranspose",
        "ConvTranspose2d",
        IMAGE,
        weight(4, 6, 3, 3),
        strides=[2, 2],
        auto_pad="SAME_UPPER",
        params=4 * 6 * 9,
        macs=4 * 9 * 11 * 6 * 9,
    ),
    case("ConvTranspose", "ConvTranspose", X((1, 4, 9)), weight(4, 6, 3), params=4 * 6 * 3),
)
PRODUCTS = (
    case(
        "Gemm",
        "Linear",
        X((2, 12)),
        weight(7, 12),
        weight(7),
        transB=1,
        params=7 * 12 + 7,
        macs=2 * 7 * 12,
    ),
    case("Gemm", "Linear", X((2, 12)), weight(12, 7), opset=11, params=7 * 12, macs=2 * 7 * 12),
    case("Gemm", "Linear", X((12, 2)), weight(12, 7), transA=1, params=7 * 12, macs=2 * 7 * 12),
    case("Gemm", "MatMul", X((2, 12)), X((7, 12)), X((2, 7)), transB=1, macs=2 * 7 * 12),
    case("MatMul", "Linear", ROWS, weight(12, 7), params=12 * 7, macs=15 * 7 * 12),
    case("MatMul", "MatMul", X((2, 3, 4)), X((2, 4, 5)), macs=2 * 3 * 5 * 4),
    case("MatMul", "MatMul", weight(6, 5), ROWS, params=30, macs=3 * 6 * 12 * 5),
    case(
        "Einsum", "MatMul", X((2, 3, 4)), X((2, 5, 4)), equation="bik,bjk->bij", macs=2 * 3 * 5 * 4
    ),
    case("Einsum", "Einsum", X((2, 3, 3)), equation="bii->bi"),
    case(
        "Attention",
        "Attention",
        X((2, 3, 7, 4)),
        X((2, 3, 5, 4)),
        X((2, 3, 5, 4)),
        opset=23,
        macs=2 * 3 * 7 * 5 * (4 + 4),
    ),
)
NORMS = (
    case("BatchNormalization", "BatchNorm2d", IMAGE, *[weight(4)] * 4, opset=9, params=4 + 4),
    case("InstanceNormalization", "InstanceNorm", IMAGE, weight(4), weight(4), params=4 + 4),
    case(
        "GroupNormalization",
        "GroupNorm",
        IMAGE,
        weight(4),
        weight(4),
        opset=21,
        num_groups=2,
        params=4 + 4,
    ),
    case(
        "GroupNormalization",
        "GroupNorm",
        IMAGE,
        weight(2),
        weight(2),
        opset=18,
        num_groups=2,
        params=2 + 2,
        runs=False,
    ),
    case("LayerNormalization", "LayerNorm", ROWS, weight(12), weight(12), params=12 + 12),
    case("LayerNormalization", "LayerNorm", ROWS, weight(5, 12), axis=1, params=5 * 12),
    case("RMSNormalization", "RMSNorm", ROWS, weight(12), opset=23, params=12),
    case("LRN", "LocalResponseNorm", IMAGE, size=3),
)
RECURRENT = (
    case(
        "LSTM",
        "Recurrent",
        X((5, 2, 4)),
        weight(1, 24, 4),
        weight(1, 24, 6),
        weight(1, 48),
        hidden_size=6,
        params=24 * 4 + 24 * 6 + 48,
        macs=10 * (24 * 4 + 24 * 6),
        results=3,
    ),
    case(
        "LSTM",
        "Recurrent",
        X((5, 2, 4)),
        weight(2, 24, 4),
        weight(2, 24, 6),
        hidden_size=6,
        direction="bidirectional",
        params=2 * (24 * 4 + 24 * 6),
        macs=10 * 2 * (24 * 4 + 24 * 6),
        runs=False,
    ),
    case(
        "GRU",
        "Recurrent",
        X((5, 2, 4)),
        weight(1, 18, 4),
        weight(1, 18, 6),
        hidden_size=6,
        params=18 * 4 + 18 * 6,
        macs=10 * (18 * 4 + 18 * 6),
        results=2,
    ),
    case(
        "RNN",
        "Recurrent",
        X((2, 5, 4)),
        weight(1, 6, 4),
        weight(1, 6, 6),
        hidden_size=6,
        layout=1,
        opset=17,
        params=6 * 4 + 6 * 6,
        macs=10 * (6 * 4 + 6 * 6),
        runs=False,
    ),
)
ACTIVATIONS = (
    case("Relu", "ReLU", IMAGE),
    case("Sigmoid", "Sigmoid", IMAGE),
    case("Tanh", "Tanh", IMAGE),
    case("Clip", "Nonlinearity", IMAGE, opset=9, min=0.0, max=6.0, runs=False),
    case("Clip", "Nonlinearity", IMAGE, scalar(0), scalar(6), opset=11),
    case("Clip", "ReLU", IMAGE, scalar(0), opset=13),
    case("Clip", "Pointwise", IMAGE, scalar(-1), scalar(1)),
    case("Swish", "Nonlinearity", IMAGE, opset=24),
    case("Gelu", "Nonlinearity", IMAGE, opset=20),
    case("HardSwish", "Nonlinearity", IMAGE),
    case("HardSigmoid", "Nonlinearity", IMAGE),
    case("Elu", "Nonlinearity", IMAGE),
    case("Selu", "Nonlinearity", IMAGE),
    case("Celu", "Nonlinearity", IMAGE),
    case("LeakyRelu", "Nonlinearity", IMAGE),
    case("Mish", "Nonlinearity", IMAGE, opset=18),
    case("Softplus", "Nonlinearity", IMAGE),
    case("Softsign", "Nonlinearity", IMAGE),
    case("Erf", "Nonlinearity", IMAGE),
    case("PRelu", "PReLU", IMAGE, weight(4, 1, 1), params=4),
    case("PRelu", "PRelu", IMAGE, X((4, 1, 1))),
    case("Softmax", "Softmax", X((2, 10)), opset=11),
    case("Softmax", "Softmax", IMAGE, axis=1),
    case("Softmax", "Softmax", IMAGE, opset=9, axis=1, runs=False),
    case("LogSoftmax", "Nonlinearity", X((2, 10))),
    case("Dropout", "Dropout", IMAGE, opset=11, ratio=0.2),
    case("Dropout", "Dropout", IMAGE, scalar(0.2)),
)
POOLS = (
    case("MaxPool", "MaxPool2d", IMAGE, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    case("MaxPool", "MaxPool2d", IMAGE, kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 1, 1]),
    case("MaxPool", "MaxPool2d", IMAGE, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    case("MaxPool", "MaxPool2d", IMAGE, kernel_shape=[2, 2], strides=[2, 2], results=2),
    case("MaxPool", "MaxPool2d", IMAGE, kernel_shape=[2, 2], dilations=[2, 3]),
    case("MaxPool", "MaxPool2d", IMAGE, kernel_shape=[3, 3], dilations=[2, 2], pads=[2, 2, 2, 2]),
    case("MaxPool", "MaxPool1d", X((1, 4, 9)), kernel_shape=[2]),
    case("MaxPool", "MaxPool1d", X((1, 4, 9)), kernel_shape=[2], strides=[2], results=2),
    case("MaxPool", "MaxPool1d", X((1, 4, 9)), kernel_shape=[4], pads=[1, 2], runs=False),
    case("MaxPool", "MaxPool3d", VOLUME, kernel_shape=[2, 3, 2], strides=[2, 2, 2], ceil_mode=1),
    case("MaxPool", "MaxPool3d", VOLUME, kernel_shape=[2, 1, 2], auto_pad="SAME_UPPER", runs=False),
    case("MaxPool", "MaxPool", X((1, 2, 3, 4, 5, 6)), kernel_shape=[2, 2, 2, 2], runs=False),
    case("AveragePool", "AvgPool2d", IMAGE, kernel_shape=[3, 3], count_include_pad=1),
    case("AveragePool", "AvgPool2d", IMAGE, opset=11, kernel_shape=[2, 2], auto_pad="SAME_UPPER"),
    case("AveragePool", "AvgPool1d", X((1, 4, 9)), kernel_shape=[3], pads=[1, 1]),
    case("AveragePool", "AvgPool3d", VOLUME, kernel_shape=[1, 2, 2], strides=[1, 2, 2]),
    case("AveragePool", "AveragePool", IMAGE, opset=20, kernel_shape=[2, 2], dilations=[2, 2]),
    case("GlobalAveragePool", "GlobalAvgPool2d", IMAGE),
    case("GlobalAveragePool", "AdaptiveAvgPool1d", X((1, 4, 9))),
    case("GlobalAveragePool", "AdaptiveAvgPool3d", VOLUME),
    case("GlobalAveragePool", "Reduce", X((1, 2, 3, 4, 5, 6))),
    case("GlobalMaxPool", "AdaptiveMaxPool2d", IMAGE),
    case("GlobalMaxPool", "AdaptiveMaxPool1d", X((1, 4, 9)), runs=False),
    case("GlobalMaxPool", "AdaptiveMaxPool3d", VOLUME, runs=False),
    case(
        "MaxUnpool",
        "MaxUnpool2d",
        X((1, 1, 2, 3)),
        ints(*range(6)).reshape(1, 1, 2, 3),
        kernel_shape=[2, 2],
        strides=[2, 2],
    ),
    case(
        "Resize",
        "Interpolate",
        IMAGE,
        None,
        np.array([1, 1, 2, 2], np.float32),
        opset=11,
        mode="nearest",
    ),
    case("Resize", "Interpolate", IMAGE, None, None, ints(1, 4, 12, 20), mode="linear"),
    case(
        "Resize",
        "Interpolate",
        IMAGE,
        None,
        None,
        ints(12, 20),
        opset=18,
        mode="cubic",
        axes=[2, 3],
    ),
    case(
        "Upsample",
        "Interpolate",
        IMAGE,
        np.array([1, 1, 2, 3], np.float32),
        opset=9,
        mode="nearest",
        runs=False,
    ),
)
ARITHMETIC = (
    *(
        case(name, "Pointwise", X((2, 3)), X((4, 1, 3)))
        for name in ("Add", "Sub", "Mul", "Div", "Pow", "Max", "Min")
    ),
    *(case(name, "Pointwise", X((2, 3)), scalar(2)) for name in ("Sub", "Mul", "Div", "Pow")),
    case("Sub", "Pointwise", scalar(2), X((2, 3))),
    case("Add", "Add", X((2, 3)), X((2, 3))),
    case("Add", "Pointwise", X((2, 3)), weight(3), params=3),
    case("Mod", "Pointwise", X((2, 3)), X((2, 3)), fmod=1),
    *(
        case(name, "Pointwise", X((2, 3)))
        for name in (
            "Sqrt",
            "Reciprocal",
            "Exp",
            "Log",
            "Sin",
            "Cos",
            "Neg",
            "Abs",
            "Sign",
            "Floor",
            "Ceil",
            "Round",
        )
    ),
    *(
        case(name, "Pointwise", X((2, 3)), X((3,)))
        for name in ("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual")
    ),
    *(case(name, "Pointwise", X((2, 3), "bool"), X((3,), "bool")) for name in ("And", "Or", "Xor")),
    case("Not", "Pointwise", X((2, 3), "bool")),
    case("Where", "Pointwise", X((2, 1), "bool"), X((2, 3)), X((3,))),
    case("Sum", "Add", X((2, 3)), X((2, 3)), X((2, 3))),
    case("Sum", "Pointwise", X((2, 3)), X((1, 3))),
    case("Sum", "Sum", X((2, 3)), X((1, 3)), X((2, 1))),
    case("Mean", "FractalJoin", X((2, 3)), X((2, 3))),
    *(
        case(name, "Reduce", IMAGE, axes=[2, 3], keepdims=0)
        for name in (
            "ReduceMean",
            "ReduceMax",
            "ReduceMin",
            "ReduceProd",
            "ReduceL2",
            "ReduceLogSumExp",
        )
    ),
    case("ReduceMean", "Reduce", IMAGE, ints(1), opset=18),
    case("ReduceSum", "Reduce", IMAGE, opset=11, axes=[-1], keepdims=1),
    case("ReduceSum", "Reduce", IMAGE, ints(2, 3), keepdims=0),
    case("ArgMax", "Reduce", IMAGE, axis=1),
    case("ArgMin", "Reduce", IMAGE, axis=-1, keepdims=0),
    case("CumSum", "Reduce", IMAGE, np.asarray(1)),
)
MOVES = (
    case("Concat", "Concat", IMAGE, IMAGE, axis=1),
    case("Gather", "Embedding", weight(20, 6), X((2, 5), "int64"), params=20 * 6, runs=False),
    case("Gather", "Rearrange", IMAGE, ints(0, 2), axis=1),
    case("Cast", "Rearrange", IMAGE, to=TensorProto.INT64),
    case("CastLike", "Rearrange", IMAGE, X((1,), "int64")),
    case("Flatten", "Flatten", IMAGE),
    case("Flatten", "View", IMAGE, axis=2),
    case("Reshape", "Flatten", IMAGE, ints(0, -1)),
    case("Reshape", "View", IMAGE, ints(2, -1, 11), opset=13),
    case("Transpose", "View", IMAGE, perm=[0, 2, 3, 1]),
    case("Transpose", "View", X((2, 3, 5))),
    case("Squeeze", "View", X((1, 3, 1)), opset=11, axes=[2]),
    case("Squeeze", "View", X((1, 3, 1)), ints(-1)),
    case("Squeeze", "View", X((1, 3, 1))),
    case("Unsqueeze", "View", X((2, 3)), opset=11, axes=[0, 3]),
    case("Unsqueeze", "View", X((2, 3)), ints(-1)),
    case("Slice", "View", IMAGE, opset=9, starts=[1, -3], ends=[4, 100], axes=[1, 3], runs=False),
    case("Slice", "View", IMAGE, ints(-1, 0), ints(-100, 9), ints(3, 2), ints(-2, 4)),
    case("Split", "View", IMAGE, opset=11, axis=1, split=[1, 3], results=2),
    case("Split", "View", IMAGE, ints(1, 3), axis=1, results=2),
    case("Split", "View", X((7, 2)), opset=18, num_outputs=3, results=3),
    case("Expand", "View", X((3, 1)), ints(2, 1, 6)),
    case("Pad", "Rearrange", IMAGE, opset=9, pads=[0, 0, 1, 2, 0, 0, 3, 4], runs=False),
    case("Pad", "Rearrange", IMAGE, ints(0, 0, 1, 2, 0, 0, 3, 4)),
    case("Pad", "Rearrange", IMAGE, ints(1, 2), None, ints(-1), opset=18),
    case("Tile", "Rearrange", X((2, 3)), ints(1, 4)),
    case("DepthToSpace", "Rearrange", IMAGE, blocksize=2),
    case("SpaceToDepth", "Rearrange", X((1, 2, 4, 6)), blocksize=2),
    case("Trilu", "Rearrange", X((4, 4))),
    case("ReverseSequence", "Rearrange", X((4, 2)), ints(3, 4)),
    case("ScatterND", "Rearrange", X((4, 2)), ints(1, 3).reshape(2, 1), X((2, 2))),
    case("ScatterElements", "Rearrange", X((3, 2)), ints(1, 0).reshape(1, 2), X((1, 2))),
    case("GatherElements", "Rearrange", X((3, 2)), ints(1, 0).reshape(1, 2)),
    case("GatherND", "Rearrange", X((3, 2)), ints(1, 0).reshape(2, 1)),
    case("OneHot", "Rearrange", X((3,), "int64"), ints(5), weight(2), runs=False),
    case("EyeLike", "Rearrange", X((3, 4))),
    case("Identity", "Input", IMAGE),
)
CASES: tuple[Case, ...] = (
    *(*CONVOLUTIONS, *PRODUCTS, *NORMS, *RECURRENT, *ACTIVATIONS, *POOLS, *ARITHMETIC, *MOVES),
)
