"""The layers that zoo files are written in: convolution with what acts on it, pooling, classifier.

Operators are shared between nodes where they are equal, so that a repeated block is analysed once.
"""

from functools import lru_cache

from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import Value
from cnnstat.ir.op import Op
from cnnstat.ir.window import Padding
from cnnstat.ops import (
    AvgPool2d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    Input,
    Linear,
    MaxPool2d,
    ReLU,
    Softmax,
)

RELU = ReLU()
BATCH_NORM = BatchNorm2d()
FLATTEN = Flatten()
SOFTMAX = Softmax()
GLOBAL_AVG_POOL = GlobalAvgPool2d()


@lru_cache(maxsize=4096)
def conv_op(
    out_channels: int,
    kernel: int,
    *,
    stride: int = 1,
    padding: int | None = None,
    groups: int = 1,
    bias: bool = True,
) -> Conv2d:
    """Return a square convolution; ``padding`` None keeps the extents at stride 1 (kernel // 2)."""
    pad = kernel // 2 if padding is None else padding
    return Conv2d(
        out_channels, (kernel, kernel), (stride, stride), (pad, pad), groups=groups, bias=bias
    )


linear_op = lru_cache(maxsize=1024)(Linear)


@lru_cache(maxsize=64)
def image(*shape: int) -> Input:
    """Return an input of this shape without the batch: channels, height, width."""
    return Input(shape)


def conv(
    b: Builder,
    name: str,
    x: Value,
    out_channels: int,
    kernel: int,
    *,
    stride: int = 1,
    padding: int | None = None,
    groups: int = 1,
    bias: bool = True,
    norm: bool = False,
    act: Op | None = RELU,
) -> Value:
    """Add a square convolution ``name``, ``name/bn`` if ``norm``, and the activation ``name/relu``.

    With ``norm`` the convolution's own bias is the caller's choice: papers and frameworks differ.
    """
    op = conv_op(out_channels, kernel, stride=stride, padding=padding, groups=groups, bias=bias)
    x = b.add(name, op, x)
    if norm:
        x = b.add(f"{name}/bn", BATCH_NORM, x)
    return activate(b, name, x, act)


def activate(b: Builder, name: str, x: Value, act: Op | None = RELU) -> Value:
    """Add the activation of layer ``name`` as ``name/relu`` (its type's name); None adds none."""
    return x if act is None else b.add(f"{name}/{act.type_name.lower()}", act, x)


def max_pool(
    b: Builder,
    name: str,
    x: Value,
    kernel: int,
    stride: int,
    *,
    padding: Padding = (0, 0),
    ceil_mode: bool = False,
) -> Value:
    """Add a square max-pooling."""
    return b.add(name, MaxPool2d((kernel, kernel), (stride, stride), padding, ceil_mode), x)


def avg_pool(
    b: Builder, name: str, x: Value, kernel: int, stride: int, *, ceil_mode: bool = False
) -> Value:
    """Add a square mean-pooling."""
    return b.add(name, AvgPool2d((kernel, kernel), (stride, stride), ceil_mode=ceil_mode), x)


def flatten(b: Builder, name: str, x: Value) -> Value:
    """Add the flattening in front of the fully connected layer ``name``, as ``name/flatten``."""
    return b.add(f"{name}/flatten", FLATTEN, x)


def linear(
    b: Builder,
    name: str,
    x: Value,
    out_features: int,
    *,
    act: Op | None = None,
    dropout: float | None = None,
) -> Value:
    """Add a fully connected layer ``name``, its activation, and dropout after that."""
    x = activate(b, name, b.add(name, linear_op(out_features), x), act)
    return x if dropout is None else b.add(f"{name}/dropout", Dropout(dropout), x)


def classifier(b: Builder, name: str, x: Value, classes: int) -> Value:
    """Add flattening, the last fully connected layer ``name`` and its softmax."""
    x = linear(b, name, flatten(b, name, x), classes)
    return b.add(f"{name}/softmax", SOFTMAX, x)
