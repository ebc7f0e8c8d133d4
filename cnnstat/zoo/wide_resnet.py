"""Wide ResNet: fewer layers, k times as many filters in each.

Sergey Zagoruyko and Nikos Komodakis, "Wide Residual Networks", BMVC 2016,
https://arxiv.org/abs/1605.07146. CIFAR nets from its table 1: pre-activation units of two 3x3
convolutions, 16k, 32k and 64k filters, 1x1 convolutions on the shortcuts where the width grows. A
depth of 6n+4 counts these three shortcut convolutions; on the longest path lie two fewer. With k =
1 the first shortcut needs no convolution and starts after the first activation. The dropout
between the two convolutions, which the paper tries as an option, is left out. ``wide-resnet50-2``
and ``-101-2`` are torchvision's: ResNet with the inner convolutions of a bottleneck twice as wide
(the paper's WRN-50-2-bottleneck, section 3) and the stride in the 3x3.
"""

from __future__ import annotations

from functools import partial

from cnnstat.zoo import resnet
from cnnstat.zoo.card import ModelCard, card_of
from cnnstat.zoo.preresnet import TWO_3X3_PROJECTED, build_cifar
from cnnstat.zoo.resnet_cifar import INPUT
from cnnstat.zoo.rule import DepthRule, check_factor

RULE = DepthRule("a wide CIFAR ResNet", 6, 4)
IMAGENET = {"wide-resnet50-2": "resnet50", "wide-resnet101-2": "resnet101"}


def card(name: str) -> ModelCard:
    """Return the card of ``wrn-<6n+4>-<k>`` or a ``wide-resnet``.

    Raises ``UsageError`` for an illegal depth or k.
    """
    if name in IMAGENET:
        base = IMAGENET[name]
        form = resnet.form_of(f"{base}-v1.5")._replace(group_width=128)
        title = f"Wide ResNet-{base.removeprefix('resnet')}-2"
        return card_of(
            "wide_resnet", name, title=title, build=partial(resnet.build_form, name, form)
        )
    depth, factor = map(int, name.removeprefix("wrn-").split("-"))
    k = check_factor(name, "widening factor", factor)
    per_stage = RULE.blocks(name, depth, f"wrn-{{}}-{k}")
    return card_of(
        "wide_resnet",
        name,
        title=f"WRN-{depth}-{k}",
        build=partial(build_cifar, name, TWO_3X3_PROJECTED, per_stage, (16 * k, 32 * k, 64 * k)),
        input_shape=INPUT,
        classes=10,
        facts=(
            f"The depth {depth} counts the three 1x1 convolutions on the shortcuts; the longest "
            f"path has {depth - 2} weighted layers.",
        ),
    )
