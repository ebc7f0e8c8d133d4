"""GoogLeNet and its Inception module.

Christian Szegedy, Wei Liu, Yangqing Jia, Pierre Sermanet, Scott Reed, Dragomir Anguelov, Dumitru
Erhan, Vincent Vanhoucke, Andrew Rabinovich, "Going Deeper with Convolutions", CVPR 2015,
https://arxiv.org/abs/1409.4842. Transcribed from its table 1, figure 3 and section 5 (the auxiliary
heads). Poolings round up, so that 112, 56, 28, 14, 7 come out.
``googlenet`` is the inference form; ``googlenet-aux`` holds the two heads of training too.
``inception-naive`` and
``inception-bottleneck`` are single modules on 256 maps of 28x28, as the Stanford CS231n lecture of
2017 counts them.
"""

from functools import partial
from typing import NamedTuple

from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import Graph, Value
from cnnstat.ops import Concat, Dropout, Input, LocalResponseNorm
from cnnstat.zoo.blocks import (
    GLOBAL_AVG_POOL,
    RELU,
    SOFTMAX,
    avg_pool,
    conv,
    flatten,
    linear,
    max_pool,
)
from cnnstat.zoo.card import ModelCard, card_of, refuse_classes


class Module(NamedTuple):
    """Widths of one module in the order of table 1; a 0 leaves that 1x1 convolution out (naive)."""

    conv_1x1: int
    reduce_3x3: int
    conv_3x3: int
    reduce_5x5: int
    conv_5x5: int
    pool_proj: int


# Table 1, and the auxiliary head that reads a module's output.
MODULES = {
    "3a": Module(64, 96, 128, 16, 32, 32),
    "3b": Module(128, 128, 192, 32, 96, 64),
    "4a": Module(192, 96, 208, 16, 48, 64),
    "4b": Module(160, 112, 224, 24, 64, 64),
    "4c": Module(128, 128, 256, 24, 64, 64),
    "4d": Module(112, 144, 288, 32, 64, 64),
    "4e": Module(256, 160, 320, 32, 128, 128),
    "5a": Module(256, 160, 320, 32, 128, 128),
    "5b": Module(384, 192, 384, 48, 128, 128),
}
POOL_AFTER = {"3b": "pool3", "4e": "pool4"}
HEAD_ON = {"4a": "aux1", "4d": "aux2"}

LECTURE_MODULES = {
    "inception-naive": Module(128, 0, 192, 0, 96, 0),
    "inception-bottleneck": Module(128, 64, 192, 64, 96, 64),
}


def inception(b: Builder, x: Value, widths: Module) -> Value:
    """Add one module: four branches side by side, concatenated over their channels."""
    branches = [conv(b, "1x1", x, widths.conv_1x1, 1)]
    for kernel, reduce, width in (
        (3, widths.reduce_3x3, widths.conv_3x3),
        (5, widths.reduce_5x5, widths.conv_5x5),
    ):
        branch = f"{kernel}x{kernel}"
        reduced = conv(b, f"{branch}_reduce", x, reduce, 1) if reduce else x
        branches.append(conv(b, branch, reduced, width, kernel))
    pooled = max_pool(b, "pool", x, 3, 1, padding=(1, 1))
    branches.append(
        conv(b, "pool_proj", pooled, widths.pool_proj, 1) if widths.pool_proj else pooled
    )
    return b.add("output", Concat(), *branches)


def build(name: str, auxiliary: bool, classes: int) -> Graph:
    """Return table 1, with the auxiliary heads if ``auxiliary``."""
    b = Builder(name)
    x = b.add("input", Input((3, 224, 224)))
    x = conv(b, "conv1", x, 64, 7, stride=2)
    x = b.add("pool1/lrn", LocalResponseNorm(), _halve(b, "pool1", x))
    x = conv(b, "conv2/3x3_reduce", x, 64, 1)
    x = b.add("conv2/3x3/lrn", LocalResponseNorm(), conv(b, "conv2/3x3", x, 192, 3))
    x = _halve(b, "pool2", x)
    heads = []
    for place, widths in MODULES.items():
        with b.scope(f"inception_{place}"):
            x = inception(b, x, widths)
        if auxiliary and place in HEAD_ON:
            with b.training_only(), b.scope(HEAD_ON[place]):
                heads.append(_head(b, x, classes))
        if place in POOL_AFTER:
            x = _halve(b, POOL_AFTER[place], x)
    x = b.add("pool5", GLOBAL_AVG_POOL, x)
    x = b.add("fc/dropout", Dropout(0.4), flatten(b, "fc", x))
    x = b.add("fc/softmax", SOFTMAX, linear(b, "fc", x, classes))
    return b.graph(x, training_outputs=tuple(heads))


def _halve(b: Builder, name: str, x: Value) -> Value:
    return max_pool(b, name, x, 3, 2, ceil_mode=True)


def _head(b: Builder, x: Value, classes: int) -> Value:
    """Add the auxiliary classifier of section 5: to 4x4, 128 maps, 1024 units, the classes."""
    x = conv(b, "conv", avg_pool(b, "pool", x, 5, 3), 128, 1)
    x = linear(b, "fc1", flatten(b, "fc1", x), 1024, act=RELU, dropout=0.7)
    return b.add("fc2/softmax", SOFTMAX, linear(b, "fc2", x, classes))


def build_module(name: str, classes: int) -> Graph:
    """Return one module of the lecture on 256 maps of 28x28.

    Raises ``UsageError`` where ``classes`` is not 0: there is nothing to classify with.
    """
    refuse_classes(name, classes)
    b = Builder(name)
    return b.graph(inception(b, b.add("input", Input((256, 28, 28))), LECTURE_MODULES[name]))


def card(name: str) -> ModelCard:
    """Return the card of one of the family's names."""
    if name in LECTURE_MODULES:
        module = partial(build_module, name)
        return card_of("googlenet", name, build=module, input_shape=(256, 28, 28), classes=0)
    return card_of("googlenet", name, build=partial(build, name, name == "googlenet-aux"))
