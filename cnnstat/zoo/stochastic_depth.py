"""Stochastic depth: residual nets whose blocks are skipped at random while they train.

Gao Huang, Yu Sun, Zhuang Liu, Daniel Sedra and Kilian Weinberger, "Deep Networks with Stochastic
Depth", ECCV 2016, https://arxiv.org/abs/1603.09382. The graph is the CIFAR ResNet of He et al. 2015
(section 4 of the paper); block l of L survives with p_l = 1 - l/L * (1 - p_L), equation 4, p_L =
0.5. Inference runs every block, its branch scaled by p_l. Expected depth and training work are
derived by ``count.expected`` from the drop-paths of the graph.
"""

from __future__ import annotations

from functools import partial

from cnnstat.zoo.card import ModelCard, card_of
from cnnstat.zoo.resnet_cifar import INPUT, build
from cnnstat.zoo.rule import DepthRule

RULE = DepthRule("a CIFAR ResNet with stochastic depth", 6, 2)
LAST_SURVIVAL = 0.5


def card(name: str) -> ModelCard:
    """Return the card of ``stochastic-depth-<6n+2>-cifar``.

    Raises ``UsageError`` with the rule for another depth.
    """
    depth = int(name.removeprefix("stochastic-depth-").removesuffix("-cifar"))
    per_stage = RULE.blocks(name, depth, "stochastic-depth-{}-cifar")
    return card_of(
        "stochastic_depth",
        name,
        title=f"ResNet-{depth} with stochastic depth",
        build=partial(build, name, per_stage, last_survival=LAST_SURVIVAL),
        input_shape=INPUT,
        classes=10,
        departs=f"resnet{depth}-cifar with a drop-path at the end of every branch; where the maps "
        "shrink, the paper's shortcuts take the mean of 2x2 elements and pad with zeros, here they "
        "take every other element",
    )
