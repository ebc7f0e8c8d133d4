"""ResNet for ImageNet: residual blocks of two 3x3 convolutions, or of a bottleneck of three.

Kaiming He, Xiangyu Zhang, Shaoqing Ren, Jian Sun, "Deep Residual Learning for Image Recognition",
CVPR 2016, https://arxiv.org/abs/1512.03385. Transcribed from its table 1; batch norm after every
convolution, which has no bias; projection shortcuts where the shape changes (option B). The first
1x1 convolution of a bottleneck has the stride.
``-v1.5`` has the stride in the 3x3 instead (torchvision, NVIDIA) and, as there, leaves the softmax
to the loss. ``-a`` has shortcuts without weights (option A).
"""

from functools import partial
from typing import NamedTuple

from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import Graph, Value
from cnnstat.ops import Add, ZeroPadShortcut
from cnnstat.zoo.blocks import (
    GLOBAL_AVG_POOL,
    RELU,
    classifier,
    conv,
    flatten,
    image,
    linear,
    max_pool,
)
from cnnstat.zoo.card import ModelCard, card_of

WIDTHS = (64, 128, 256, 512)
ADD = Add()
_conv = partial(conv, bias=False, norm=True)


class Form(NamedTuple):
    """One column of table 1: blocks per stage, which block, and the shortcuts: option A or B.

    The 3x3 of a bottleneck has ``cardinality`` groups of ``group_width`` filters in the first stage
    (ResNeXt; a wide ResNet has one group of more than 64). Without ``residual`` the net is plain.
    """

    blocks: tuple[int, ...]
    bottleneck: bool
    stride_in_3x3: bool = False
    option: str = "B"
    cardinality: int = 1
    group_width: int = 64
    residual: bool = True


# Table 1.
DEPTHS = {
    "resnet18": Form((2, 2, 2, 2), bottleneck=False),
    "resnet34": Form((3, 4, 6, 3), bottleneck=False),
    "resnet50": Form((3, 4, 6, 3), bottleneck=True),
    "resnet101": Form((3, 4, 23, 3), bottleneck=True),
    "resnet152": Form((3, 8, 36, 3), bottleneck=True),
}


def form_of(name: str) -> Form:
    """Return the form of one of the family's names."""
    depth, _, variant = name.partition("-")
    form = DEPTHS[depth]
    if variant == "a":
        return form._replace(option="A")
    return form._replace(stride_in_3x3=variant == "v1.5")


def build(name: str, classes: int) -> Graph:
    """Return one column of table 1."""
    return build_form(name, form_of(name), classes, softmax=not name.endswith("-v1.5"))


def build_form(name: str, form: Form, classes: int, *, softmax: bool = True) -> Graph:
    """Return the ImageNet net of this form: the stem, the stages, the classifier."""
    b = Builder(name)
    x = _conv(b, "conv1", b.add("input", image(3, 224, 224)), 64, 7, stride=2)
    x = stages(b, max_pool(b, "pool1", x, 3, 2, padding=(1, 1)), form)
    x = b.add("pool5", GLOBAL_AVG_POOL, x)
    if softmax:
        return b.graph(classifier(b, "fc", x, classes))
    return b.graph(linear(b, "fc", flatten(b, "fc", x), classes))


def stages(b: Builder, x: Value, form: Form) -> Value:
    """Add the stages, conv2_x and on, to ``x`` of 64 maps; all but the first halve the extents."""
    channels = 64
    for stage, count in enumerate(form.blocks, 2):
        width = WIDTHS[stage - 2]
        for index in range(1, count + 1):
            stride = 2 if stage > 2 and index == 1 else 1
            x = b.block(f"conv{stage}_{index}", _block, x, channels, width, stride, form)
            channels = 4 * width if form.bottleneck else width
    return x


def _block(b: Builder, x: Value, channels: int, width: int, stride: int, form: Form) -> Value:
    """Add one residual block on ``channels`` maps; its result has 4 or 1 times ``width``."""
    if form.bottleneck:
        out = 4 * width
        first, second = (1, stride) if form.stride_in_3x3 else (stride, 1)
        inner = width * form.group_width // 64 * form.cardinality
        y = _conv(b, "1x1", x, inner, 1, stride=first)
        y = _conv(b, "3x3", y, inner, 3, stride=second, groups=form.cardinality)
        y = _conv(b, "1x1_expand", y, out, 1, act=None)
    else:
        out = width
        y = _conv(b, "3x3_1", x, width, 3, stride=stride)
        y = _conv(b, "3x3_2", y, width, 3, act=RELU if not form.residual else None)
    if not form.residual:
        return y
    if stride != 1 or out != channels:
        if form.option == "A":
            x = b.add("shortcut", ZeroPadShortcut(out, stride), x)
        else:
            x = _conv(b, "shortcut", x, out, 1, stride=stride, act=None)
    return b.add("add/relu", RELU, b.add("add", ADD, y, x))


def card(name: str) -> ModelCard:
    """Return the card of one of the family's names."""
    depth, _, variant = name.removeprefix("resnet").partition("-")
    suffix = {"": "", "a": ", option A", "v1.5": " v1.5"}[variant]
    return card_of("resnet", name, title=f"ResNet-{depth}{suffix}", build=partial(build, name))
