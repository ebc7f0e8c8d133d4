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
from cnnstat.zoo import densenet, fractalnet, googlenet, mobilenet, preresnet, resnet, resnext, vgg
from cnnstat.zoo.blocks import BATCH_NORM, RELU, activate, conv, conv_op
from cnnstat.zoo.card import ModelCard, Paper, refuse_classes

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


def residual_basic(b: Builder, x: Value) -> Value:
    """Add two 3x3 with 64 filters, the shortcut's addition, and ReLU."""
    y = conv(b, "conv1", x, 64, 3, bias=False, norm=True)
    y = conv(b, "conv2", y, 64, 3, bias=False, norm=True, act=None)
    return activate(b, "add", b.add("add", ADD, y, x))


def residual_bottleneck(b: Builder, x: Value) -> Value:
    """Add 1x1 with 64, 3x3 with 64, 1x1 with 256 filters, the shortcut's addition, and ReLU."""
    y = conv(b, "conv1", x, 64, 1, bias=False, norm=True)
    y = conv(b, "conv2", y, 64, 3, bias=False, norm=True)
    y = conv(b, "conv3", y, 256, 1, bias=False, norm=True, act=None)
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
    """One block: what its card says, and the body between its input and its output."""

    title: str
    paper: Paper
    shape: tuple[int, ...]
    body: Body
    ideas: tuple[str, ...]
    departs: str
    facts: tuple[str, ...] = ()


NO_BIAS = "64 channels in and out; no biases, so that the weights are a multiple of 64^2"
PLAIN_PAIR = "no biases and no batch norm, so that both sides contain only kernels"
SAME_VIEW = "a stack of n 3x3 sees 1 + 2n positions with fewer weights and n nonlinearities"
REDUCE = "a cheap 1x1 in front thins the channels that the expensive kernel reads"
RESIDUAL = "H(x) = F(x) + x: the block learns the difference to its input"
SPLIT = "split, transform, merge; the sum over paths is a convolution with as many groups"
SEPARATE = "1/N + 1/k^2 of the work and the weights, for N output channels and a k x k kernel"
PREACT_ORDER = (
    "Batch norm, ReLU, convolution, twice, then the addition; the same convolutions as the "
    "original block, the batch norms on the blocks' inputs instead of their outputs."
)
ONE_FUNCTION = "one of three forms of the same function, figure 3(a), (b) and (c)"


def _stack(title: str, *, kernel: int, count: int) -> Block:
    """Return a stack of 64 channels, to be compared with one of the same receptive field."""
    body = partial(stack, kernel=kernel, count=count, width=64)
    return Block(title, vgg.PAPER, STACK_INPUT, body, (SAME_VIEW,), NO_BIAS)


BLOCKS: dict[str, Block] = {
    "conv-5x5": _stack("One 5x5 convolution", kernel=5, count=1),
    "conv-3x3-x2": _stack("Two 3x3 convolutions", kernel=3, count=2),
    "conv-7x7": _stack("One 7x7 convolution", kernel=7, count=1),
    "conv-3x3-x3": _stack("Three 3x3 convolutions", kernel=3, count=3),
    "conv-5x5-direct": Block(
        "5x5 convolution from 480 to 48 channels",
        googlenet.PAPER,
        REDUCED_INPUT,
        partial(stack, kernel=5, count=1, width=48),
        (REDUCE,),
        PLAIN_PAIR,
    ),
    "conv-5x5-reduced": Block(
        "5x5 convolution from 480 to 48 channels after a 1x1 to 16",
        googlenet.PAPER,
        REDUCED_INPUT,
        reduced,
        (REDUCE,),
        PLAIN_PAIR,
        ("The 5x5 branch of GoogLeNet's module 4a has these widths (table 1).",),
    ),
    "residual-basic": Block(
        "Residual block of two 3x3", resnet.PAPER, STACK_INPUT, residual_basic, (RESIDUAL,), ""
    ),
    "residual-bottleneck": Block(
        "Residual bottleneck 1x1, 3x3, 1x1",
        resnet.PAPER,
        WIDE_INPUT,
        residual_bottleneck,
        (RESIDUAL, "four times the channels of the basic block at a similar cost"),
        "",
    ),
    "residual-preact": Block(
        "Pre-activation residual block",
        preresnet.PAPER,
        STACK_INPUT,
        residual_preact,
        ("the shortcut is a pure identity from block to block: nothing acts after the addition",),
        "",
        (PREACT_ORDER,),
    ),
    "resnext-block": Block(
        "ResNeXt block as 32 paths",
        resnext.PAPER,
        WIDE_INPUT,
        resnext_branches,
        (SPLIT,),
        f"{ONE_FUNCTION}: (a), the paths summed",
    ),
    "resnext-block-concat": Block(
        "ResNeXt block as 32 paths, concatenated",
        resnext.PAPER,
        WIDE_INPUT,
        resnext_concat,
        (SPLIT,),
        f"{ONE_FUNCTION}: (b), the paths concatenated in front of one 1x1",
    ),
    "resnext-block-grouped": Block(
        "ResNeXt block as a grouped convolution",
        resnext.PAPER,
        WIDE_INPUT,
        resnext_grouped,
        (SPLIT,),
        f"{ONE_FUNCTION}: (c), one convolution with 32 groups",
    ),
    "dense-block": Block(
        "Dense block of six layers, growth rate 32",
        densenet.PAPER,
        STACK_INPUT,
        dense_block,
        ("each layer reads all outputs before it; c0 channels become c0 + 6*32",),
        "the first dense block of densenet121 alone",
    ),
    "fractal-block": Block(
        "Fractal block of four columns",
        fractalnet.PAPER,
        FRACTAL_INPUT,
        fractal_block,
        ("paths of 1 to 8 convolutions; columns meet in means and go on together",),
        "64 channels in and out, no dropout",
    ),
    "standard-conv": Block(
        "3x3 convolution from 512 to 512 channels",
        mobilenet.PAPER,
        SEPARABLE_INPUT,
        partial(stack, kernel=3, count=1, width=512),
        (SEPARATE,),
        PLAIN_PAIR,
    ),
    "depthwise-separable": Block(
        "Depthwise separable convolution from 512 to 512 channels",
        mobilenet.PAPER,
        SEPARABLE_INPUT,
        depthwise_separable,
        (SEPARATE,),
        PLAIN_PAIR,
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
    return ModelCard(
        name=name,
        title=block.title,
        family="Building blocks",
        paper=block.paper,
        build=partial(build, name, block),
        input_shape=block.shape,
        classes=0,
        departs=block.departs,
        task="a part of a network, for comparison",
        ideas=block.ideas,
        facts=block.facts,
    )
