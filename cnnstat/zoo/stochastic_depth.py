"""Stochastic depth: residual nets whose blocks are skipped at random while they train.

Gao Huang, Yu Sun, Zhuang Liu, Daniel Sedra and Kilian Weinberger, "Deep Networks with Stochastic
Depth", ECCV 2016, https://arxiv.org/abs/1603.09382. The graph is the CIFAR ResNet of He et al. 2015
(section 4 of the paper); block l of L survives with p_l = 1 - l/L * (1 - p_L), equation 4, p_L =
0.5. Inference runs every block, its branch scaled by p_l. Expected depth and training work are
derived by ``count.expected`` from the drop-paths of the graph.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from cnnstat.zoo.card import ModelCard, Paper, Training, on_cifar
from cnnstat.zoo.resnet_cifar import INPUT, build
from cnnstat.zoo.rule import DepthRule

PAPER = Paper(
    "Huang, Sun, Liu, Sedra, Weinberger",
    "Deep Networks with Stochastic Depth",
    "ECCV 2016",
    2016,
    "https://arxiv.org/abs/1603.09382",
)

RULE = DepthRule("a CIFAR ResNet with stochastic depth", 6, 2)
LAST_SURVIVAL = 0.5

TRAINING = Training(
    optimizer="SGD, Nesterov momentum 0.9",
    batch="128",
    learning_rate="0.1, divided by 10 after 250 and 375 of 500 epochs",
    decay="1e-4",
    regularization=(
        "stochastic depth with linear survival down to 0.5; batch norm; translation and "
        "horizontal flip"
    ),
    initialization="He et al. 2015",
)
DEEPEST_TRAINING = replace(
    TRAINING,
    learning_rate="0.01 for 10 epochs, then 0.1, divided by 10 after 150 and 225 of 300 epochs",
)
TEST_ERRORS = {110: (5.25, "table 1"), 1202: (4.91, "section 4 and figures 4 and 5")}
"""Error on the CIFAR-10 test set in percent, by depth, and where the paper prints it."""

FACTS = {
    110: (
        "Later papers quote 5.23% instead of the 5.25% of its own table 1.",
        "The same net with constant depth reaches 6.41% on CIFAR-10 (Huang et al. 2016, table 1).",
        "The expected number of blocks is (3L-1)/4 = 40.25 of L = 54 (section 3).",
    ),
    1202: (
        "With constant depth the 1202-layer net has 6.67% in the same paper: stochastic depth "
        "lets more than 1000 layers beat 110 (section 4).",
    ),
}


def spell(depth: int) -> str:
    """Return the name of the stochastic-depth net of this depth."""
    return f"stochastic-depth-{depth}-cifar"


def card(name: str) -> ModelCard:
    """Return the card of ``stochastic-depth-<6n+2>-cifar``.

    Raises ``UsageError`` with the rule for another depth.
    """
    depth = int(name.removeprefix("stochastic-depth-").removesuffix("-cifar"))
    per_stage = RULE.blocks(name, depth, spell)
    error, place = TEST_ERRORS.get(depth, (None, ""))
    return ModelCard(
        name=name,
        title=f"ResNet-{depth} with stochastic depth",
        family="Stochastic depth",
        paper=PAPER,
        build=partial(build, name, per_stage, last_survival=LAST_SURVIVAL),
        input_shape=INPUT,
        classes=10,
        departs=f"resnet{depth}-cifar with a drop-path at the end of every branch; where the maps "
        "shrink, the paper's shortcuts take the mean of 2x2 elements and pad with zeros, here they "
        "take every other element",
        result="" if error is None else f"{error}% test error on CIFAR-10, single model",
        ideas=(
            "train short networks, test the deep one: each branch is dropped for a whole "
            "mini-batch",
            "p_l = 1 - l/L * (1 - p_L): early blocks, which all others build on, survive more "
            "often",
            "gradients reach the first layers over fewer blocks, and training takes about a "
            "quarter less time",
        ),
        training=DEEPEST_TRAINING if depth == 1202 else TRAINING,
        accuracy=on_cifar(error, "one model", f"Huang et al. 2016, {place}"),
        facts=FACTS.get(depth, ()),
    )
