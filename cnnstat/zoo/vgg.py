"""VGG: stacks of 3x3 convolutions.

Karen Simonyan and Andrew Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
Recognition", ICLR 2015, https://arxiv.org/abs/1409.1556. Transcribed from its table 1,
configurations A, A-LRN, B, C, D and E. The ``-bn`` variants are not in the paper: torchvision's (of
A, B, D and E), a batch normalisation after every convolution, which keeps its bias.
"""

from dataclasses import replace
from functools import partial

from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import Graph
from cnnstat.ops import Input, LocalResponseNorm
from cnnstat.zoo.blocks import RELU, SOFTMAX, conv, flatten, linear, max_pool
from cnnstat.zoo.card import Accuracy, ModelCard, Paper, Training
from cnnstat.zoo.torchvision_weights import torchvision_errors

PAPER = Paper(
    "Simonyan, Zisserman",
    "Very Deep Convolutional Networks for Large-Scale Image Recognition",
    "ICLR 2015",
    2014,
    "https://arxiv.org/abs/1409.1556",
)

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
NAMES = (*CONFIGURATIONS, *(f"{name}-bn" for name in CONFIGURATIONS if name != "vgg11-lrn"))


TRAINING = Training(
    optimizer="SGD, momentum 0.9",
    batch="256",
    learning_rate="1e-2, divided by 10 three times when the validation accuracy stopped improving; "
    "74 epochs",
    decay="5e-4",
    regularization="dropout 0.5 on fc6 and fc7; random crops of images rescaled to 256 to 512, "
    "reflections, colour shifts",
    initialization="A from a Gaussian of variance 1e-2; deeper ones start from layers of a trained "
    "A (initialisation after Glorot and Bengio makes that unnecessary)",
)
IDEAS = (
    "depth by small filters: two 3x3 convolutions reach as far as one 5x5, three as far as one 7x7",
    "fewer weights and more nonlinearities than one large filter of the same reach",
)
ERRORS = {
    "A": (29.6, 10.4),
    "A-LRN": (29.7, 10.5),
    "B": (28.7, 9.9),
    "C": (27.3, 8.8),
    "D": (25.6, 8.1),
    "E": (25.5, 8.0),
}
"""Table 3: top-1 and top-5 validation error in percent, one test scale, the best training scale."""
SINGLE_SCALE = ("A", "A-LRN", "B")
"""Configurations that table 3 lists with a training scale of S = 256 alone."""


ILSVRC_2014 = (
    Accuracy(
        "ILSVRC 2012 test",
        "7 models, the submission to ILSVRC 2014",
        "Simonyan and Zisserman 2015, table 7",
        None,
        7.3,
        ensemble=True,
    ),
    Accuracy(
        "ILSVRC 2012 test",
        "2 models (D and E), after the submission",
        "Simonyan and Zisserman 2015, table 7",
        None,
        6.8,
        ensemble=True,
    ),
)
RESULT = (
    "the VGG entries were 2nd in classification (top-5 error 7.3%, ensemble of 7) and 1st in "
    "localisation of ILSVRC 2014"
)
FACTS = (
    "Table 1 has six configurations, A, A-LRN, B, C, D and E, of 11 to 19 weight layers; a lecture "
    "source knows the two released ones alone, VGG-16 (D) and VGG-19 (E).",
    "VGG-19 takes more memory than VGG-16 and is slightly better ('cnnstat compare vgg16 vgg19'; "
    "top-1 error 25.5% against 25.6% in table 3, 27.62% against 28.41% in torchvision).",
    "LRN does not lower the error (A-LRN against A, table 3) and is left out of the deeper ones.",
)


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
    """Return the card of one of ``NAMES``."""
    configuration = CONFIGURATIONS[name.removesuffix("-bn")]
    norm = name.endswith("-bn")
    departs = ""
    if norm:
        departs = "batch norm after every convolution; not in the paper"
        if torchvision_errors(name):
            departs = "batch norm after every convolution, as in torchvision; not in the paper"
    return ModelCard(
        name=name,
        title=f"VGG configuration {configuration}" + (" with batch norm" if norm else ""),
        family="VGG",
        paper=PAPER,
        build=partial(build, name, configuration, norm),
        departs=departs,
        result="" if norm else RESULT,
        ideas=IDEAS,
        training=None if norm else _training(configuration),
        accuracy=_accuracy(name, configuration, norm),
        facts=FACTS,
    )


def _training(configuration: str) -> Training:
    if configuration not in SINGLE_SCALE:
        return TRAINING
    return replace(
        TRAINING,
        regularization="dropout 0.5 on fc6 and fc7; random crops of images rescaled to 256 alone, "
        "reflections, colour shifts",
    )


def _accuracy(name: str, configuration: str, norm: bool) -> tuple[Accuracy, ...]:
    data = "ILSVRC 2012 validation"
    rows: list[Accuracy] = []
    if not norm:
        source = "Simonyan and Zisserman 2015, table 3"
        scales = "scale 256"
        if configuration not in SINGLE_SCALE:
            scales = "scales 256 to 512"
        rows.append(Accuracy(data, f"one model, {scales}", source, *ERRORS[configuration]))
    rows += torchvision_errors(name)
    return (*rows, *(ILSVRC_2014 if not norm and configuration in "DE" else ()))
