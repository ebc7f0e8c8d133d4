"""DenseNet: every layer of a block reads what all the layers before it put out.

Gao Huang, Zhuang Liu, Laurens van der Maaten and Kilian Weinberger, "Densely Connected
Convolutional Networks", CVPR 2017, https://arxiv.org/abs/1608.06993. ImageNet from its table 1 (BC
form: a 1x1 with 4k filters in front of each 3x3, transitions that halve the channels); k is 32, and
48 for 161 layers. CIFAR from section 3 and table 2: three equal blocks, depth 3n+4, a first
convolution with 16 filters, transitions that keep the channels; BC: depth 6n+4, 2k filters first.
A layer is BN-ReLU-convolution. A block grows by concatenation, x = concat(x, new), so that the
batch norm of each layer, whose input others read too, makes a tensor of its own.
Nothing differs from the paper; convolutions have no bias, as in the authors' code, and dropout,
which is used without data augmentation only, is left out.
"""

from __future__ import annotations

import re
from functools import partial
from typing import NamedTuple

from cnnstat.errors import UsageError, unknown
from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import Graph, Value
from cnnstat.ops import AvgPool2d, Concat
from cnnstat.zoo.blocks import (
    BATCH_NORM,
    GLOBAL_AVG_POOL,
    RELU,
    classifier,
    conv_op,
    image,
    max_pool,
)
from cnnstat.zoo.card import ModelCard, card_of
from cnnstat.zoo.rule import DepthRule, check_factor

CONCAT = Concat()
HALVE = AvgPool2d((2, 2), (2, 2))

PLAIN_RULE = DepthRule("a CIFAR DenseNet", 3, 4)
BC_RULE = DepthRule("a CIFAR DenseNet-BC", 6, 4)


class Form(NamedTuple):
    """Parameters in which the members of the family differ."""

    layers: tuple[int, ...]
    """Layers of each dense block."""
    growth: int
    """k: the channels that every layer adds."""
    first_width: int
    bottleneck: bool = True
    """B and C: a 1x1 with 4k filters in front of each 3x3, transitions that halve the channels."""
    imagenet: bool = True
    """A 7x7 stem with stride 2 and a max-pooling in front of the blocks, else a single 3x3."""


IMAGENET: dict[str, Form] = {
    "densenet121": Form((6, 12, 24, 16), 32, 64),
    "densenet161": Form((6, 12, 36, 24), 48, 96),
    "densenet169": Form((6, 12, 32, 32), 32, 64),
    "densenet201": Form((6, 12, 48, 32), 32, 64),
    "densenet264": Form((6, 12, 64, 48), 32, 64),
}

CIFAR = (
    *("densenet40-12-cifar", "densenet100-12-cifar", "densenet100-24-cifar"),
    *("densenet-bc100-12-cifar", "densenet-bc250-24-cifar", "densenet-bc190-40-cifar"),
)
"""The networks of table 2."""


def dense_block(
    b: Builder, block: str, x: Value, count: int, growth: int, *, bottleneck: bool
) -> Value:
    """Add ``count`` dense layers ``<block>_block1`` ... to ``x``.

    c channels become c + count * growth.
    """
    for layer in range(1, count + 1):
        x = b.block(f"{block}_block{layer}", _layer, x, growth, bottleneck)
    return x


def _layer(b: Builder, x: Value, growth: int, bottleneck: bool) -> Value:
    new = _activated(b, x, "1")
    if bottleneck:
        new = _activated(b, b.add("1x1", conv_op(4 * growth, 1, bias=False), new), "2")
    grow = conv_op(growth, 3, bias=False)
    return b.add("concat", CONCAT, x, b.add("3x3", grow, new))


def _activated(b: Builder, x: Value, number: str = "") -> Value:
    """Add the batch norm and the ReLU in front of a convolution, ``bn1`` and ``relu1``."""
    return b.add(f"relu{number}", RELU, b.add(f"bn{number}", BATCH_NORM, x))


def build(name: str, form: Form, classes: int) -> Graph:
    """Return the graph of one form."""
    b = Builder(name)
    width = form.first_width
    if form.imagenet:
        x = b.add("input", image(3, 224, 224))
        x = b.add("conv1", conv_op(width, 7, stride=2, bias=False), x)
        x = b.add("conv1/relu", RELU, b.add("conv1/bn", BATCH_NORM, x))
        x = max_pool(b, "pool1", x, 3, 2, padding=(1, 1))
    else:
        x = b.add("input", image(3, 32, 32))
        x = b.add("conv1", conv_op(width, 3, bias=False), x)
    for stage, count in enumerate(form.layers, 2):
        if stage > 2:
            width = width // 2 if form.bottleneck else width
            with b.scope(f"transition{stage - 1}"):
                x = b.add("conv", conv_op(width, 1, bias=False), _activated(b, x))
                x = b.add("pool", HALVE, x)
        x = dense_block(b, f"conv{stage}", x, count, form.growth, bottleneck=form.bottleneck)
        width += count * form.growth
    x = b.add("pool", GLOBAL_AVG_POOL, _activated(b, x))
    return b.graph(classifier(b, "fc", x, classes))


def cifar_form(name: str) -> Form:
    """Return the form of ``densenet[-bc]<depth>-<growth>-cifar``.

    Raises ``UsageError`` with the rule and the nearest legal names for an illegal depth or growth
    rate, with the nearest names of the zoo for what is no such name at all.
    """
    match = re.fullmatch(r"densenet(-bc)?(\d{1,9})-(\d{1,9}(?:\.\d{1,9})?)-cifar", name)
    if match is None:
        listing = (
            "densenet121, 161, 169, 201, 264 for ImageNet; densenet<depth>-<growth rate>-cifar, "
            "densenet-bc<depth>-<growth rate>-cifar"
        )
        raise unknown("model", name, (*IMAGENET, *CIFAR), listing=listing)
    variant, depth, growth_text = match[1] or "", int(match[2]), match[3]
    growth = int(growth_text.partition(".")[0])
    if "." in growth_text:
        legal = [one for one in (growth, growth + 1) if one]
        names = ", ".join(f"densenet{variant}{depth}-{one}-cifar" for one in legal)
        raise UsageError(
            f"{name}: the growth rate (={growth_text}) must be a whole number of channels; "
            f"nearest {'are' if len(legal) > 1 else 'is'} {names}"
        )
    check_factor(name, "growth rate", growth)
    rule = BC_RULE if variant else PLAIN_RULE
    count = rule.blocks(name, depth, f"densenet{variant}{{}}-{growth}-cifar")
    return Form((count,) * 3, growth, 2 * growth if variant else 16, bool(variant), imagenet=False)


def card(name: str) -> ModelCard:
    """Return the card of a DenseNet; raise ``UsageError`` with the rule where there is none."""
    form = IMAGENET.get(name) or cifar_form(name)
    first, count, k = form.first_width, form.layers[0], form.growth
    growth = (
        f"The first block has {count} layers and turns {first} channels into {first} + {count}*{k} "
        f"= {first + count * k}; outputs are concatenated, not added."
    )
    # 1 + 1 or 2 per layer + the transitions + 1
    depth = (1 + form.bottleneck) * sum(form.layers) + len(form.layers) + 1
    if not form.imagenet:
        return card_of(
            "densenet",
            name,
            title=f"DenseNet{'-BC' * form.bottleneck} (L={depth}, k={k}) for CIFAR-10",
            build=partial(build, name, form),
            input_shape=(3, 32, 32),
            classes=10,
            facts=(growth,),
        )
    counted = (
        f"Its blocks in table 1 have {depth} weighted layers with the first convolution, the "
        "transitions and the fully connected layer; the name counts one less."
    )
    return card_of(
        "densenet",
        name,
        title=f"DenseNet-{name.removeprefix('densenet')} (k={k})",
        build=partial(build, name, form),
        facts=(growth,) if name == f"densenet{depth}" else (growth, counted),
    )
