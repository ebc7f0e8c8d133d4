"""Network in Network: a small perceptron in place of each filter, no fully connected layer.

Min Lin, Qiang Chen and Shuicheng Yan, "Network In Network", ICLR 2014,
https://arxiv.org/abs/1312.4400. Figure 2: three mlpconv layers, each a convolution and two 1x1
convolutions (cccp), then global mean pooling of one map per class. The paper prints no widths: they
are those of the authors' Caffe definition for CIFAR-10, with Caffe's poolings, which round up.
Dropout follows each pooling but the last.
"""

from functools import partial

from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import Graph
from cnnstat.ops import Dropout, Input
from cnnstat.zoo.blocks import FLATTEN, GLOBAL_AVG_POOL, SOFTMAX, avg_pool, conv, max_pool
from cnnstat.zoo.card import ModelCard, card_of

INPUT = (3, 32, 32)


def build(name: str, classes: int) -> Graph:
    """Return the CIFAR network; the last mlpconv layer has one map per class."""
    b = Builder(name)
    x = conv(b, "conv1", b.add("input", Input(INPUT)), 192, 5)
    x = conv(b, "cccp2", conv(b, "cccp1", x, 160, 1), 96, 1)
    x = b.add("pool1/dropout", Dropout(0.5), max_pool(b, "pool1", x, 3, 2, ceil_mode=True))
    x = conv(b, "conv2", x, 192, 5)
    x = conv(b, "cccp4", conv(b, "cccp3", x, 192, 1), 192, 1)
    x = b.add("pool2/dropout", Dropout(0.5), avg_pool(b, "pool2", x, 3, 2, ceil_mode=True))
    x = conv(b, "conv3", x, 192, 3)
    x = conv(b, "cccp6", conv(b, "cccp5", x, 192, 1), classes, 1)
    x = b.add("pool3", GLOBAL_AVG_POOL, x)
    return b.graph(b.add("softmax", SOFTMAX, b.add("softmax/flatten", FLATTEN, x)))


def card(name: str) -> ModelCard:
    """Return the card of ``nin-cifar``."""
    return card_of("nin", name, build=partial(build, name), input_shape=INPUT, classes=10)
