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
from cnnstat.zoo.card import ModelCard, card_of


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
    "alexnet": Form(227, _krizhevsky(1)),
    "alexnet-2gpu": Form(227, _krizhevsky(2)),
    "alexnet-owt": Form(
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
    """Return the card of one of the family's names."""
    extent = FORMS[name].extent
    return card_of("alexnet", name, build=partial(build, name), input_shape=(3, extent, extent))
