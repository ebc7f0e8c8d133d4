"""AlexNet: the first deep network to win ILSVRC.

Alex Krizhevsky, Ilya Sutskever, Geoffrey Hinton, "ImageNet Classification with Deep Convolutional
Neural Networks", NIPS 2012, https://papers.nips.cc/paper/4824. Transcribed from its section 3.5 and
figure 2, with the input of 227x227 that its strides need (224 in the text is a misprint).
``alexnet-2gpu`` is the paper's network: conv2, conv4 and conv5 read the maps of their own GPU (two
groups). ``alexnet`` is the single tower of the textbooks, without groups. ``alexnet-owt`` is
torchvision's, after Krizhevsky, "One weird trick for parallelizing convolutional neural networks",
2014, https://arxiv.org/abs/1404.5997: other widths, no LRN, 224x224.
"""

from functools import partial
from typing import NamedTuple

from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import Graph
from cnnstat.ops import AdaptiveAvgPool2d, Dropout, Input, LocalResponseNorm
from cnnstat.zoo.blocks import RELU, SOFTMAX, conv, flatten, linear, max_pool
from cnnstat.zoo.card import Accuracy, ModelCard, Paper, Training, on_imagenet
from cnnstat.zoo.torchvision_weights import torchvision_errors

PAPER = Paper(
    "Krizhevsky, Sutskever, Hinton",
    "ImageNet Classification with Deep Convolutional Neural Networks",
    "NIPS 2012",
    2012,
    "https://papers.nips.cc/paper/4824",
)
ONE_WEIRD_TRICK = Paper(
    "Krizhevsky",
    "One weird trick for parallelizing convolutional neural networks",
    "arXiv",
    2014,
    "https://arxiv.org/abs/1404.5997",
)


class Conv(NamedTuple):
    """One convolution; ``padding`` None keeps the extents, ``lrn`` and ``pool`` follow its ReLU."""

    width: int
    kernel: int
    stride: int = 1
    padding: int | None = None
    groups: int = 1
    lrn: bool = False
    pool: bool = False


class Form(NamedTuple):
    """One variant; ``torchvision`` puts dropout in front of its layer and pools any map to 6x6."""

    title: str
    paper: Paper
    extent: int
    convs: tuple[Conv, ...]
    torchvision: bool = False


def _krizhevsky(groups: int) -> tuple[Conv, ...]:
    """Return section 3.5 with ``groups`` where the paper splits the maps over two GPUs."""
    return (
        Conv(96, 11, stride=4, padding=0, lrn=True, pool=True),
        Conv(256, 5, groups=groups, lrn=True, pool=True),
        Conv(384, 3),
        Conv(384, 3, groups=groups),
        Conv(256, 3, groups=groups, pool=True),
    )


FORMS = {
    "alexnet": Form("AlexNet in one tower", PAPER, 227, _krizhevsky(1)),
    "alexnet-2gpu": Form("AlexNet on two GPUs, as in the paper", PAPER, 227, _krizhevsky(2)),
    "alexnet-owt": Form(
        "AlexNet of torchvision (one weird trick)",
        ONE_WEIRD_TRICK,
        224,
        (
            Conv(64, 11, stride=4, padding=2, pool=True),
            Conv(192, 5, pool=True),
            Conv(384, 3),
            Conv(256, 3),
            Conv(256, 3, pool=True),
        ),
        torchvision=True,
    ),
}
NAMES = tuple(FORMS)

DEPARTS = {
    "alexnet": "no groups: every convolution reads all maps; the paper's network is alexnet-2gpu",
    "alexnet-2gpu": "",
    "alexnet-owt": "other widths, no LRN, no groups, dropout in front of fc6 and fc7 (torchvision)",
}
RESULT = (
    "won ILSVRC 2012: top-5 test error 15.3%, ensemble of 7; top-5 validation error 18.2%, "
    "single model"
)
TRAINING = Training(
    optimizer="SGD, momentum 0.9",
    batch="128",
    learning_rate="1e-2, divided by 10 by hand when the validation error stopped improving (three "
    "times); about 90 epochs",
    decay="5e-4",
    regularization="dropout 0.5 on the outputs of fc6 and fc7; crops and reflections, colours "
    "shifted along their principal components",
    initialization="Gaussian, deviation 0.01; biases 1 in conv2, conv4, conv5, fc6 and fc7, else 0",
    corrections=(
        "A lecture source gives LRN with r=2, alpha=2e-5, beta=0.75, k=1. The paper has n=5, "
        "alpha=1e-4, beta=0.75, k=2. The printed values are those of the TensorFlow port of the "
        "Caffe model: radius 2 is a window of 5, Caffe divides alpha by 5 and has k=1.",
        "A lecture source says that ReLU trains about 7 times as fast as tanh; the paper says six "
        "times (a four-layer network on CIFAR-10, to 25% training error).",
        "Lecture slides give AlexNet 15 million training images. It was trained on the 1.2 million "
        "of ILSVRC; 15 million is the paper's size of all of ImageNet.",
    ),
)
TORCHVISION_TRAINING = Training(
    optimizer="SGD, momentum 0.9",
    batch="256 (32 on each of 8 GPUs)",
    learning_rate="1e-2, divided by 10 every 30 of 90 epochs",
    decay="1e-4",
    regularization="dropout 0.5 in front of fc6 and fc7; random resized crops, reflections",
)
IDEAS = (
    "ReLU instead of a saturating nonlinearity",
    "dropout in the fully connected layers, where nearly all parameters are",
    "overlapping pooling and normalisation across maps (LRN)",
    "a model too large for one GPU, split over two that exchange maps at conv3 only",
)
_SEVEN = "7 models, two of them trained on all of ImageNet first"
_TABLE_2 = "Krizhevsky et al. 2012, table 2"
ACCURACY = (
    on_imagenet("two-GPU network, one model", _TABLE_2, 40.7, 18.2),
    Accuracy("ILSVRC 2012 test", "5 models", _TABLE_2, None, 16.4, ensemble=True),
    on_imagenet(_SEVEN, _TABLE_2, 36.7, 15.4, ensemble=True),
    Accuracy("ILSVRC 2012 test", _SEVEN, _TABLE_2, None, 15.3, ensemble=True),
)
FACTS = (
    "Averaging 7 models takes the top-5 validation error from 18.2% to 15.4% (table 2).",
    "Overlapping pooling (3x3, stride 2) lowers the top-1 error by 0.4% and the top-5 error by "
    "0.3% against 2x2, stride 2 (section 3.4).",
    "LRN follows the ReLU of conv1 and conv2, and the pooling follows LRN (section 3.5). Two "
    "lecture sources put LRN after the pooling, as BVLC's CaffeNet does; a third has it right. "
    "The order changes no shape and no parameter.",
    "Dropout of 0.5 follows fc6 and fc7 (called F9 and F10 in a lecture source).",
    "Trained for five to six days on two GTX 580 of 3 GB (section 1).",
    "Lecture slides call it the first network with ReLU: it is the first large one on ImageNet; "
    "the unit itself is older (Nair and Hinton 2010).",
    "ImageNet has about 14 million images, the ILSVRC subset 1.2 million.",
    "A lecture source prints 200,000,000 categories of ImageNet, the unit of ten thousand applied "
    "twice; it has about 20,000 (the paper: roughly 22,000).",
)


def build(name: str, classes: int) -> Graph:
    """Return the graph of one form."""
    form = FORMS[name]
    b = Builder(name)
    x = b.add("input", Input((3, form.extent, form.extent)))
    for index, c in enumerate(form.convs, 1):
        layer = f"conv{index}"
        x = conv(
            b, layer, x, c.width, c.kernel, stride=c.stride, padding=c.padding, groups=c.groups
        )
        if c.lrn:
            x = b.add(f"{layer}/lrn", LocalResponseNorm(), x)
        if c.pool:
            x = max_pool(b, f"pool{index}", x, 3, 2)
    if form.torchvision:
        x = b.add("avgpool", AdaptiveAvgPool2d((6, 6)), x)
    x = flatten(b, "fc6", x)
    for layer in ("fc6", "fc7"):
        if form.torchvision:
            x = linear(b, layer, b.add(f"{layer}/dropout", Dropout(0.5), x), 4096, act=RELU)
        else:
            x = linear(b, layer, x, 4096, act=RELU, dropout=0.5)
    return b.graph(b.add("fc8/softmax", SOFTMAX, linear(b, "fc8", x, classes)))


def card(name: str) -> ModelCard:
    """Return the card of one of ``NAMES``."""
    form = FORMS[name]
    of_torchvision = form.torchvision
    return ModelCard(
        name=name,
        title=form.title,
        family="AlexNet",
        paper=form.paper,
        build=partial(build, name),
        input_shape=(3, form.extent, form.extent),
        departs=DEPARTS[name],
        result="" if of_torchvision else RESULT,
        ideas=IDEAS[:2] if of_torchvision else IDEAS,
        training=TORCHVISION_TRAINING if of_torchvision else TRAINING,
        accuracy=torchvision_errors(name) if of_torchvision else ACCURACY,
        facts=() if of_torchvision else FACTS,
    )
