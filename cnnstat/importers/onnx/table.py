"""ONNX operators by name: what each means. The domain is ONNX's own."""

from __future__ import annotations

from cnnstat import ops
from cnnstat.importers.onnx import equations, layers, maps, moves, quantized
from cnnstat.importers.onnx.call import Rule
from cnnstat.importers.onnx.maps import nonlinearity, numbered, pointwise, reduce, unary

ALIASES = frozenset({"Identity"})
"""Operators that give back what they got."""

VIEWS = frozenset({"Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze"})
"""Operators that show a whole tensor in another way: of a weight, they are that weight."""

WEIGHTS: dict[str, tuple[int, ...]] = {
    "DequantizeLinear": (0,),
    "QLinearConv": (3, 8),
    "QLinearMatMul": (0, 3),
    "ConvInteger": (1,),
    "MatMulInteger": (0, 1),
}
"""Inputs that are weights where they are stored, of whatever element type."""

NONLINEARITIES = {
    **{"Swish": "SiLU", "Gelu": "GELU", "HardSwish": "Hardswish", "HardSigmoid": "Hardsigmoid"},
    **{"Selu": "SELU", "Mish": "Mish", "LogSigmoid": "LogSigmoid", "Softplus": "Softplus"},
    **{"Softsign": "Softsign", "Erf": "Erf"},
}
"""Nonlinearities without a number of their own, by PyTorch's names."""

REDUCTIONS = {
    **{"Mean": "mean", "Sum": "sum", "Max": "max", "Min": "min", "Prod": "prod", "L1": "l1"},
    **{"L2": "norm", "LogSumExp": "logsumexp", "SumSquare": "sum_square", "LogSum": "log_sum"},
}
"""Kinds of reductions by what follows ``Reduce``."""

UNARY = ("Sqrt", "Reciprocal", "Exp", "Log", "Sin", "Cos", "Neg", "Abs", "Sign")
COMPARISONS = ("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual")
DRAWN = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli")

RULES: dict[str, Rule] = {
    "Conv": layers.convolution,
    "ConvTranspose": layers.transposed_convolution,
    "QLinearConv": quantized.quantized_convolution,
    "ConvInteger": quantized.integer_convolution,
    "QLinearMatMul": quantized.quantized_product,
    "MatMulInteger": quantized.integer_product,
    "QuantizeLinear": quantized.quantize,
    "DequantizeLinear": quantized.dequantize,
    "DynamicQuantizeLinear": quantized.dynamic_quantize,
    "Gemm": layers.general_product,
    "MatMul": layers.matrix_product,
    "Einsum": equations.einsum,
    "Attention": maps.attention,
    "ScaledAttention": maps.scaled_attention,
    "BatchNormalization": layers.batch_norm,
    "InstanceNormalization": layers.instance_norm,
    "GroupNormalization": layers.group_norm,
    "LayerNormalization": layers.layer_norm,
    "RMSNormalization": layers.rms_norm,
    "LRN": maps.local_response_norm,
    "LSTM": layers.recurrent("LSTM", 2),
    "GRU": layers.recurrent("GRU", 1),
    "RNN": layers.recurrent("RNN", 1),
    "Relu": unary(ops.ReLU()),
    "Sigmoid": unary(ops.Sigmoid()),
    "Tanh": unary(ops.Tanh()),
    "Clip": maps.clip,
    **{name: nonlinearity(kind) for name, kind in NONLINEARITIES.items()},
    "Elu": numbered("ELU", "alpha", 1.0),
    "Celu": numbered("CELU", "alpha", 1.0),
    "LeakyRelu": numbered("LeakyReLU", "alpha", 0.01),
    "PRelu": layers.prelu,
    "Softmax": maps.softmax,
    "LogSoftmax": maps.softmax,
    "Dropout": maps.dropout,
    "MaxPool": maps.max_pool,
    "AveragePool": maps.average_pool,
    "GlobalAveragePool": maps.global_pool("mean"),
    "GlobalMaxPool": maps.global_pool("max"),
    "MaxUnpool": maps.max_unpool,
    "Subsampling": maps.subsampling,
    "ScaledTanh": maps.scaled_tanh,
    "Resize": maps.resize,
    "Upsample": maps.resize,
    "Concat": maps.concat,
    "Gather": layers.gather,
    **{f"Reduce{name}": reduce(kind) for name, kind in REDUCTIONS.items()},
    "ArgMax": maps.extreme("argmax"),
    "ArgMin": maps.extreme("argmin"),
    "CumSum": maps.running("cumsum"),
    "CumProd": maps.running("cumprod"),
    "Sum": maps.joined(ops.Add(), "add"),
    "Mean": maps.joined(ops.FractalJoin()),
    "Add": pointwise("add"),
    "Sub": pointwise("sub"),
    "Mul": pointwise("mul"),
    "Div": pointwise("div"),
    "Mod": pointwise("remainder"),
    "Pow": pointwise("pow"),
    "Max": pointwise("maximum"),
    "Min": pointwise("minimum"),
    **{name: unary(ops.Pointwise(name.lower())) for name in UNARY},
    **dict.fromkeys(("Floor", "Ceil", "Round"), unary(ops.Pointwise("round"))),
    **dict.fromkeys(COMPARISONS, pointwise("compare", "bool")),
    **dict.fromkeys(("And", "Or", "Xor"), pointwise("logical", "bool")),
    "Not": unary(ops.Pointwise("logical", "bool")),
    "Where": pointwise("where"),
    "Cast": moves.cast,
    "CastLike": moves.cast_like,
    "Flatten": moves.flatten,
    "Reshape": moves.reshape,
    "Transpose": moves.transpose,
    "Squeeze": moves.view("squeeze", moves.squeeze),
    "Unsqueeze": moves.view("unsqueeze", moves.unsqueeze),
    "Slice": moves.slice_,
    "Split": moves.view("split", moves.split, moves.split_axis),
    "Expand": moves.view("expand", moves.expand),
    "Pad": moves.move("pad", moves.pad, moves.sides),
    "Tile": moves.inferred_move("tile"),
    "DepthToSpace": moves.move("depth_to_space", moves.depth_to_space, moves.block),
    "SpaceToDepth": moves.inferred_move("space_to_depth", moves.block),
    "Trilu": moves.move("trilu", moves.same),
    "ReverseSequence": moves.move("reverse_sequence", moves.same),
    "GatherElements": moves.gathered(moves.like_indices),
    "GatherND": moves.gathered(moves.gather_nd),
    "OneHot": moves.inferred_move("one_hot"),
    "EyeLike": moves.eye,
    "Range": moves.range_,
    **dict.fromkeys(DRAWN, moves.drawn),
    "ConstantOfShape": moves.filled,
}
"""``Swish`` is ONNX's of opset 24 and x * sigmoid(x), as ``Gelu``, ``Mish`` and two normalisations
are ONNX's and what earlier opsets make them of; ``Subsampling``, ``ScaledTanh``, ``LogSigmoid`` and
``ScaledAttention`` are told by ``fusing`` alone."""
