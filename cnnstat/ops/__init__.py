"""All operators, one file per family.

``ALL_OPS`` is the single list: harness, tables and tests start from it.
What an operator means stands on its class; whatever runs or names it in an outside world is a table
in that world's folder, keyed by the class.
"""

from cnnstat.ir.op import Op
from cnnstat.ops.activation import ReLU, ScaledTanh, Sigmoid, Softmax, Tanh
from cnnstat.ops.arrange import Embedding, Parameter, Rearrange, View
from cnnstat.ops.conv import ConnectedConv2d, Conv1d, Conv2d, Conv3d, ConvTranspose2d
from cnnstat.ops.layer_norm import GroupNorm, InstanceNorm, LayerNorm, RMSNorm
from cnnstat.ops.linear import RBF, Linear
from cnnstat.ops.merge import Add, Concat, Flatten, FractalJoin, ZeroPadShortcut
from cnnstat.ops.norm import BatchNorm2d, LocalResponseNorm
from cnnstat.ops.opaque import Opaque
from cnnstat.ops.pointwise import Nonlinearity, Pointwise, PReLU
from cnnstat.ops.pool import (
    AdaptiveAvgPool2d,
    AdaptiveMaxPool2d,
    AvgPool2d,
    GlobalAvgPool2d,
    MaxPool2d,
    MaxUnpool2d,
    Subsampling,
)
from cnnstat.ops.product import Attention, MatMul
from cnnstat.ops.recurrent import Recurrent
from cnnstat.ops.reduction import Interpolate, Reduce
from cnnstat.ops.regularization import Dropout, DropPath
from cnnstat.ops.source import Input

ALL_OPS: tuple[type[Op], ...] = (
    Input,
    Conv1d,
    Conv2d,
    Conv3d,
    ConnectedConv2d,
    ConvTranspose2d,
    Linear,
    RBF,
    MaxPool2d,
    AvgPool2d,
    Subsampling,
    AdaptiveAvgPool2d,
    AdaptiveMaxPool2d,
    GlobalAvgPool2d,
    MaxUnpool2d,
    BatchNorm2d,
    LocalResponseNorm,
    ReLU,
    Tanh,
    ScaledTanh,
    Sigmoid,
    Softmax,
    Dropout,
    DropPath,
    Add,
    FractalJoin,
    Concat,
    Flatten,
    ZeroPadShortcut,
    Opaque,
)

__all__ = [
    "ALL_OPS",
    "RBF",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool2d",
    "Add",
    "Attention",
    "AvgPool2d",
    "BatchNorm2d",
    "Concat",
    "ConnectedConv2d",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose2d",
    "DropPath",
    "Dropout",
    "Embedding",
    "Flatten",
    "FractalJoin",
    "GlobalAvgPool2d",
    "GroupNorm",
    "Input",
    "InstanceNorm",
    "Interpolate",
    "LayerNorm",
    "Linear",
    "LocalResponseNorm",
    "MatMul",
    "MaxPool2d",
    "MaxUnpool2d",
    "Nonlinearity",
    "Opaque",
    "PReLU",
    "Parameter",
    "Pointwise",
    "RMSNorm",
    "ReLU",
    "Rearrange",
    "Recurrent",
    "Reduce",
    "ScaledTanh",
    "Sigmoid",
    "Softmax",
    "Subsampling",
    "Tanh",
    "View",
    "ZeroPadShortcut",
]
