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
from cnnstat.zoo.card import ModelCard, Paper, Training, on_cifar, on_imagenet
from cnnstat.zoo.preresnet import IMAGENET_TRAINING, TWO_3X3_PROJECTED, build_cifar
from cnnstat.zoo.resnet_cifar import INPUT
from cnnstat.zoo.rule import DepthRule, check_factor
from cnnstat.zoo.torchvision_weights import torchvision_errors

PAPER = Paper(
    "Zagoruyko, Komodakis",
    "Wide Residual Networks",
    "BMVC 2016",
    2016,
    "https://arxiv.org/abs/1605.07146",
)

RULE = DepthRule("a wide CIFAR ResNet", 6, 4)
IMAGENET = {"wide-resnet50-2": "resnet50", "wide-resnet101-2": "resnet101"}

CIFAR_TRAINING = Training(
    optimizer="SGD, Nesterov momentum 0.9",
    batch="128",
    learning_rate="0.1, times 0.2 after 60, 120 and 160 of 200 epochs",
    decay="5e-4",
    regularization="batch norm; random crop from 4 pixels of padding, horizontal flip; dropout "
    "between the convolutions as an option",
    initialization="He et al. 2015",
)
TEST_ERRORS = {(40, 4): 4.53, (16, 8): 4.27, (28, 10): 4.00}
"""Table 5 of the paper's fourth version: error on the CIFAR-10 test set in percent, by depth and k.
"""

IDEAS = (
    "width instead of depth: k times the channels are k times the neurons and k^2 times the "
    "weights",
    "wide layers are few and parallel, so they use a GPU better than a thousand thin ones",
)


def card(name: str) -> ModelCard:
    """Return the card of ``wrn-<6n+4>-<k>`` or a ``wide-resnet``.

    Raises ``UsageError`` for an illegal depth or k.
    """
    if name in IMAGENET:
        return _imagenet_card(name)
    depth, factor = map(int, name.removeprefix("wrn-").split("-"))
    k = check_factor(name, "widening factor", factor)
    per_stage = RULE.blocks(name, depth, lambda legal: f"wrn-{legal}-{k}")
    error = TEST_ERRORS.get((depth, k))
    source = "Zagoruyko, Komodakis 2016, table 5"
    return ModelCard(
        name=name,
        title=f"WRN-{depth}-{k}",
        family="Wide ResNet",
        paper=PAPER,
        build=partial(build_cifar, name, TWO_3X3_PROJECTED, per_stage, (16 * k, 32 * k, 64 * k)),
        input_shape=INPUT,
        classes=10,
        departs="" if error else f"depth {RULE} and k of the rule, not in the paper's table 5",
        result="" if error is None else f"{error:.2f}% test error on CIFAR-10, median of 5 runs",
        ideas=IDEAS,
        training=CIFAR_TRAINING,
        accuracy=on_cifar(error, "median of 5 runs, no dropout", source),
        facts=_facts(depth, k),
    )


def _facts(depth: int, k: int) -> tuple[str, ...]:
    counted = (
        f"The depth {depth} counts the three 1x1 convolutions on the shortcuts; the longest path "
        f"has {depth - 2} weighted layers.",
    )
    if (depth, k) == (28, 10):
        return (*counted, "With dropout 0.3 the error falls to 3.89% (table 6).")
    return counted


def _imagenet_card(name: str) -> ModelCard:
    base = IMAGENET[name]
    form = resnet.form_of(f"{base}-v1.5")._replace(group_width=128)
    measured = name == "wide-resnet50-2"
    return ModelCard(
        name=name,
        title=f"Wide ResNet-{base.removeprefix('resnet')}-2",
        family="Wide ResNet",
        paper=PAPER,
        build=partial(resnet.build_form, name, form),
        departs=f"{base}-v1.5 with twice the filters in the 1x1 and 3x3 of a bottleneck",
        result="21.9% top-1 and 6.03% top-5 error on ImageNet, single model, one crop"
        if measured
        else "",
        ideas=IDEAS,
        training=IMAGENET_TRAINING if measured else resnet.TORCHVISION_TRAINING,
        accuracy=(
            on_imagenet("one model, one crop", "Zagoruyko, Komodakis 2016, table 8", 21.9, 6.03),
            *torchvision_errors(name),
        )
        if measured
        else torchvision_errors(name),
    )
