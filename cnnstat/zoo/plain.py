"""Plain nets: ResNet without its shortcuts, the control of the residual experiment.

Kaiming He, Xiangyu Zhang, Shaoqing Ren and Jian Sun, "Deep Residual Learning for Image
Recognition", CVPR 2016, https://arxiv.org/abs/1512.03385. ``plain18`` and ``plain34`` are its
figure 3 (middle) and table 2; the CIFAR nets are section 4.2 without shortcuts, any 6n+2 layers.
Same convolutions and batch norms as the residual twins, no additions.
"""

from __future__ import annotations

from functools import partial

from cnnstat.zoo import resnet, resnet_cifar
from cnnstat.zoo.card import ModelCard, on_imagenet
from cnnstat.zoo.rule import DepthRule

PAPER = resnet.PAPER
RULE = DepthRule("a plain CIFAR net", 6, 2)
IMAGENET = {"plain18": "resnet18", "plain34": "resnet34"}
TOP1_ERRORS = {"plain18": 27.94, "plain34": 28.54}
"""Table 2: top-1 error on the ImageNet validation set in percent, ten crops."""

IDEAS = (
    "degradation: a deeper plain net has a higher error in training and in test than a shallower "
    "one",
)
CIFAR_FACT = (
    "The 56-layer plain net has a higher training and a higher test error than the 20-layer one, "
    "so it does not overfit (slides; the paper's figure 1).",
    "Lecture notes blame vanishing gradients; the paper argues against that, as batch norm keeps "
    "forward and backward signals from vanishing, and leaves the reason open (section 4.1).",
)
IMAGENET_FACT = (
    "With shortcuts the order turns: ResNet-18 has 27.88% and ResNet-34 25.03% (table 2).",
)


def spell(depth: int) -> str:
    """Return the name of the plain CIFAR net of this depth."""
    return f"plain{depth}-cifar"


def card(name: str) -> ModelCard:
    """Return the card of ``plain18``, ``plain34`` or ``plain<6n+2>-cifar``.

    Raises ``UsageError`` for another depth.
    """
    if name in IMAGENET:
        return _imagenet_card(name)
    depth = int(name.removeprefix("plain").removesuffix("-cifar"))
    per_stage = RULE.blocks(name, depth, spell)
    return ModelCard(
        name=name,
        title=f"Plain {depth}-layer net for CIFAR-10",
        family="Plain nets",
        paper=PAPER,
        build=partial(resnet_cifar.build, name, per_stage, residual=False),
        input_shape=resnet_cifar.INPUT,
        classes=10,
        departs=f"resnet{depth}-cifar without shortcuts",
        ideas=IDEAS,
        training=resnet_cifar.TRAINING,
        facts=CIFAR_FACT,
    )


def _imagenet_card(name: str) -> ModelCard:
    error = TOP1_ERRORS[name]
    twin = IMAGENET[name]
    form = resnet.form_of(twin)._replace(residual=False)
    return ModelCard(
        name=name,
        title=f"Plain {name.removeprefix('plain')}-layer net",
        family="Plain nets",
        paper=PAPER,
        build=partial(resnet.build_form, name, form),
        departs=f"{twin} without shortcuts",
        result=f"{error}% top-1 error on ImageNet, single model, ten crops",
        ideas=IDEAS,
        training=resnet.TRAINING,
        accuracy=(on_imagenet("one model, 10 crops", "He et al. 2015, table 2", error),),
        facts=IMAGENET_FACT,
    )
