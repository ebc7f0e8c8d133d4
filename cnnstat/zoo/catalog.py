"""Every name of the zoo and the file that builds it, imported when one of its names is asked for.

The lists are literal so that ``cnnstat list`` and the nearest names of a typo need no import.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import NamedTuple

from cnnstat.errors import unknown
from cnnstat.zoo.card import ModelCard


class Family(NamedTuple):
    """One zoo file: its module, its title, its names in historical order; ``card`` makes cards.

    ``prefixes`` are beginnings of further names that follow the family's rule; the file accepts or
    explains them.
    """

    module: str
    title: str
    names: tuple[str, ...]
    prefixes: tuple[str, ...] = ()
    pattern: str = ""
    """A regular expression of whole names that follow the rule, where beginnings would clash."""


_NUMBER = "(0|[1-9][0-9]{0,8})"

FAMILIES: tuple[Family, ...] = (
    Family("lenet", "LeNet", ("lenet5", "lenet5-modern")),
    Family("alexnet", "AlexNet", ("alexnet", "alexnet-2gpu", "alexnet-owt")),
    Family(
        "vgg",
        "VGG",
        (
            *("vgg11", "vgg11-bn", "vgg11-lrn", "vgg13", "vgg13-bn", "vgg16-1x1"),
            *("vgg16-1x1-bn", "vgg16", "vgg16-bn", "vgg19", "vgg19-bn"),
        ),
    ),
    Family(
        "googlenet",
        "GoogLeNet",
        ("googlenet", "googlenet-aux", "inception-naive", "inception-bottleneck"),
    ),
    Family(
        "resnet",
        "ResNet",
        (
            *("resnet18", "resnet18-a", "resnet34", "resnet34-a", "resnet50", "resnet50-v1.5"),
            *("resnet101", "resnet101-v1.5", "resnet152", "resnet152-v1.5"),
        ),
    ),
    Family("handson", "Hands-On ML", ("handson-cnn",)),
    Family(
        "zfnet",
        "ZFNet",
        ("zfnet", "zfnet-paper", "zfnet-deconv"),
        pattern=r"zfnet-deconv-.+",
    ),
    Family("nin", "Network in Network", ("nin-cifar",)),
    Family(
        "plain",
        "Plain nets",
        ("plain18", "plain34", "plain20-cifar", "plain56-cifar"),
        pattern=rf"plain{_NUMBER}-cifar",
    ),
    Family(
        "resnet_cifar",
        "ResNet for CIFAR",
        (
            *("resnet20-cifar", "resnet32-cifar", "resnet44-cifar", "resnet56-cifar"),
            *("resnet110-cifar", "resnet1202-cifar"),
        ),
        pattern=rf"resnet{_NUMBER}-cifar",
    ),
    Family(
        "preresnet",
        "Pre-activation ResNet",
        ("preresnet110-cifar", "preresnet164-cifar", "preresnet1001-cifar", "preresnet200"),
        pattern=rf"preresnet{_NUMBER}-cifar",
    ),
    Family(
        "stochastic_depth",
        "Stochastic depth",
        ("stochastic-depth-110-cifar", "stochastic-depth-1202-cifar"),
        pattern=rf"stochastic-depth-{_NUMBER}-cifar",
    ),
    Family(
        "wide_resnet",
        "Wide ResNet",
        ("wrn-16-8", "wrn-28-10", "wrn-40-4", "wide-resnet50-2", "wide-resnet101-2"),
        pattern=rf"wrn-{_NUMBER}-{_NUMBER}",
    ),
    Family(
        "resnext",
        "ResNeXt",
        (
            *("resnext50-32x4d", "resnext101-32x8d", "resnext101-64x4d", "resnext29-8x64d"),
            *("resnext29-16x64d",),
        ),
        pattern=rf"resnext{_NUMBER}-{_NUMBER}x{_NUMBER}d",
    ),
    Family(
        "fractalnet",
        "FractalNet",
        ("fractalnet20-cifar", "fractalnet40-cifar", "fractalnet40-16-cifar"),
        prefixes=("fractalnet",),
    ),
    Family(
        "densenet",
        "DenseNet",
        (
            *("densenet121", "densenet161", "densenet169", "densenet201", "densenet264"),
            *("densenet40-12-cifar", "densenet100-12-cifar", "densenet100-24-cifar"),
            *("densenet-bc100-12-cifar", "densenet-bc250-24-cifar", "densenet-bc190-40-cifar"),
        ),
        prefixes=("densenet",),
    ),
    Family(
        "mobilenet",
        "MobileNet",
        (
            *("mobilenet", "mobilenet-0.75", "mobilenet-0.5", "mobilenet-0.25"),
            *("mobilenet-standard",),
        ),
        prefixes=("mobilenet",),
    ),
    Family(
        "building_blocks",
        "Building blocks",
        (
            *("conv-5x5", "conv-3x3-x2", "conv-7x7", "conv-3x3-x3", "conv-5x5-direct"),
            *("conv-5x5-reduced", "residual-basic", "residual-bottleneck", "residual-preact"),
            *("resnext-block", "resnext-block-concat", "resnext-block-grouped", "dense-block"),
            *("fractal-block", "standard-conv", "depthwise-separable"),
        ),
    ),
)

ALIASES: dict[str, str] = {
    "lenet": "lenet5",
    "lenet-5": "lenet5",
    "lenet-modern": "lenet5-modern",
    "alexnet-torchvision": "alexnet-owt",
    "vgg-a": "vgg11",
    "vgg-a-lrn": "vgg11-lrn",
    "vgg-b": "vgg13",
    "vgg-c": "vgg16-1x1",
    "vgg-d": "vgg16",
    "vgg-e": "vgg19",
    "inception-v1": "googlenet",
    "googlenet-v1": "googlenet",
    "mobilenet-v1": "mobilenet",
    "mobilenet-1.0": "mobilenet",
    **{
        f"{stem}-{depth}": f"{stem}{depth}"
        for stem, depths in (
            ("vgg", ("11", "13", "16", "19")),
            ("resnet", ("18", "34", "34-a", "50", "101", "152")),
            ("densenet", ("121", "161", "169", "201", "264")),
        )
        for depth in depths
    },
}


def names() -> tuple[str, ...]:
    """Return every listed name, family by family."""
    return tuple(name for family in FAMILIES for name in family.names)


def canonical(name: str) -> str:
    """Return a name in the zoo's spelling: lower case, ``-`` for ``_``, aliases resolved."""
    plain = name.lower().replace("_", "-")
    return ALIASES.get(plain, plain)


@lru_cache(maxsize=1024)
def find(name: str) -> ModelCard:
    """Return the card of a model.

    Raises ``UsageError`` with the nearest names, or the family's rule, if there is none.
    """
    family = import_module(f"cnnstat.zoo.{family_of(name).module}")
    card: ModelCard = family.card(canonical(name))
    return card


def family_of(name: str) -> Family:
    """Return the family that a model's name belongs to; its file may still refuse the name.

    Raises ``UsageError`` with the nearest names if there is none.
    """
    wanted = canonical(name)
    for family in FAMILIES:
        if wanted in family.names:
            return family
    from re import fullmatch

    for family in FAMILIES:
        if family.pattern and fullmatch(family.pattern, wanted):
            return family
    for family in FAMILIES:
        if wanted.startswith(family.prefixes or ("\0",)):
            return family
    raise unknown("model", name, (*names(), *ALIASES), listing="'cnnstat list' shows all")


def find_family(name: str) -> Family:
    """Return a family by its title or file; an unknown one is a ``UsageError``."""
    wanted = name.lower().replace("_", "-")
    for family in FAMILIES:
        if wanted in (family.title.lower(), family.module.replace("_", "-")):
            return family
    raise unknown("family", name, [family.title.lower() for family in FAMILIES])
