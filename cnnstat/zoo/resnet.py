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
from cnnstat.zoo.card import Accuracy, ModelCard, Paper, Training
from cnnstat.zoo.torchvision_weights import torchvision_errors

PAPER = Paper(
    "He, Zhang, Ren, Sun",
    "Deep Residual Learning for Image Recognition",
    "CVPR 2016",
    2015,
    "https://arxiv.org/abs/1512.03385",
)

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
NAMES = (
    *("resnet18", "resnet18-a", "resnet34", "resnet34-a", "resnet50", "resnet50-v1.5"),
    *("resnet101", "resnet101-v1.5", "resnet152", "resnet152-v1.5"),
)

TRAINING = Training(
    optimizer="SGD, momentum 0.9",
    batch="256",
    learning_rate="0.1, divided by 10 when the error plateaus; up to 600,000 iterations",
    decay="1e-4",
    regularization="batch norm, no dropout; random crops of images rescaled to 256 to 480, "
    "reflections, colour shifts",
    initialization="He et al. 2015 (Gaussian of variance 2/fan-in; 'Xavier/2' on lecture slides)",
    corrections=(
        "Lecture slides give a weight decay of 1e-5; the paper has 0.0001 = 1e-4 (section 3.4).",
        "Lecture slides print the initialisation as 'Xavier 2/'; 'Xavier/2' is meant.",
        "A lecture source calls the learning rate adaptive; it is 0.1, divided by 10 at plateaus.",
    ),
)
TORCHVISION_TRAINING = Training(
    optimizer="SGD, momentum 0.9",
    batch="256 (32 on each of 8 GPUs)",
    learning_rate="0.1, divided by 10 every 30 of 90 epochs",
    decay="1e-4",
    regularization="batch norm, no dropout; random resized crops, reflections",
    initialization="He et al. 2015, by fan-out",
)
IDEAS = (
    "H(x) = F(x) + x: a block learns the difference to its input, and an identity is easy to learn",
    "batch norm after every convolution",
    "bottlenecks (1x1, 3x3, 1x1) from 50 layers on keep the work of two 3x3 convolutions",
)
ERRORS = {
    "resnet18-a": (("one model, 10 crops", "table 2", 27.88, None),),
    "resnet34-a": (("one model, 10 crops", "table 3", 25.03, 7.76),),
    "resnet34": (
        ("one model, 10 crops", "table 3", 24.52, 7.46),
        ("one model, six scales", "table 4", 21.84, 5.71),
    ),
    "resnet50": (
        ("one model, 10 crops", "table 3", 22.85, 6.71),
        ("one model, six scales", "table 4", 20.74, 5.25),
    ),
    "resnet101": (
        ("one model, 10 crops", "table 3", 21.75, 6.05),
        ("one model, six scales", "table 4", 19.87, 4.60),
    ),
    "resnet152": (
        ("one model, 10 crops", "table 3", 21.43, 5.71),
        ("one model, six scales", "table 4", 19.38, 4.49),
    ),
}
"""Setting, table of the paper, top-1 and top-5 validation error in percent."""


ONE_CROP_ERRORS = {"resnet50": (24.7, 7.8), "resnet101": (23.6, 7.1), "resnet152": (23.0, 6.7)}
README = "KaimingHe/deep-residual-networks, README, table of 1-crop errors"
"""Top-1 and top-5 validation error in percent of the authors' released models."""

ENSEMBLE = Accuracy(
    "ILSVRC 2015 test",
    "6 models of different depths, two of 152 layers",
    "He et al. 2015, table 5",
    None,
    3.57,
    ensemble=True,
)
RESULT = "won ILSVRC 2015: top-5 test error 3.57%, ensemble of 6"
FACTS = (
    "First in all five main tracks of ILSVRC and COCO 2015: ImageNet classification, detection and "
    "localisation, COCO detection and segmentation (as on the authors' slide).",
    "Margins over the second, as on the authors' slide: ImageNet detection 16%, localisation 27%, "
    "COCO detection 11%, segmentation 12%.",
    "Lecture slides compare it with the human top-5 error of about 5.1% (Russakovsky et al. 2014): "
    "the ensemble is below it.",
    "Degradation: a plain 56-layer network has a higher error than a 20-layer one, in training "
    "as well as in the test (figure 1, CIFAR-10), so it is not overfitting.",
    "Learning rate 0.1 divided by 10, momentum 0.9, batch 256 and no dropout are on the lecture "
    "slides as in the paper.",
)

V15_FACTS = (
    "NVIDIA, who named it, states about 0.5% more top-1 accuracy than the form of 2015 at about 5% "
    "less throughput.",
)


def form_of(name: str) -> Form:
    """Return the form of one of ``NAMES``."""
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
    """Return the card of one of ``NAMES``."""
    depth, _, variant = name.partition("-")
    departs = {
        "": "",
        "a": "shortcuts without weights: every other element, zeros for the new maps (option A)",
        "v1.5": "stride 2 in the 3x3 convolution of a bottleneck, not in the first 1x1; no softmax",
    }[variant]
    suffix = {"": "", "a": ", option A", "v1.5": " v1.5"}[variant]
    return ModelCard(
        name=name,
        title=f"ResNet-{depth.removeprefix('resnet')}{suffix}",
        family="ResNet",
        paper=PAPER,
        build=partial(build, name),
        departs=departs,
        result=RESULT if variant != "v1.5" else "",
        ideas=IDEAS if form_of(name).bottleneck else IDEAS[:2],
        training=TRAINING if variant != "v1.5" else TORCHVISION_TRAINING,
        accuracy=_accuracy(name),
        facts=FACTS if variant != "v1.5" else V15_FACTS,
    )


def _accuracy(name: str) -> tuple[Accuracy, ...]:
    data = "ILSVRC 2012 validation"
    rows = [
        Accuracy(data, setting, f"He et al. 2015, {table}", top1, top5)
        for setting, table, top1, top5 in ERRORS.get(name, ())
    ]
    if name in ONE_CROP_ERRORS:
        rows.append(Accuracy(data, "one model, one crop", README, *ONE_CROP_ERRORS[name]))
    rows += torchvision_errors(name)
    return (*rows, ENSEMBLE) if name == "resnet152" else tuple(rows)
