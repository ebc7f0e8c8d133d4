"""Published figures of ResNet's stages, layers and blocks."""

from __future__ import annotations

from functools import partial

from cnnstat.ledger.figure import Ask, Computed, Figure, Subject
from cnnstat.ledger.figures.measure import each, hwc, node_weights, ops, row, window
from cnnstat.ledger.figures.resnet import DEPTHS, MODELS, TABLE_1
from cnnstat.ops import Add, Linear


def _stage_ends(net: Subject) -> list[str]:
    """Return the names of the last blocks of conv2_x to conv5_x."""
    adds = [n.name.partition("/")[0] for n in net.shaped.nodes if isinstance(n.op, Add)]
    return [
        [name for name in adds if name.startswith(f"conv{stage}_")][-1] for stage in range(2, 6)
    ]


def _stage_extents(net: Subject) -> Computed:
    ends = [row(net, f"{name}/add").output.shape[2:] for name in _stage_ends(net)]
    return tuple((h, w) for h, w in ends)


def _stage_channels(net: Subject) -> list[int]:
    return [row(net, f"{name}/add").output.shape[1] for name in _stage_ends(net)]


def _blocks(net: Subject) -> Computed:
    """Return the blocks of each stage, and the depth."""
    adds = [n.name for n in net.shaped.nodes if isinstance(n.op, Add)]
    counts = tuple(sum(name.startswith(f"conv{s}_") for name in adds) for s in range(2, 6))
    return counts, net.totals.depth


def _blocks_of(model: str, ask: Ask) -> Computed:
    return _blocks(ask(model))


def _doubles(ask: Ask) -> Computed:
    """Return whether each stage behind the first has twice the maps of half the extent."""
    net = ask("resnet34")
    channels = _stage_channels(net)
    extents = [row(net, f"{name}/add").output.shape[2] for name in _stage_ends(net)]
    return all(
        b == 2 * a and 2 * small == large
        for a, b, large, small in zip(channels, channels[1:], extents, extents[1:], strict=False)
    )


def _first_bottleneck(ask: Ask) -> Computed:
    """Return the least of the five depths whose blocks have three convolutions."""
    nets = [ask(name) for name in MODELS]
    return min(net.totals.depth for net in nets if net.layer("conv2_1/1x1") is not None)


def _pooled_length(ask: Ask) -> Computed:
    pooled = row(ask("resnet50"), "pool5")
    return pooled.output.numel == pooled.inputs[0].shape[1]


def _classifier(ask: Ask) -> Computed:
    found = ops(ask("resnet50"), Linear)
    return len(found), row(ask("resnet50"), "fc").output.shape[1]


def _stem(ask: Ask) -> Computed:
    net = ask("resnet50")
    kernel, stride, _ = window(net, "conv1")
    return kernel, row(net, "conv1").output.shape[1], stride, row(net, "conv1").output.shape[2:]


SIZES = (
    ("conv1", "112x112", (112, 112)),
    ("conv2_x", "56x56", (56, 56)),
    ("conv3_x", "28x28", (28, 28)),
    ("conv4_x", "14x14", (14, 14)),
    ("conv5_x", "7x7", (7, 7)),
)


def _size(stage: str, ask: Ask) -> Computed:
    net = ask("resnet50")
    if stage == "conv1":
        return tuple(row(net, "conv1").output.shape[2:])
    found = _stage_extents(net)
    return found[int(stage[4]) - 2] if isinstance(found, tuple) else found


FIGURES: tuple[Figure, ...] = (
    *(
        Figure(
            f"slides-{model.replace('resnet', 'resnet-')}-blocks",
            model,
            "blocks of each stage, and depth",
            f"{blocks}",
            (blocks, DEPTHS[model]),
            partial(_blocks_of, model),
            "slides",
            unit="blocks of conv2_x to conv5_x; depth",
        )
        for model, _, blocks in TABLE_1
    ),
    Figure(
        "study-resnet-5models",
        "resnet50",
        "depths",
        "18, 34, 50, 101, 152 (5 models)",
        (18, 34, 50, 101, 152),
        each(MODELS, lambda net: net.totals.depth),
        "study-notes",
        unit="layers; layers; layers; layers; layers",
    ),
    Figure(
        "study-resnet-bottleneck-from",
        "resnet50",
        "least depth with bottleneck blocks",
        "50",
        50,
        _first_bottleneck,
        "study-notes",
    ),
    *(
        Figure(
            f"slides-resnet-{stage}-size",
            "resnet50",
            f"output size of {stage}",
            printed,
            value,
            partial(_size, stage),
            "slides",
            unit="height x width",
            layer="conv1" if stage == "conv1" else "",
        )
        for stage, printed, value in SIZES
    ),
    Figure(
        "slides-resnet-conv1",
        "resnet50",
        "kernel, filters, stride and output size of conv1",
        "7x7, 64, stride 2 -> 112x112",
        (7, 64, 2, (112, 112)),
        _stem,
        "slides",
        unit="kernel; filters; stride; height x width",
        layer="conv1",
    ),
    Figure(
        "slides-resnet-maxpool",
        "resnet50",
        "kernel, stride and output size of the max-pooling",
        "3x3, stride 2 -> 56x56",
        (3, 2, (56, 56)),
        lambda ask: (
            *window(ask("resnet50"), "pool1")[:2],
            row(ask("resnet50"), "pool1").output.shape[2:],
        ),
        "slides",
        unit="kernel; stride; height x width",
        layer="pool1",
    ),
    Figure(
        "study-resnet-stem",
        "resnet50",
        "kernel and weights of conv1",
        "7x7",
        (7, 64 * 3 * 7 * 7),
        lambda ask: (window(ask("resnet50"), "conv1")[0], node_weights(ask("resnet50"), "conv1")),
        "study-notes",
        unit="kernel; weights",
        layer="conv1",
    ),
    Figure(
        "slides-resnet-head",
        "resnet50",
        "outputs of the pooling and the classifier",
        "average pool to 1x1, 1000-d fc",
        ((1, 1, 2048), 1000),
        lambda ask: (
            hwc(row(ask("resnet50"), "pool5").output),
            hwc(row(ask("resnet50"), "fc").output),
        ),
        "slides",
        unit="height x width x channels; units",
    ),
    Figure(
        "slides-resnet-fc",
        "resnet50",
        "fully connected layers and their units",
        "FC 1000 only, after global average pooling",
        (1, 1000),
        _classifier,
        "slides",
        unit="layers; units",
    ),
    Figure(
        "study-resnet-gap",
        "resnet50",
        "global average pooling gives a vector as long as there are channels",
        "number of channels",
        True,
        _pooled_length,
        "study-notes",
        layer="pool5",
    ),
    Figure(
        "slides-resnet-double",
        "resnet34",
        "twice the filters where the stride is 2",
        "filters x2 when stride 2",
        True,
        _doubles,
        "slides",
        kind="statement",
    ),
)
