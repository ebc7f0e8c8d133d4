"""Pre-activation ResNet: batch norm and ReLU in front of each convolution, a clean shortcut.

Kaiming He, Xiangyu Zhang, Shaoqing Ren and Jian Sun, "Identity Mappings in Deep Residual Networks",
ECCV 2016, https://arxiv.org/abs/1603.05027. Figure 4(e) and the appendix: the first activation
comes right after the first convolution and before the paths split; an extra one follows the last
addition. Units that change the width split after their first activation too, as in the authors'
code (resnet-1k-layers). CIFAR: up to 163 layers 6n+2 with two 3x3 a unit and zero-padding shortcuts
(the 110 of the paper), from 164 on 9n+2 with bottlenecks (1x1 with the stride, 3x3, 1x1), their
shortcuts projected by 1x1 convolutions. ImageNet: 200 layers, stages of 3, 24, 36, 3 bottlenecks,
stride in the 3x3 as in fb.resnet.torch, where that model was trained.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import Graph, Value
from cnnstat.zoo.blocks import (
    BATCH_NORM,
    GLOBAL_AVG_POOL,
    RELU,
    classifier,
    conv,
    conv_op,
    image,
    max_pool,
)
from cnnstat.zoo.card import ModelCard, card_of
from cnnstat.zoo.resnet_cifar import ADD, INPUT, zero_pad
from cnnstat.zoo.rule import DepthRule

BASIC = DepthRule("a pre-activation CIFAR ResNet below 164 layers", 6, 2)
BOTTLENECK = DepthRule("a pre-activation CIFAR ResNet from 164 layers on (bottlenecks)", 9, 2)
FIRST_BOTTLENECK = 164


class Unit(NamedTuple):
    """Convolutions of a branch: kernel, and how many times narrower than the unit's output."""

    layers: tuple[tuple[int, int], ...]
    strided: int = 0
    """Which of them carries the stride of the first unit of a stage."""
    projection: bool = True
    """Whether a shortcut between widths is a 1x1 convolution; otherwise zero-padding."""


TWO_3X3 = Unit(((3, 1), (3, 1)), projection=False)
TWO_3X3_PROJECTED = Unit(((3, 1), (3, 1)))
BOTTLENECK_UNIT = Unit(((1, 4), (3, 4), (1, 1)))
BOTTLENECK_UNIT_3X3 = Unit(((1, 4), (3, 4), (1, 1)), strided=1)


def activation(b: Builder, name: str, x: Value) -> Value:
    """Add ``name/bn`` and ``name/relu``, the activation in front of a convolution."""
    return b.add(f"{name}/relu", RELU, b.add(f"{name}/bn", BATCH_NORM, x))


def stages(
    b: Builder, x: Value, unit: Unit, counts: tuple[int, ...], widths: tuple[int, ...], width: int
) -> Value:
    """Add the stages of pre-activation units to ``x``, which is activated already.

    It has ``width`` channels, the stages have ``widths``. Every stage but the first halves the
    extents.
    """
    for stage, (count, out) in enumerate(zip(counts, widths, strict=True), 1):
        for position in range(1, count + 1):
            stride = 2 if stage > 1 and position == 1 else 1
            first = stage == position == 1
            x = b.block(f"stage{stage}/unit{position}", _unit, x, unit, width, out, stride, first)
            width = out
    return activation(b, "last", x)


def _unit(
    b: Builder, x: Value, unit: Unit, width: int, out: int, stride: int, first: bool
) -> Value:
    """Add one unit: its branch, the shortcut and their sum; the ``first`` finds x activated.

    The shortcut of a unit that changes the width, or is strided, starts after the activation.
    """
    y = active = x if first else activation(b, "preact", x)
    for index, (kernel, narrower) in enumerate(unit.layers):
        step = stride if index == unit.strided else 1
        op = conv_op(out // narrower, kernel, stride=step, bias=False)
        y = b.add(f"conv{index + 1}", op, y)
        if index < len(unit.layers) - 1:
            y = activation(b, f"conv{index + 1}", y)
    if width != out and unit.projection:
        x = b.add("shortcut", conv_op(out, 1, stride=stride, bias=False), active)
    elif width != out or stride > 1:
        x = b.add("shortcut", zero_pad(out, stride), active)
    return b.add("add", ADD, y, x)


def build_cifar(
    name: str, unit: Unit, per_stage: int, widths: tuple[int, ...], classes: int
) -> Graph:
    """Return the CIFAR graph: a 3x3 convolution with 16 filters, then three stages."""
    b = Builder(name)
    x = conv(b, "conv1", b.add("input", image(*INPUT)), 16, 3, bias=False, norm=True)
    x = stages(b, x, unit, (per_stage,) * 3, widths, 16)
    return b.graph(classifier(b, "fc", b.add("pool", GLOBAL_AVG_POOL, x), classes))


def build_imagenet(name: str, counts: tuple[int, ...], classes: int) -> Graph:
    """Return the ImageNet graph of bottleneck units."""
    b = Builder(name)
    x = b.add("input", image(3, 224, 224))
    x = conv(b, "conv1", x, 64, 7, stride=2, bias=False, norm=True)
    x = max_pool(b, "pool1", x, 3, 2, padding=(1, 1))
    x = stages(b, x, BOTTLENECK_UNIT_3X3, counts, (256, 512, 1024, 2048), 64)
    return b.graph(classifier(b, "fc", b.add("pool", GLOBAL_AVG_POOL, x), classes))


def card(name: str) -> ModelCard:
    """Return the card of ``preresnet200`` or ``preresnet<depth>-cifar``.

    Raises ``UsageError`` for an illegal depth.
    """
    depth = int(name.removeprefix("preresnet").removesuffix("-cifar"))
    title = f"Pre-activation ResNet-{depth}"
    if name == "preresnet200":
        build = partial(build_imagenet, name, (3, 24, 36, 3))
        return card_of("preresnet", name, title=title, build=build)
    unit, widths, rule = TWO_3X3, (16, 32, 64), BASIC
    if depth >= FIRST_BOTTLENECK:
        unit, widths, rule = BOTTLENECK_UNIT, (64, 128, 256), BOTTLENECK
    per_stage = rule.blocks(name, depth, "preresnet{}-cifar")
    return card_of(
        "preresnet",
        name,
        title=f"{title} for CIFAR-10",
        build=partial(build_cifar, name, unit, per_stage, widths),
        input_shape=INPUT,
        classes=10,
    )
