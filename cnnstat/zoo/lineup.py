"""Defaults of comparisons: which models, and which of a card's error rates.

The models are those that lectures on these architectures go through, by the date of their papers:
one or two sizes each, those that ImageNet or CIFAR results are quoted for.
"""

from __future__ import annotations

from cnnstat.zoo.card import Accuracy, ModelCard

LINEUP: tuple[str, ...] = (
    *("lenet5", "alexnet", "zfnet", "nin-cifar", "vgg16", "vgg19", "googlenet"),
    *("resnet50", "resnet101", "resnet152", "preresnet200", "stochastic-depth-110-cifar"),
    *("wide-resnet50-2", "fractalnet20-cifar", "densenet121", "resnext50-32x4d", "mobilenet"),
)
"""Names in historical order."""

IMAGENET = tuple(name for name in LINEUP if name != "lenet5" and not name.endswith("-cifar"))
"""Those of ``LINEUP`` that classify ImageNet."""


def leading_accuracy(card: ModelCard) -> Accuracy | None:
    """Return the error rate that stands for a model; None where its card has none.

    One model before an ensemble, the paper's before torchvision's weights, both rates before one of
    them, then the order of the card.
    """
    return min(card.accuracy, key=_rank, default=None)


def _rank(accuracy: Accuracy) -> tuple[bool, bool, bool]:
    one_rate = None in (accuracy.top1_error, accuracy.top5_error)
    return accuracy.ensemble, accuracy.source.startswith("torchvision"), one_rate
