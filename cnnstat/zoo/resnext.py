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
from cnnstat.zoo.card import ModelCard, Paper, Training, on_cifar, on_imagenet
from cnnstat.zoo.resnet_cifar import INPUT
from cnnstat.zoo.rule import DepthRule, check_factor
from cnnstat.zoo.torchvision_weights import torchvision_errors

PAPER = Paper(
    "Xie, Girshick, Dollar, Tu, He",
    "Aggregated Residual Transformations for Deep Neural Networks",
    "CVPR 2017",
    2016,
    "https://arxiv.org/abs/1611.05431",
)

RULE = DepthRule("a CIFAR ResNeXt (ImageNet's are 50, 101, 152)", 9, 2)
IMAGENET_DEPTHS = (50, 101, 152)

IMAGENET_TRAINING = Training(
    optimizer="SGD, momentum 0.9",
    batch="256 on 8 GPUs",
    learning_rate="0.1, divided by 10 three times",
    decay="1e-4",
    regularization="batch norm; scale and aspect-ratio augmentation",
    initialization="He et al. 2015",
)
CIFAR_TRAINING = Training(
    optimizer="SGD, momentum 0.9",
    batch="128 on 8 GPUs",
    learning_rate="0.1, divided by 10 after 150 and 225 of 300 epochs",
    decay="5e-4",
    regularization="batch norm; padding, random crop and flip",
    initialization="He et al. 2015",
)
TOP1_ERRORS = {
    "resnext50-32x4d": ("table 3", 22.2, None),
    "resnext101-64x4d": ("table 5", 20.4, 5.3),
}
"""Top-1 and top-5 error on the ImageNet validation set in percent, one 224x224 crop, with the
paper's table."""

CIFAR_ERRORS = {"resnext29-8x64d": 3.65, "resnext29-16x64d": 3.58}
"""Table 7: error on the CIFAR-10 test set in percent, mean of ten runs."""

IDEAS = (
    "split, transform, merge with equal branches: their number, the cardinality, is a dimension "
    "besides depth and width",
    "C branches of 1x1-3x3-1x1 summed are one bottleneck whose 3x3 has C groups",
)
FACTS = (
    "The branches and the grouped convolution are the same function with the same weights "
    "(section 3.3, figure 3); cnnstat builds the grouped form.",
)


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
    if depth in IMAGENET_DEPTHS:
        return _imagenet_card(name, depth, cardinality, group_width)
    per_stage = RULE.blocks(
        name, depth, lambda legal: f"resnext{legal}-{cardinality}x{group_width}d"
    )
    error = CIFAR_ERRORS.get(name)
    return ModelCard(
        name=name,
        title=f"ResNeXt-{depth} ({cardinality}x{group_width}d) for CIFAR-10",
        family="ResNeXt",
        paper=PAPER,
        build=partial(build_cifar, name, per_stage, cardinality, group_width),
        input_shape=INPUT,
        classes=10,
        departs="" if error else "a member of the family that the paper's table 7 does not list",
        result="" if error is None else f"{error}% test error on CIFAR-10, single model",
        ideas=IDEAS,
        training=CIFAR_TRAINING,
        accuracy=on_cifar(error, "one model, mean of ten", "Xie et al. 2017, table 7"),
        facts=FACTS,
    )


def _imagenet_card(name: str, depth: int, cardinality: int, group_width: int) -> ModelCard:
    form = resnet.form_of(f"resnet{depth}-v1.5")._replace(
        cardinality=cardinality, group_width=group_width
    )
    table, top1, top5 = TOP1_ERRORS.get(name, ("", None, None))
    errors = f"{top1}% top-1" + (f" and {top5}% top-5" if top5 else "")
    return ModelCard(
        name=name,
        title=f"ResNeXt-{depth} ({cardinality}x{group_width}d)",
        family="ResNeXt",
        paper=PAPER,
        build=partial(resnet.build_form, name, form),
        departs="trained by torchvision, not in the paper" if name == "resnext101-32x8d" else "",
        result=f"{errors} error on ImageNet, single model, one 224x224 crop" if top1 else "",
        ideas=IDEAS,
        training=IMAGENET_TRAINING,
        accuracy=(
            on_imagenet("one model, one 224x224 crop", f"Xie et al. 2017, {table}", top1, top5),
            *torchvision_errors(name),
        )
        if top1
        else torchvision_errors(name),
        facts=(
            *FACTS,
            "An ensemble of ResNeXts took second place in ILSVRC 2016 classification with 3.03% "
            "top-5 error.",
        ),
    )
