"""VGG: stacks of 3x3 convolutions.

Karen Simonyan and Andrew Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
Recognition", ICLR 2015, https://arxiv.org/abs/1409.1556. Transcribed from its table 1,
configurations A, A-LRN, B, C, D and E. The ``-bn`` variants are not in the paper: torchvision's (of
A, B, D and E), a batch normalisation after every convolution, which keeps its bias.
"""

from functools import partial

from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import Graph
from cnnstat.ops import Input, LocalResponseNorm
from cnnstat.zoo.blocks import RELU, SOFTMAX, conv, flatten, linear, max_pool
from cnnstat.zoo.card import ModelCard, card_of

# Table 1: per stage the kernels of its convolutions; widths are 64, 128, 256, 512, 512.
STAGES: dict[str, tuple[tuple[int, ...], ...]] = {
    "A": ((3,), (3,), (3, 3), (3, 3), (3, 3)),
    "A-LRN": ((3,), (3,), (3, 3), (3, 3), (3, 3)),
    "B": ((3, 3), (3, 3), (3, 3), (3, 3), (3, 3)),
    "C": ((3, 3), (3, 3), (3, 3, 1), (3, 3, 1), (3, 3, 1)),
    "D": ((3, 3), (3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3)),
    "E": ((3, 3), (3, 3), (3, 3, 3, 3), (3, 3, 3, 3), (3, 3, 3, 3)),
}
WIDTHS = (64, 128, 256, 512, 512)

CONFIGURATIONS = {
    "vgg11": "A",
    "vgg11-lrn": "A-LRN",
    "vgg13": "B",
    "vgg16-1x1": "C",
    "vgg16": "D",
    "vgg19": "E",
}


def build(name: str, configuration: str, norm: bool, classes: int) -> Graph:
    """Return the graph of one configuration of table 1."""
    b = Builder(name)
    x = b.add("input", Input((3, 224, 224)))
    for stage, (width, kernels) in enumerate(zip(WIDTHS, STAGES[configuration], strict=True), 1):
        for index, kernel in enumerate(kernels, 1):
            x = conv(b, f"conv{stage}_{index}", x, width, kernel, norm=norm)
            if configuration == "A-LRN" and stage == 1:
                x = b.add("conv1_1/lrn", LocalResponseNorm(), x)
        x = max_pool(b, f"pool{stage}", x, 2, 2)
    x = linear(b, "fc6", flatten(b, "fc6", x), 4096, act=RELU, dropout=0.5)
    x = linear(b, "fc7", x, 4096, act=RELU, dropout=0.5)
    x = b.add("fc8/softmax", SOFTMAX, linear(b, "fc8", x, classes))
    return b.graph(x)


def card(name: str) -> ModelCard:
    """Return the card of one of the family's names."""
    configuration = CONFIGURATIONS[name.removesuffix("-bn")]
    norm = name.endswith("-bn")
    title = f"VGG configuration {configuration}" + (" with batch norm" if norm else "")
    return card_of("vgg", name, title=title, build=partial(build, name, configuration, norm))
