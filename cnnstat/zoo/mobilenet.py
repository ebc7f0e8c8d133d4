"""MobileNet: depthwise separable convolutions, and a multiplier that thins every layer.

Andrew Howard, Menglong Zhu, Bo Chen, Dmitry Kalenichenko, Weijun Wang, Tobias Weyand, Marco
Andreetto and Hartwig Adam, "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
Applications", 2017, https://arxiv.org/abs/1704.04861. Transcribed from its table 1; names of the
layers are those of the Caffe model. ``mobilenet-<alpha>`` has alpha times the channels (section
3.3), ``mobilenet-standard`` full 3x3 convolutions in place of the separable ones (table 4).
The resolution multiplier (section 3.4) is the input's: any resolution will do.
What differs: table 1 gives the last depthwise layer stride 2 although its maps stay 7x7; the stride
is 1 here, as in the authors' code. Convolutions in front of a batch norm have no bias.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import partial
from math import floor

from cnnstat.errors import UsageError, unknown
from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import Graph, Value
from cnnstat.zoo.blocks import GLOBAL_AVG_POOL, classifier, conv, image
from cnnstat.zoo.card import ModelCard, card_of

FIRST_WIDTH = 32
MAX_MULTIPLIER = 100

LAYERS: tuple[tuple[str, int, int], ...] = (
    ("conv2_1", 64, 1),
    ("conv2_2", 128, 2),
    ("conv3_1", 128, 1),
    ("conv3_2", 256, 2),
    ("conv4_1", 256, 1),
    ("conv4_2", 512, 2),
    ("conv5_1", 512, 1),
    ("conv5_2", 512, 1),
    ("conv5_3", 512, 1),
    ("conv5_4", 512, 1),
    ("conv5_5", 512, 1),
    ("conv5_6", 1024, 2),
    ("conv6", 1024, 1),
)
"""Table 1 after the first layer: name, output channels and stride of each separable layer."""

LISTED = ("mobilenet", "mobilenet-0.75", "mobilenet-0.5", "mobilenet-0.25", "mobilenet-standard")


def separable(
    b: Builder, name: str, x: Value, channels: int, out: int, *, stride: int = 1
) -> Value:
    """Add ``name/dw``, a 3x3 per channel, and ``name/sep``, a 1x1; both with norm and ReLU."""
    return b.block(name, _separable, x, channels, out, stride)


def _separable(b: Builder, x: Value, channels: int, out: int, stride: int) -> Value:
    x = conv(b, "dw", x, channels, 3, stride=stride, groups=channels, bias=False, norm=True)
    return conv(b, "sep", x, out, 1, bias=False, norm=True)


def build(name: str, multiplier: Fraction, full: bool, classes: int) -> Graph:
    """Return the graph with ``multiplier`` times the channels; ``full``: no layer is separated."""
    b = Builder(name)
    channels = int(FIRST_WIDTH * multiplier)
    x = b.add("input", image(3, 224, 224))
    x = conv(b, "conv1", x, channels, 3, stride=2, bias=False, norm=True)
    for layer, base, stride in LAYERS:
        out = int(base * multiplier)
        if full:
            x = conv(b, layer, x, out, 3, stride=stride, bias=False, norm=True)
        else:
            x = separable(b, layer, x, channels, out, stride=stride)
        channels = out
    return b.graph(classifier(b, "fc7", b.add("pool6", GLOBAL_AVG_POOL, x), classes))


def multiplier_of(name: str) -> Fraction:
    """Return alpha of ``mobilenet-<alpha>``.

    Raises ``UsageError`` with the rule and the nearest legal names unless 32 * alpha, the channels
    of the first layer, is a whole number; all other widths are multiples of it.
    """
    match = re.fullmatch(r"mobilenet-(\d{1,4}(?:\.\d{1,12})?)", name)
    if match is None:
        listing = "mobilenet-<width multiplier>, such as mobilenet-0.75; mobilenet-standard"
        raise unknown("model", name, LISTED, listing=listing)
    multiplier = Fraction(match[1])
    width = FIRST_WIDTH * multiplier
    if not 0 < multiplier <= MAX_MULTIPLIER:
        raise UsageError(
            f"{name}: the width multiplier must be above 0 and at most {MAX_MULTIPLIER}"
        )
    if width.denominator == 1:
        return multiplier
    near = [whole for whole in (floor(width), floor(width) + 1) if whole]
    names = ", ".join(map(_spell, near))
    raise UsageError(
        f"{name}: {FIRST_WIDTH} times the width multiplier must be a whole number of channels, not "
        f"{float(width):g}; nearest {'are' if len(near) > 1 else 'is'} {names}"
    )


def _spell(width: int) -> str:
    return "mobilenet" if width == FIRST_WIDTH else f"mobilenet-{width / FIRST_WIDTH:g}"


def card(name: str) -> ModelCard:
    """Return the card of a MobileNet; raise ``UsageError`` for an illegal multiplier."""
    full = name == "mobilenet-standard"
    multiplier = Fraction(1) if full or name == "mobilenet" else multiplier_of(name)
    title = "MobileNet" if multiplier == 1 else f"{float(multiplier):g} MobileNet"
    return card_of(
        "mobilenet",
        name,
        title=f"{title} with full convolutions" if full else title,
        build=partial(build, name, multiplier, full),
    )
