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
from cnnstat.zoo.card import Accuracy, ModelCard, Paper, Training

PAPER = Paper(
    "Lin, Chen, Yan",
    "Network In Network",
    "ICLR 2014",
    2013,
    "https://arxiv.org/abs/1312.4400",
)

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
    source = "Lin et al. 2013, table 1"
    return ModelCard(
        name=name,
        title="Network in Network for CIFAR-10",
        family="Network in Network",
        paper=PAPER,
        build=partial(build, name),
        input_shape=INPUT,
        classes=10,
        result="8.81% test error on CIFAR-10 with augmentation, single model",
        ideas=(
            "1x1 convolutions: a perceptron across channels at every position",
            "global mean pooling of one map per class replaces the fully connected layers and "
            "their weights",
        ),
        training=Training(
            optimizer="SGD with momentum, as Krizhevsky et al. 2012",
            batch="128",
            learning_rate="lowered by 10 twice, each time when the training error stops improving",
            decay="tuned on a validation set",
            regularization="dropout 0.5 after all mlpconv layers but the last; weight decay",
        ),
        accuracy=(
            Accuracy("CIFAR-10", "one model, no augmentation", source, 10.41),
            Accuracy("CIFAR-10", "one model, translation and flip", source, 8.81),
        ),
        facts=(
            "GoogLeNet takes its 1x1 convolutions and its global mean pooling from here (Szegedy "
            "et al. 2014, sections 2 and 5); study notes call nets built of modules, ResNet among "
            "them, networks in a network, which is another sense of the words.",
        ),
    )
