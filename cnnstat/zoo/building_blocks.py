"""Building blocks: the small graphs that papers and lecture notes argue with, in comparable pairs.

Stacks: Simonyan and Zisserman 2014 (VGG), section 2.3. Reduction: Szegedy et al. 2014 (GoogLeNet),
sections 3 and 5. Residual blocks: He et al. 2015, figure 5; He et al. 2016, figure 4(e). ResNeXt:
Xie et al. 2017, figure 3. Dense: Huang et al. 2017, the first block of DenseNet-121 (table 1).
Fractal: Larsson et al. 2017, figure 1 (four columns). Separable: Howard et al. 2017, section 3.1
and table 3. Each card's ``departs`` says what was left out so that the pair compares one thing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from cnnstat.errors import unknown
from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import Graph, Value
from cnnstat.ops import Add, Concat, Input
from cnnstat.zoo import densenet, fractalnet
from cnnstat.zoo.blocks import BATCH_NORM, RELU, activate, conv, conv_op
from cnnstat.zoo.card import ModelCard, card_of, refuse_classes

ADD = Add()
CONCAT = Concat()

STACK_INPUT = (64, 56, 56)
REDUCED_INPUT = (480, 14, 14)
WIDE_INPUT = (256, 56, 56)
SEPARABLE_INPUT = (512, 14, 14)
FRACTAL_INPUT = (64, 32, 32)

PATHS = 32
PATH_WIDTH = 4
"""ResNeXt's 32x4d: the number of parallel paths and the width of each."""

Body = Callable[[Builder, Value], Value]


def stack(b: Builder, x: Value, *, kernel: int, count: int, width: int) -> Value:
    """Add ``count`` convolutions of one kernel that keep extents and put out ``width`` channels."""
    for index in range(1, count + 1):
        x = conv(b, f"conv{index}", x, width, kernel, bias=False)
    return x


def reduced(b: Builder, x: Value) -> Value:
    """Add a 1x1 to 16 channels and a 5x5 to 48 after it."""
    x = conv(b, "5x5_reduce", x, 16, 1, bias=False)
    return conv(b, "5x5", x, 48, 5, bias=False)


def residual(b: Builder, x: Value, *, layers: tuple[tuple[int, int], ...]) -> Value:
    """Add convolutions of these widths and kernels, the shortcut's addition, and ReLU."""
    y = x
    for index, (width, kernel) in enumerate(layers, 1):
        act = RELU if index < len(layers) else None
        y = conv(b, f"conv{index}", y, width, kernel, bias=False, norm=True, act=act)
    return activate(b, "add", b.add("add", ADD, y, x))


def residual_preact(b: Builder, x: Value) -> Value:
    """Add batch norm, ReLU, 3x3 twice and the addition, with nothing after it."""
    y = x
    for index in (1, 2):
        y = b.add(f"relu{index}", RELU, b.add(f"bn{index}", BATCH_NORM, y))
        y = b.add(f"conv{index}", conv_op(64, 3, bias=False), y)
    return b.add("add", ADD, y, x)


def _paths(b: Builder, x: Value) -> list[Value]:
    """Add the 1x1 and the 3x3 of each of the 32 paths."""
    ends = []
    for path in range(1, PATHS + 1):
        with b.scope(f"path{path}"):
            y = conv(b, "conv1", x, PATH_WIDTH, 1, bias=False, norm=True)
            ends.append(conv(b, "conv2", y, PATH_WIDTH, 3, bias=False, norm=True))
    return ends


def _merged(b: Builder, merged: Value, x: Value) -> Value:
    y = b.add("bn", BATCH_NORM, merged)
    return activate(b, "add", b.add("add", ADD, y, x))


def resnext_branches(b: Builder, x: Value) -> Value:
    """Figure 3(a): every path has a 1x1 of its own back to 256 channels; the paths are summed."""
    expand = conv_op(256, 1, bias=False)
    ends = [b.add(f"path{i}/conv3", expand, end) for i, end in enumerate(_paths(b, x), 1)]
    return _merged(b, b.add("sum", ADD, *ends), x)


def resnext_concat(b: Builder, x: Value) -> Value:
    """Figure 3(b): the paths are concatenated; one 1x1 brings them back to 256 channels."""
    y = b.add("concat", CONCAT, *_paths(b, x))
    return _merged(b, b.add("conv3", conv_op(256, 1, bias=False), y), x)


def resnext_grouped(b: Builder, x: Value) -> Value:
    """Figure 3(c): a bottleneck whose 3x3 has 32 groups."""
    width = PATHS * PATH_WIDTH
    y = conv(b, "conv1", x, width, 1, bias=False, norm=True)
    y = conv(b, "conv2", y, width, 3, groups=PATHS, bias=False, norm=True)
    return _merged(b, b.add("conv3", conv_op(256, 1, bias=False), y), x)


def dense_block(b: Builder, x: Value) -> Value:
    """Add six layers with bottlenecks and a growth rate of 32."""
    return densenet.dense_block(b, "conv2", x, 6, 32, bottleneck=True)


def fractal_block(b: Builder, x: Value) -> Value:
    """Add four columns of 1, 2, 4 and 8 convolutions with 64 filters."""
    return fractalnet.fractal_block(b, x, 4, 64, drop_path=fractalnet.DROP_PATH)


def depthwise_separable(b: Builder, x: Value) -> Value:
    """Add a 3x3 filter for each of 512 channels and a 1x1 to 512 channels."""
    x = conv(b, "dw", x, 512, 3, groups=512, bias=False)
    return conv(b, "sep", x, 512, 1, bias=False)


class Block(NamedTuple):
    """One block: its title, the shape of its input, and the body between input and output."""

    title: str
    shape: tuple[int, ...]
    body: Body


def _stack(title: str, kernel: int, count: int) -> Block:
    """Return a stack of 64 channels, to be compared with one of the same receptive field."""
    return Block(title, STACK_INPUT, partial(stack, kernel=kernel, count=count, width=64))


BLOCKS: dict[str, Block] = {
    "conv-5x5": _stack("One 5x5 convolution", 5, 1),
    "conv-3x3-x2": _stack("Two 3x3 convolutions", 3, 2),
    "conv-7x7": _stack("One 7x7 convolution", 7, 1),
    "conv-3x3-x3": _stack("Three 3x3 convolutions", 3, 3),
    "conv-5x5-direct": Block(
        "5x5 convolution from 480 to 48 channels",
        REDUCED_INPUT,
        partial(stack, kernel=5, count=1, width=48),
    ),
    "conv-5x5-reduced": Block(
        "5x5 convolution from 480 to 48 channels after a 1x1 to 16", REDUCED_INPUT, reduced
    ),
    "residual-basic": Block(
        "Residual block of two 3x3", STACK_INPUT, partial(residual, layers=((64, 3), (64, 3)))
    ),
    "residual-bottleneck": Block(
        "Residual bottleneck 1x1, 3x3, 1x1",
        WIDE_INPUT,
        partial(residual, layers=((64, 1), (64, 3), (256, 1))),
    ),
    "residual-preact": Block("Pre-activation residual block", STACK_INPUT, residual_preact),
    "resnext-block": Block("ResNeXt block as 32 paths", WIDE_INPUT, resnext_branches),
    "resnext-block-concat": Block(
        "ResNeXt block as 32 paths, concatenated", WIDE_INPUT, resnext_concat
    ),
    "resnext-block-grouped": Block(
        "ResNeXt block as a grouped convolution", WIDE_INPUT, resnext_grouped
    ),
    "dense-block": Block("Dense block of six layers, growth rate 32", STACK_INPUT, dense_block),
    "fractal-block": Block("Fractal block of four columns", FRACTAL_INPUT, fractal_block),
    "standard-conv": Block(
        "3x3 convolution from 512 to 512 channels",
        SEPARABLE_INPUT,
        partial(stack, kernel=3, count=1, width=512),
    ),
    "depthwise-separable": Block(
        "Depthwise separable convolution from 512 to 512 channels",
        SEPARABLE_INPUT,
        depthwise_separable,
    ),
}
"""Every block by name."""


def build(name: str, block: Block, classes: int) -> Graph:
    """Return the block's graph. Raises ``UsageError`` where ``classes`` is not 0."""
    refuse_classes(name, classes)
    b = Builder(name)
    return b.graph(block.body(b, b.add("input", Input(block.shape))))


def card(name: str) -> ModelCard:
    """Return the card of one of ``BLOCKS``; raise ``UsageError`` for another name."""
    block = BLOCKS.get(name)
    if block is None:
        raise unknown("building block", name, BLOCKS)
    return card_of(
        "building_blocks",
        name,
        title=block.title,
        build=partial(build, name, block),
        input_shape=block.shape,
        classes=0,
    )
