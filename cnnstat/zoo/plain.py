"""Plain nets: ResNet without its shortcuts, the control of the residual experiment.

Kaiming He, Xiangyu Zhang, Shaoqing Ren and Jian Sun, "Deep Residual Learning for Image
Recognition", CVPR 2016, https://arxiv.org/abs/1512.03385. ``plain18`` and ``plain34`` are its
figure 3 (middle) and table 2; the CIFAR nets are section 4.2 without shortcuts, any 6n+2 layers.
Same convolutions and batch norms as the residual twins, no additions.
"""

from __future__ import annotations

from functools import partial

from cnnstat.zoo import resnet, resnet_cifar
from cnnstat.zoo.card import ModelCard, card_of
from cnnstat.zoo.rule import DepthRule

RULE = DepthRule("a plain CIFAR net", 6, 2)
IMAGENET = {"plain18": "resnet18", "plain34": "resnet34"}


def card(name: str) -> ModelCard:
    """Return the card of ``plain18``, ``plain34`` or ``plain<6n+2>-cifar``.

    Raises ``UsageError`` for another depth.
    """
    depth = int(name.removeprefix("plain").removesuffix("-cifar"))
    departs = f"{name.replace('plain', 'resnet')} without shortcuts"
    if name in IMAGENET:
        form = resnet.form_of(IMAGENET[name])._replace(residual=False)
        build = partial(resnet.build_form, name, form)
        return card_of(
            "plain", name, title=f"Plain {depth}-layer net", build=build, departs=departs
        )
    per_stage = RULE.blocks(name, depth, "plain{}-cifar")
    return card_of(
        "plain",
        name,
        title=f"Plain {depth}-layer net for CIFAR-10",
        build=partial(resnet_cifar.build, name, per_stage, residual=False),
        input_shape=resnet_cifar.INPUT,
        classes=10,
        departs=departs,
    )
