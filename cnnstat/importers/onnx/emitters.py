"""Operator class -> its ONNX nodes: ``EMITTERS``, one line an operator."""

from __future__ import annotations

from cnnstat import ops
from cnnstat.importers.onnx.emit import layers, maps, moves, norms, pools, products, reductions
from cnnstat.importers.onnx.emitting import Emitter, simple

EMITTERS: dict[type, Emitter] = {
    ops.Conv1d: layers.convolution,
    ops.Conv2d: layers.convolution,
    ops.Conv3d: layers.convolution,
    ops.ConnectedConv2d: layers.connected,
    ops.ConvTranspose1d: layers.transposed,
    ops.ConvTranspose2d: layers.transposed,
    ops.ConvTranspose3d: layers.transposed,
    ops.Linear: layers.linear,
    ops.RBF: layers.rbf,
    ops.MaxPool1d: pools.max_pool,
    ops.MaxPool2d: pools.max_pool,
    ops.MaxPool3d: pools.max_pool,
    ops.AvgPool1d: pools.avg_pool,
    ops.AvgPool2d: pools.avg_pool,
    ops.AvgPool3d: pools.avg_pool,
    ops.Subsampling: pools.subsampling,
    ops.AdaptiveAvgPool1d: pools.adaptive("AveragePool", "GlobalAveragePool"),
    ops.AdaptiveAvgPool2d: pools.adaptive("AveragePool", "GlobalAveragePool"),
    ops.AdaptiveAvgPool3d: pools.adaptive("AveragePool", "GlobalAveragePool"),
    ops.AdaptiveMaxPool1d: pools.adaptive("MaxPool", "GlobalMaxPool"),
    ops.AdaptiveMaxPool2d: pools.adaptive("MaxPool", "GlobalMaxPool"),
    ops.AdaptiveMaxPool3d: pools.adaptive("MaxPool", "GlobalMaxPool"),
    ops.GlobalAvgPool2d: simple("GlobalAveragePool"),
    ops.MaxUnpool2d: pools.max_unpool,
    ops.BatchNorm2d: norms.batch_norm,
    ops.LocalResponseNorm: norms.local_response_norm,
    ops.LayerNorm: norms.layer_norm,
    ops.RMSNorm: norms.rms_norm,
    ops.GroupNorm: norms.group_norm,
    ops.InstanceNorm: norms.instance_norm,
    ops.ReLU: simple("Relu"),
    ops.Tanh: simple("Tanh"),
    ops.ScaledTanh: maps.scaled_tanh,
    ops.Sigmoid: simple("Sigmoid"),
    ops.Softmax: maps.softmax,
    ops.Nonlinearity: maps.nonlinearity,
    ops.PReLU: maps.prelu,
    ops.Pointwise: maps.pointwise,
    ops.Dropout: maps.dropout,
    ops.DropPath: maps.drop_path,
    ops.Add: maps.add,
    ops.FractalJoin: simple("Mean"),
    ops.Concat: moves.concat,
    ops.Flatten: simple("Flatten", axis=1),
    ops.ZeroPadShortcut: moves.zero_pad,
    ops.View: moves.moved,
    ops.Rearrange: moves.moved,
    ops.MatMul: products.matrix_product,
    ops.Attention: products.attention,
    ops.Recurrent: products.recurrent,
    ops.Reduce: reductions.reduce,
    ops.Interpolate: reductions.interpolate,
    ops.Embedding: layers.embedding,
    ops.Parameter: layers.parameter,
}
"""Operators that ONNX has, or that a few of its operators make up."""

REFUSED: dict[type, str] = {
    ops.WeightNorm: "ONNX has no such operator: take the weight norm off the module first",
    ops.Fold: "ONNX has it (Col2Im) from opset 18 on",
    ops.Opaque: "of an operator without a rule only the name is known",
}
"""Operators that cannot be written, and why."""
