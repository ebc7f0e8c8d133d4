"""All operators, one file per family.

``FAMILIES`` is the single list; ``ALL_OPS`` is every class in it: harness, tables and tests start
from it. A family's file is imported when one of its operators is asked for: start-up time is a
feature. The meaning of an operator is on its class; whatever runs or names it in an outside
world is a table in that world's folder, keyed by the class.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnnstat.ir.op import Op
    from cnnstat.ops.activation import LogSoftmax as LogSoftmax
    from cnnstat.ops.activation import ReLU as ReLU
    from cnnstat.ops.activation import ScaledTanh as ScaledTanh
    from cnnstat.ops.activation import Sigmoid as Sigmoid
    from cnnstat.ops.activation import Softmax as Softmax
    from cnnstat.ops.activation import Tanh as Tanh
    from cnnstat.ops.adaptive_pool import AdaptiveAvgPool1d as AdaptiveAvgPool1d
    from cnnstat.ops.adaptive_pool import AdaptiveAvgPool2d as AdaptiveAvgPool2d
    from cnnstat.ops.adaptive_pool import AdaptiveAvgPool3d as AdaptiveAvgPool3d
    from cnnstat.ops.adaptive_pool import AdaptiveMaxPool1d as AdaptiveMaxPool1d
    from cnnstat.ops.adaptive_pool import AdaptiveMaxPool2d as AdaptiveMaxPool2d
    from cnnstat.ops.adaptive_pool import AdaptiveMaxPool3d as AdaptiveMaxPool3d
    from cnnstat.ops.arrange import Embedding as Embedding
    from cnnstat.ops.arrange import Parameter as Parameter
    from cnnstat.ops.arrange import Rearrange as Rearrange
    from cnnstat.ops.arrange import View as View
    from cnnstat.ops.conv import ConnectedConv2d as ConnectedConv2d
    from cnnstat.ops.conv import Conv1d as Conv1d
    from cnnstat.ops.conv import Conv2d as Conv2d
    from cnnstat.ops.conv import Conv3d as Conv3d
    from cnnstat.ops.conv import ConvTranspose1d as ConvTranspose1d
    from cnnstat.ops.conv import ConvTranspose2d as ConvTranspose2d
    from cnnstat.ops.conv import ConvTranspose3d as ConvTranspose3d
    from cnnstat.ops.deform import DeformConv2d as DeformConv2d
    from cnnstat.ops.function import Function as Function
    from cnnstat.ops.layer_norm import GroupNorm as GroupNorm
    from cnnstat.ops.layer_norm import InstanceNorm as InstanceNorm
    from cnnstat.ops.layer_norm import LayerNorm as LayerNorm
    from cnnstat.ops.layer_norm import RMSNorm as RMSNorm
    from cnnstat.ops.layer_norm import WeightNorm as WeightNorm
    from cnnstat.ops.linear import RBF as RBF
    from cnnstat.ops.linear import Linear as Linear
    from cnnstat.ops.merge import Add as Add
    from cnnstat.ops.merge import Concat as Concat
    from cnnstat.ops.merge import Flatten as Flatten
    from cnnstat.ops.merge import FractalJoin as FractalJoin
    from cnnstat.ops.merge import ZeroPadShortcut as ZeroPadShortcut
    from cnnstat.ops.norm import BatchNorm2d as BatchNorm2d
    from cnnstat.ops.norm import LocalResponseNorm as LocalResponseNorm
    from cnnstat.ops.opaque import Opaque as Opaque
    from cnnstat.ops.pointwise import Nonlinearity as Nonlinearity
    from cnnstat.ops.pointwise import Pointwise as Pointwise
    from cnnstat.ops.pointwise import PReLU as PReLU
    from cnnstat.ops.pool import AvgPool1d as AvgPool1d
    from cnnstat.ops.pool import AvgPool2d as AvgPool2d
    from cnnstat.ops.pool import AvgPool3d as AvgPool3d
    from cnnstat.ops.pool import GlobalAvgPool2d as GlobalAvgPool2d
    from cnnstat.ops.pool import MaxPool1d as MaxPool1d
    from cnnstat.ops.pool import MaxPool2d as MaxPool2d
    from cnnstat.ops.pool import MaxPool3d as MaxPool3d
    from cnnstat.ops.pool import Subsampling as Subsampling
    from cnnstat.ops.product import Attention as Attention
    from cnnstat.ops.product import MatMul as MatMul
    from cnnstat.ops.recurrent import Recurrent as Recurrent
    from cnnstat.ops.reduction import Fold as Fold
    from cnnstat.ops.reduction import Interpolate as Interpolate
    from cnnstat.ops.reduction import Reduce as Reduce
    from cnnstat.ops.regularization import Dropout as Dropout
    from cnnstat.ops.regularization import DropPath as DropPath
    from cnnstat.ops.source import Input as Input
    from cnnstat.ops.unpool import MaxUnpool2d as MaxUnpool2d

    ALL_OPS: tuple[type[Op], ...]

FAMILIES: dict[str, tuple[str, ...]] = {
    "source": ("Input",),
    "conv": (
        *("Conv1d", "Conv2d", "Conv3d", "ConnectedConv2d"),
        *("ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"),
    ),
    "linear": ("Linear", "RBF"),
    "pool": (
        *("MaxPool1d", "MaxPool2d", "MaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d"),
        *("GlobalAvgPool2d", "Subsampling"),
    ),
    "adaptive_pool": (
        *("AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d"),
        *("AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AdaptiveMaxPool3d"),
    ),
    "unpool": ("MaxUnpool2d",),
    "norm": ("BatchNorm2d", "LocalResponseNorm"),
    "layer_norm": ("LayerNorm", "RMSNorm", "GroupNorm", "InstanceNorm", "WeightNorm"),
    "activation": ("ReLU", "Tanh", "ScaledTanh", "Sigmoid", "Softmax", "LogSoftmax"),
    "pointwise": ("Nonlinearity", "PReLU", "Pointwise"),
    "regularization": ("Dropout", "DropPath"),
    "merge": ("Add", "FractalJoin", "Concat", "Flatten", "ZeroPadShortcut"),
    "product": ("MatMul", "Attention"),
    "recurrent": ("Recurrent",),
    "reduction": ("Reduce", "Fold", "Interpolate"),
    "arrange": ("Embedding", "View", "Rearrange", "Parameter"),
    "deform": ("DeformConv2d",),
    "function": ("Function",),
    "opaque": ("Opaque",),
}
"""Every operator by the stem of its family's file."""

_FILE_OF = {name: stem for stem, names in FAMILIES.items() for name in names}


if not TYPE_CHECKING:  # a checker knows the names above, and no others

    def __getattr__(name: str) -> object:
        """Return an operator, or ``ALL_OPS``, importing what it takes."""
        if name == "ALL_OPS":
            value: object = tuple(__getattr__(each) for each in _FILE_OF)
        elif name in _FILE_OF:
            value = getattr(import_module(f"cnnstat.ops.{_FILE_OF[name]}"), name)
        else:
            raise AttributeError(f"module 'cnnstat.ops' has no attribute {name!r}")
        globals()[name] = value  # once
        return value


def __dir__() -> list[str]:
    """Return the public names."""
    return ["ALL_OPS", "FAMILIES", *_FILE_OF]
