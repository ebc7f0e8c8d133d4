"""Published figures of ZFNet: what it changed in AlexNet."""

from __future__ import annotations

from cnnstat.ledger.figure import Ask, Computed, Figure
from cnnstat.ledger.figures.measure import groups, ops, row, window
from cnnstat.ops import Conv2d

NET = "zfnet"


def _first_convolutions(ask: Ask) -> Computed:
    """Return kernel and stride of conv1 in AlexNet and in ZFNet."""
    return tuple(window(ask(name), "conv1")[:2] for name in ("alexnet", NET))


def _last_filters(ask: Ask) -> Computed:
    """Return the filters of conv3 to conv5 in AlexNet and in ZFNet."""
    return tuple(
        tuple(row(ask(name), f"conv{number}").output.shape[1] for number in (3, 4, 5))
        for name in ("alexnet", NET)
    )


def _extents(ask: Ask) -> Computed:
    """Return the height of every map up to the last pooling."""
    layers = ask("zfnet-paper").layers[1:9]
    return tuple(layer.output.shape[2] for layer in layers)


def _one_group(ask: Ask) -> Computed:
    net = ask(NET)
    return len(ops(net, Conv2d)) == 5 and all(groups(net, f"conv{n}") == 1 for n in range(1, 6))


_KERNELS = "kernel and stride of conv1, before and after"
_FILTERS = "filters of conv3 to conv5, before and after"

FIGURES: tuple[Figure, ...] = (
    Figure(
        "study-zfnet-conv1",
        NET,
        _KERNELS,
        "11x11,4 -> 7x7,2",
        ((11, 4), (7, 2)),
        _first_convolutions,
        "study-notes",
        unit="AlexNet; ZFNet",
        headline=True,
    ),
    Figure(
        "slides-zfnet-conv1",
        NET,
        _KERNELS,
        "11x11 s4 -> 7x7 s2",
        ((11, 4), (7, 2)),
        _first_convolutions,
        "slides",
        unit="AlexNet; ZFNet",
        headline=True,
    ),
    Figure(
        "study-zfnet-filters",
        NET,
        _FILTERS,
        "384,384,256 -> 512,1024,512",
        ((384, 384, 256), (512, 1024, 512)),
        _last_filters,
        "study-notes",
        unit="AlexNet; ZFNet",
        headline=True,
    ),
    Figure(
        "slides-zfnet-filters",
        NET,
        _FILTERS,
        "512, 1024, 512 instead of 384, 384, 256",
        ((384, 384, 256), (512, 1024, 512)),
        _last_filters,
        "slides",
        unit="AlexNet; ZFNet",
        headline=True,
    ),
    Figure(
        "study-zfnet-one-group",
        NET,
        "all convolutions have one group",
        "merged into one",
        True,
        _one_group,
        "study-notes",
        kind="statement",
    ),
    Figure(
        "zeiler-2013-extents",
        "zfnet-paper",
        "extents of the feature maps",
        "110, 55, 26, 13, 13, 13, 13, 6",
        (110, 55, 26, 13, 13, 13, 13, 6),
        _extents,
        "zeiler-2013",
        unit="conv1; pool1; conv2; pool2; conv3; conv4; conv5; pool5",
        place="figure 3",
        headline=True,
    ),
)
