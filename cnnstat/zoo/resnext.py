"""ResNeXt: the 3x3 of a bottleneck split into many equal groups.

Saining Xie, Ross Girshick, Piotr Dollar, Zhuowen Tu and Kaiming He, "Aggregated Residual
Transformations for Deep Neural Networks", CVPR 2017, https://arxiv.org/abs/1611.05431. Names are
<depth>-<cardinality>x<width of a group>d. ImageNet (50, 101, 152 layers) from its table 1: ResNet
of He et al. with C groups of d filters, doubled from stage to stage, and the stride in the grouped
3x3. CIFAR (any other depth 9n+2) from section 5.3: a 3x3 convolution with 64 filters, three stages
of 256, 512 and 1024, C groups of d, 2d and 4d filters, projection shortcuts. Nothing differs from
the authors' code.
"""

from __future__ import annotations

from functools import partial

from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import Graph
from cnnstat.zoo import resnet
from cnnstat.zoo.blocks import GLOBAL_AVG_POOL, classifier, conv, image
from cnnstat.zoo.card import ModelCard, card_of
from cnnstat.zoo.resnet_cifar import INPUT
from cnnstat.zoo.rule import DepthRule, check_factor

RULE = DepthRule("a CIFAR ResNeXt (ImageNet's are 50, 101, 152)", 9, 2)
IMAGENET_DEPTHS = (50, 101, 152)


def build_cifar(
    name: str, per_stage: int, cardinality: int, group_width: int, classes: int
) -> Graph:
    """Return the CIFAR graph; groups and outputs double their width from stage to stage."""
    form = resnet.Form(
        (per_stage,) * 3,
        bottleneck=True,
        stride_in_3x3=True,
        cardinality=cardinality,
        group_width=group_width,
    )
    b = Builder(name)
    x = conv(b, "conv1", b.add("input", image(*INPUT)), 64, 3, bias=False, norm=True)
    x = resnet.stages(b, x, form)
    return b.graph(classifier(b, "fc", b.add("pool", GLOBAL_AVG_POOL, x), classes))


def card(name: str) -> ModelCard:
    """Return the card of ``resnext<depth>-<C>x<d>d``.

    Raises ``UsageError`` for an illegal depth, C or d.
    """
    depth_part, _, groups = name.removeprefix("resnext").partition("-")
    depth = int(depth_part)
    cardinality, group_width = map(int, groups.removesuffix("d").split("x"))
    check_factor(name, "cardinality", cardinality)
    check_factor(name, "group width", group_width)
    title = f"ResNeXt-{depth} ({cardinality}x{group_width}d)"
    if depth in IMAGENET_DEPTHS:
        form = resnet.form_of(f"resnet{depth}-v1.5")
        form = form._replace(cardinality=cardinality, group_width=group_width)
        return card_of("resnext", name, title=title, build=partial(resnet.build_form, name, form))
    per_stage = RULE.blocks(name, depth, f"resnext{{}}-{cardinality}x{group_width}d")
    return card_of(
        "resnext",
        name,
        title=f"{title} for CIFAR-10",
        build=partial(build_cifar, name, per_stage, cardinality, group_width),
        input_shape=INPUT,
        classes=10,
    )
