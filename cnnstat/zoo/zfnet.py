"""ZFNet: AlexNet with a finer first layer, found by looking at what its features respond to.

Matthew D. Zeiler and Rob Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014,
https://arxiv.org/abs/1311.2901. Transcribed from its figure 3: 7x7/2 and 5x5/2 convolutions,
contrast normalisation across maps after the first two poolings, one group everywhere.
``zfnet-paper`` has figure 3's 384-384-256 maps in layers 3 to 5; ``zfnet`` the 512-1024-512 of
table 2's variant (b), which lecture notes mean. The paper prints extents (110, 55, 26, 13, 6) and
no padding: one element around the first layer and poolings that round up give all of them.

``zfnet-deconv`` is section 2.1's deconvolution network on top of ``zfnet``: from the activations of
a chosen layer (conv5; ``zfnet-deconv-conv3`` and so on for another) back to pixels, layer by layer
unpooling with the pooling's switches, ReLU, and the layer's filters transposed. The weights are
zfnet's; biases and the contrast normalisation have no counterpart.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from cnnstat.errors import unknown
from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import Graph, Value
from cnnstat.ops import ConvTranspose2d, Input, LocalResponseNorm, MaxPool2d, MaxUnpool2d
from cnnstat.zoo.blocks import RELU, SOFTMAX, conv, flatten, linear
from cnnstat.zoo.card import ModelCard, card_of, refuse_classes

INPUT = (3, 224, 224)


class Layer(NamedTuple):
    """One convolution of figure 3, and whether a 3x3/2 max-pooling and a normalisation follow."""

    kernel: int
    stride: int
    padding: int
    pooled: bool = False
    normed: bool = False


# Figure 3, layers 1 to 5.
LAYERS = (
    Layer(7, 2, 1, pooled=True, normed=True),
    Layer(5, 2, 0, pooled=True, normed=True),
    Layer(3, 1, 1),
    Layer(3, 1, 1),
    Layer(3, 1, 1, pooled=True),
)
PAPER_WIDTHS = (96, 256, 384, 384, 256)
WIDTHS = (96, 256, 512, 1024, 512)
DECONV = "zfnet-deconv"
PROJECTED = ("conv1", "pool1", "conv2", "pool2", "conv3", "conv4", "conv5", "pool5")
"""The layers whose activations the deconvolution network can project back."""

NORM = LocalResponseNorm()
POOL = MaxPool2d((3, 3), (2, 2), ceil_mode=True)
POOL_WITH_SWITCHES = MaxPool2d((3, 3), (2, 2), ceil_mode=True, return_indices=True)
UNPOOL = MaxUnpool2d((3, 3), (2, 2))


def build(name: str, widths: tuple[int, ...], classes: int) -> Graph:
    """Return figure 3 with these widths in layers 1 to 5."""
    b = Builder(name)
    x = b.add("input", Input(INPUT))
    for number, (layer, width) in enumerate(zip(LAYERS, widths, strict=True), 1):
        x = _conv(b, number, x, layer, width)
        if layer.pooled:
            x = b.add(f"pool{number}", POOL, x)
        if layer.normed:
            x = b.add(f"pool{number}/lrn", NORM, x)
    x = linear(b, "fc6", flatten(b, "fc6", x), 4096, act=RELU, dropout=0.5)
    x = linear(b, "fc7", x, 4096, act=RELU, dropout=0.5)
    return b.graph(b.add("fc8/softmax", SOFTMAX, linear(b, "fc8", x, classes)))


def _conv(b: Builder, number: int, x: Value, layer: Layer, width: int) -> Value:
    return conv(
        b,
        f"conv{number}",
        x,
        width,
        layer.kernel,
        stride=layer.stride,
        padding=layer.padding,
    )


def build_deconv(name: str, target: str, classes: int) -> Graph:
    """Return zfnet up to the layer ``target`` and the way back.

    The second input of a strided transposed convolution and the third of an unpooling only
    say which extents come out. Raises ``UsageError`` where ``classes`` is not 0.
    """
    refuse_classes(name, classes)
    b = Builder(name)
    x = b.add("input", Input(INPUT))
    entered: list[Value] = []  # what each convolution reads
    mapped: list[Value] = []  # its activations
    pooled: dict[int, Value] = {}
    for number, (layer, width) in enumerate(zip(LAYERS, WIDTHS, strict=True), 1):
        entered.append(x)
        x = _conv(b, number, x, layer, width)
        mapped.append(x)
        if target == f"conv{number}":
            break
        if layer.pooled:
            x = pooled[number] = b.add(f"pool{number}", POOL_WITH_SWITCHES, x)
        if target == f"pool{number}":
            break
        if layer.normed:
            x = b.add(f"pool{number}/lrn", NORM, x)
    for number in range(len(mapped), 0, -1):
        if number in pooled:
            switches = b.result(pooled[number], 1)
            x = b.add(f"unpool{number}", UNPOOL, x, switches, mapped[number - 1])
        x = b.add(f"unpool{number}/relu" if number in pooled else f"rectify{number}", RELU, x)
        x = _deconv(b, number, x, entered[number - 1])
    return b.graph(x)


def _deconv(b: Builder, number: int, x: Value, below: Value) -> Value:
    """Add the transposed filters of layer ``number``, tied to its convolution."""
    layer = LAYERS[number - 1]
    maps = WIDTHS[number - 2] if number > 1 else INPUT[0]
    op = ConvTranspose2d(
        maps,
        (layer.kernel, layer.kernel),
        (layer.stride, layer.stride),
        (layer.padding, layer.padding),
        bias=False,
    )
    inputs = (x, below) if layer.stride > 1 else (x,)
    return b.add(f"deconv{number}", op, *inputs, tied_to=b.named(f"conv{number}"))


def card(name: str) -> ModelCard:
    """Return the card of ``zfnet``, ``zfnet-paper`` or ``zfnet-deconv[-LAYER]``.

    Raises ``UsageError`` for a layer that cannot be projected.
    """
    if not name.startswith(DECONV):
        widths = PAPER_WIDTHS if name == "zfnet-paper" else WIDTHS
        return card_of("zfnet", name, build=partial(build, name, widths))
    target = name.removeprefix(DECONV).removeprefix("-") or "conv5"
    if target not in PROJECTED:
        raise unknown("layer of zfnet to project back", target, PROJECTED)
    title = f"ZFNet's deconvolution network from {target}"
    return card_of("zfnet", name, title=title, build=partial(build_deconv, name, target), classes=0)
