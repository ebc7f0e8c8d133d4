"""ResNet for CIFAR-10: 6n+2 layers of three widths, shortcuts without parameters.

Kaiming He, Xiangyu Zhang, Shaoqing Ren and Jian Sun, "Deep Residual Learning for Image
Recognition", CVPR 2016, https://arxiv.org/abs/1512.03385. Transcribed from section 4.2: a 3x3
convolution, then 2n layers each on maps of 32x32, 16x16 and 8x8 with 16, 32 and 64 filters, global
mean pooling, a fully connected layer. All shortcuts are identities, zero-padded where the width
grows (option A). ``build`` also makes what departs from it by a parameter: the plain nets (no
shortcuts) and stochastic depth (each branch survives with its own probability). Nothing differs
from the paper; the convolutions in front of a batch norm have no bias, as in its code.
"""

from __future__ import annotations

from functools import lru_cache, partial

from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import Graph, Value
from cnnstat.ops import Add, DropPath, ZeroPadShortcut
from cnnstat.zoo.blocks import GLOBAL_AVG_POOL, activate, classifier, conv, image
from cnnstat.zoo.card import ModelCard, card_of
from cnnstat.zoo.rule import DepthRule

INPUT = (3, 32, 32)
WIDTHS = (16, 32, 64)
RULE = DepthRule("a CIFAR ResNet", 6, 2)
ADD = Add()


zero_pad = lru_cache(maxsize=256)(ZeroPadShortcut)
"""The shortcut of option A, one instance for all nodes where it is equal."""


def survival_of(block: int, blocks: int, last: float) -> float:
    """Return the probability that block 1..``blocks`` survives: 1 - block/blocks * (1 - last)."""
    return 1 - block / blocks * (1 - last)


def build(
    name: str,
    per_stage: int,
    classes: int,
    *,
    residual: bool = True,
    last_survival: float | None = None,
) -> Graph:
    """Return the graph with ``per_stage`` blocks on each of the three map sizes.

    Without ``residual`` the blocks are two plain layers. With ``last_survival`` every branch
    ends in a drop-path whose probability of survival falls linearly from the input to this one.
    """
    b = Builder(name)
    x = conv(b, "conv1", b.add("input", image(*INPUT)), WIDTHS[0], 3, bias=False, norm=True)
    block = 0
    for stage, width in enumerate(WIDTHS, 1):
        for position in range(1, per_stage + 1):
            block += 1
            stride = 2 if stage > 1 and position == 1 else 1
            keep = (
                None if last_survival is None else survival_of(block, 3 * per_stage, last_survival)
            )
            name = f"stage{stage}/block{position}"
            if keep is None:
                x = b.block(name, _block, x, width, stride, residual)
            else:
                x = _dropped_block(b, name, x, width, stride, keep)
    x = b.add("pool", GLOBAL_AVG_POOL, x)
    return b.graph(classifier(b, "fc", x, classes))


def _block(b: Builder, x: Value, width: int, stride: int, residual: bool) -> Value:
    if residual:
        return _joined(b, _branch(b, x, width, stride), x, width, stride)
    first = conv(b, "conv1", x, width, 3, stride=stride, bias=False, norm=True)
    return conv(b, "conv2", first, width, 3, bias=False, norm=True)


def _dropped_block(
    b: Builder, name: str, x: Value, width: int, stride: int, survival: float
) -> Value:
    """Add a block with a drop-path. Its survival is its own, its branch that of all blocks."""
    branch = b.block(name, _branch, x, width, stride)
    with b.scope(name):
        branch = b.add("conv2/drop_path", DropPath(survival), branch)
        return _joined(b, branch, x, width, stride)


def _branch(b: Builder, x: Value, width: int, stride: int) -> Value:
    x = conv(b, "conv1", x, width, 3, stride=stride, bias=False, norm=True)
    return conv(b, "conv2", x, width, 3, bias=False, norm=True, act=None)


def _joined(b: Builder, branch: Value, x: Value, width: int, stride: int) -> Value:
    if stride > 1:
        x = b.add("shortcut", zero_pad(width, stride), x)
    return activate(b, "add", b.add("add", ADD, branch, x))


def card(name: str) -> ModelCard:
    """Return the card of ``resnet<6n+2>-cifar``.

    Raises ``UsageError`` with the rule for another depth.
    """
    depth = int(name.removeprefix("resnet").removesuffix("-cifar"))
    built = partial(build, name, RULE.blocks(name, depth, "resnet{}-cifar"))
    title = f"ResNet-{depth} for CIFAR-10"
    return card_of("resnet_cifar", name, title=title, build=built, input_shape=INPUT, classes=10)
