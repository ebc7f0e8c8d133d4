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
from cnnstat.zoo.card import Accuracy, ModelCard, Paper, Training
from cnnstat.zoo.rule import DepthRule, check_factor
from cnnstat.zoo.torchvision_weights import torchvision_errors

PAPER = Paper(
    "Huang, Liu, van der Maaten, Weinberger",
    "Densely Connected Convolutional Networks",
    "CVPR 2017",
    2016,
    "https://arxiv.org/abs/1608.06993",
)

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

IMAGENET_TRAINING = Training(
    optimizer="SGD, Nesterov momentum 0.9 without dampening",
    batch="256",
    learning_rate="0.1, divided by 10 at epochs 30 and 60 of 90",
    decay="1e-4",
    regularization="batch norm; no dropout; the augmentation of fb.resnet.torch",
    initialization="He et al. 2015",
)
CIFAR_TRAINING = Training(
    optimizer="SGD, Nesterov momentum 0.9 without dampening",
    batch="64",
    learning_rate="0.1, divided by 10 after 50% and 75% of 300 epochs",
    decay="1e-4",
    regularization="batch norm; dropout 0.2 after each convolution but the first where there is "
    "no data augmentation; with it (+) 4 pixels of padding, random crop, flip",
    initialization="He et al. 2015",
)

IDEAS = (
    "feature reuse: low-level maps reach every later layer of the block and the loss reaches every "
    "layer directly",
    "outputs are concatenated, not added, so nothing is lost and each layer needs only k new maps",
)

IMAGENET_ERRORS: dict[str, tuple[float, float, float, float]] = {
    "densenet121": (25.02, 7.71, 23.61, 6.66),
    "densenet169": (23.80, 6.85, 22.08, 5.92),
    "densenet201": (22.58, 6.34, 21.46, 5.54),
    "densenet264": (22.15, 6.12, 20.80, 5.29),
}
"""Table 3: top-1 and top-5 error in percent on the ImageNet validation set, one crop and ten."""

CIFAR_ERRORS: dict[str, tuple[float | None, float, float | None, float]] = {
    "densenet40-12-cifar": (7.00, 5.24, 27.55, 24.42),
    "densenet100-12-cifar": (5.77, 4.10, 23.79, 20.20),
    "densenet100-24-cifar": (5.83, 3.74, 23.42, 19.25),
    "densenet-bc100-12-cifar": (5.92, 4.51, 24.15, 22.27),
    "densenet-bc250-24-cifar": (5.19, 3.62, 19.64, 17.60),
    "densenet-bc190-40-cifar": (None, 3.46, None, 17.18),
}
"""Table 2: error in percent on CIFAR-10, CIFAR-10+, CIFAR-100, CIFAR-100+."""

DATASETS = (
    ("CIFAR-10", "no augmentation"),
    ("CIFAR-10", "flips and shifts"),
    ("CIFAR-100", "no augmentation"),
    ("CIFAR-100", "flips and shifts"),
)


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
        raise unknown("model", name, (*IMAGENET, *CIFAR_ERRORS), listing=listing)
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
    count = rule.blocks(name, depth, lambda one: f"densenet{variant}{one}-{growth}-cifar")
    return Form((count,) * 3, growth, 2 * growth if variant else 16, bool(variant), imagenet=False)


def card(name: str) -> ModelCard:
    """Return the card of a DenseNet; raise ``UsageError`` with the rule where there is none."""
    if name in IMAGENET:
        return _imagenet_card(name, IMAGENET[name])
    form = cifar_form(name)
    errors = CIFAR_ERRORS.get(name)
    depth = form.layers[0] * (6 if form.bottleneck else 3) + 4
    variant = "-BC" if form.bottleneck else ""
    return ModelCard(
        name=name,
        title=f"DenseNet{variant} (L={depth}, k={form.growth}) for CIFAR-10",
        family="DenseNet",
        paper=PAPER,
        build=partial(build, name, form),
        input_shape=(3, 32, 32),
        classes=10,
        departs="" if errors else "a member of the family that the paper's table 2 does not list",
        result=f"{errors[1]:.2f}% test error on CIFAR-10, single model" if errors else "",
        ideas=IDEAS,
        training=CIFAR_TRAINING,
        accuracy=tuple(
            Accuracy(dataset, f"single model, {data}", "Huang et al. 2017, table 2", error)
            for (dataset, data), error in zip(DATASETS, errors, strict=True)
            if error is not None
        )
        if errors
        else (),
        facts=_growth_facts(form),
    )


def _imagenet_card(name: str, form: Form) -> ModelCard:
    errors = IMAGENET_ERRORS.get(name)
    accuracy: tuple[Accuracy, ...] = ()
    departs = ""
    if errors:
        source = "Huang et al. 2017, table 3"
        accuracy = (
            Accuracy("ImageNet", "single model, one 224x224 crop", source, errors[0], errors[1]),
            Accuracy("ImageNet", "single model, ten crops", source, errors[2], errors[3]),
        )
    elif name == "densenet161":
        departs = "not in the paper's table 1 as published; the authors' repository has it (k=48)"
        setting = "single model, one 224x224 crop"
        accuracy = (
            Accuracy(
                "ImageNet", setting, "liuzhuang13/DenseNet, README, table of Torch models", 22.2
            ),
        )
    best = accuracy[0]
    published = name != "densenet161"
    return ModelCard(
        name=name,
        title=f"DenseNet-{name.removeprefix('densenet')} (k={form.growth})",
        family="DenseNet",
        paper=PAPER,
        build=partial(build, name, form),
        departs=departs,
        result=f"{best.top1_error:.2f}% top-1 error on ImageNet, {best.setting}",
        ideas=IDEAS,
        training=IMAGENET_TRAINING if published else None,
        accuracy=(*accuracy, *torchvision_errors(name)),
        facts=(
            *_growth_facts(form),
            *_depth_facts(name, form),
            *(() if published else ("No source is known for how it was trained.",)),
        ),
    )


def _growth_facts(form: Form) -> tuple[str, ...]:
    first, count = form.first_width, form.layers[0]
    return (
        f"The first block has {count} layers and turns {first} channels into {first} + {count}*"
        f"{form.growth} = {first + count * form.growth}; outputs are concatenated, not added.",
    )


def _depth_facts(name: str, form: Form) -> tuple[str, ...]:
    """Return a sentence where the name counts other than the graph: 1 + 2 per layer + 3 + 1."""
    depth = 2 * sum(form.layers) + len(form.layers) + 1
    if name == f"densenet{depth}":
        return ()
    return (
        f"Its blocks in table 1 have {depth} weighted layers with the first convolution, the "
        "transitions and the fully connected layer; the name counts one less.",
    )
