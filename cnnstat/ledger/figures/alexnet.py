"""Published figures of AlexNet as a whole; ``alexnet_rows`` holds those of its layers.

``alexnet`` is the single tower that the slides' table counts; ``alexnet-2gpu`` the paper's two.
"""

from __future__ import annotations

from fractions import Fraction

from cnnstat.ledger.figure import (
    Accounting,
    Ask,
    Bound,
    Computed,
    Figure,
    Printed,
    Subject,
    million,
    thousand,
)
from cnnstat.ledger.figures.measure import groups, hwc, node, ops, row, total, window
from cnnstat.ops import Conv2d, Linear, LocalResponseNorm

LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8")


def _kinds(ask: Ask) -> Computed:
    net = ask("alexnet")
    return len(ops(net, Conv2d)), len(ops(net, Linear))


def _depth(ask: Ask) -> Computed:
    net = ask("alexnet")
    return len(ops(net, Conv2d)), len(ops(net, Linear)), net.totals.depth


def _groups(ask: Ask) -> Computed:
    net = ask("alexnet-2gpu")
    return tuple(groups(net, name) for name in LAYERS[1:5])


def _exchanging(ask: Ask) -> Computed:
    """Return the layers behind conv1 that read the maps of both GPUs."""
    net = ask("alexnet-2gpu")
    return tuple(name for name in LAYERS[1:] if groups(net, name) == 1)


def _extents(ask: Ask) -> Computed:
    return hwc(ask("alexnet").input)


def _fc_share(ask: Ask) -> Computed:
    net = ask("alexnet")
    connected = sum(layer.params for layer in net.layers if layer.type == "Linear")
    return Fraction(connected, net.totals.params)


def _neurons(net: Subject) -> tuple[int, ...]:
    return tuple(row(net, name).output.numel for name in LAYERS)


def _kernels_behind_first(ask: Ask) -> Computed:
    net = ask("alexnet")
    return tuple(window(net, name)[:2] for name in LAYERS[1:5])


def _lrn_window(ask: Ask) -> int:
    found = node(ask("alexnet"), "conv1/lrn").op
    if not isinstance(found, LocalResponseNorm):
        raise LookupError("conv1/lrn is no local response normalisation")
    return found.size


def _pools(ask: Ask) -> Computed:
    kernel, stride, _ = window(ask("alexnet"), "pool1")
    return kernel, stride, kernel - stride


def _pool_label(ask: Ask) -> Computed:
    """Return the name that the table's own scheme gives the last pooling: S and its position."""
    layers = [layer.name for layer in ask("alexnet").layers[1:]]
    return f"S{layers.index('pool5') + 1}"


FIGURES: tuple[Figure, ...] = (
    Figure(
        "slides-alexnet-table-total",
        "alexnet",
        "parameters",
        "62,378,344",
        62_378_344,
        total("alexnet", "params"),
        "slides",
        headline=True,
    ),
    Figure(
        "study-alexnet-62m",
        "alexnet",
        "parameters",
        "62 million",
        million("62"),
        total("alexnet", "params"),
        "study-notes",
        headline=True,
    ),
    Figure(
        "slides-alexnet-62mb",
        "alexnet",
        "size of the parameters",
        "62 MByte",
        million("62"),
        total("alexnet", "param_bytes"),
        "slides",
        unit="bytes",
        otherwise=(
            Accounting("with 1 byte a parameter, not the 4 of float32", total("alexnet", "params")),
        ),
        explanation="62 is the number of parameters in millions, not of bytes",
        headline=True,
    ),
    Figure(
        "krizhevsky-2012-params",
        "alexnet-2gpu",
        "parameters",
        "60 million",
        million("60"),
        total("alexnet-2gpu", "params"),
        "krizhevsky-2012",
        place="abstract",
        headline=True,
    ),
    Figure(
        "krizhevsky-2012-neurons",
        "alexnet-2gpu",
        "neurons",
        "650,000",
        thousand("650"),
        lambda ask: sum(_neurons(ask("alexnet-2gpu"))),
        "krizhevsky-2012",
        place="abstract",
        unit="outputs of the weighted layers",
        otherwise=(
            Accounting(
                "without the outputs of the three fully connected layers",
                lambda ask: sum(_neurons(ask("alexnet-2gpu"))[:5]),
            ),
        ),
        explanation="the abstract does not say which neurons it counts",
        headline=True,
    ),
    Figure(
        "krizhevsky-2012-neurons-by-layer",
        "alexnet-2gpu",
        "neurons of each layer",
        "253,440-186,624-64,896-64,896-43,264-4096-4096-1000",
        (253_440, 186_624, 64_896, 64_896, 43_264, 4096, 4096, 1000),
        lambda ask: _neurons(ask("alexnet-2gpu")),
        "krizhevsky-2012",
        place="figure 2",
        unit="conv1 to conv5, fc6 to fc8",
        explanation="only conv1 differs: 253,440 is 55*48*96, and 55x55x96 are meant",
    ),
    Figure(
        "blog-alexnet-layer-counts",
        "alexnet",
        "layers by kind",
        "Conv 5, FC 3",
        (5, 3),
        _kinds,
        "blog",
        unit="convolutions; fully connected",
    ),
    Figure(
        "study-alexnet-8",
        "alexnet",
        "depth",
        "conv x5, fc x3: 8",
        (5, 3, 8),
        _depth,
        "study-notes",
        unit="convolutions; fully connected; depth",
        headline=True,
    ),
    Figure(
        "blog-alexnet-connectivity",
        "alexnet-2gpu",
        "groups of conv2 to conv5",
        "conv 2,4,5 same GPU only; conv 3 both",
        (2, 1, 2, 2),
        _groups,
        "blog",
    ),
    Figure(
        "slides-alexnet-wiring",
        "alexnet-2gpu",
        "layers behind conv1 that read the maps of both GPUs",
        "CONV1,2,4,5 same GPU; CONV3, FC6-8 all",
        ("conv3", "fc6", "fc7", "fc8"),
        _exchanging,
        "slides",
    ),
    Figure(
        "study-alexnet-exchange",
        "alexnet-2gpu",
        "layers behind conv1 that read the maps of both GPUs",
        "Conv3, Conv5, FC6, FC7 (FC8 joins)",
        ("conv3", "conv5", "fc6", "fc7", "fc8"),
        _exchanging,
        "study-notes",
        explanation="in the paper conv5 reads the maps of its own GPU only; of the convolutions "
        "behind the first, conv3 alone reads both",
    ),
    Figure(
        "study-alexnet-48-per-group",
        "alexnet-2gpu",
        "filters of conv1 on each GPU",
        "48",
        48,
        lambda ask: (
            row(ask("alexnet-2gpu"), "conv1").output.shape[1]
            // groups(ask("alexnet-2gpu"), "conv2")
        ),
        "study-notes",
        layer="conv1",
    ),
    Figure(
        "blog-alexnet-input-typo",
        "alexnet",
        "input",
        "224 in the figure is a misprint, 227x227 is meant",
        (227, 227, 3),
        _extents,
        "blog",
        unit="height x width x channels",
    ),
    Figure(
        "slides-alexnet-input",
        "alexnet",
        "input",
        "227x227x3 (paper: 224, said to be a misprint)",
        (227, 227, 3),
        _extents,
        "slides",
        unit="height x width x channels",
    ),
    Figure(
        "handson-alexnet-table-in",
        "alexnet",
        "input",
        "3, 227 x227",
        (227, 227, 3),
        _extents,
        "handson-notes",
        unit="height x width x channels",
        place="table 14-2",
    ),
    Figure(
        "study-alexnet-input-277",
        "alexnet",
        "input",
        "277 x 277 x 3",
        (277, 277, 3),
        _extents,
        "study-notes",
        unit="height x width x channels",
        explanation="a misprint of 227, which the same notes print elsewhere; (277 - 11)/4 is no "
        "whole number of steps, (227 - 11)/4 is",
    ),
    Figure(
        "study-alexnet-fc-share",
        "alexnet",
        "share of the fully connected layers in the parameters",
        "concentrated in the FC layers",
        Bound(">", Fraction(1, 2)),
        _fc_share,
        "study-notes",
        unit="share",
        kind="statement",
        headline=True,
    ),
    Figure(
        "study-alexnet-conv1-k",
        "alexnet",
        "kernel and stride of conv1",
        "11x11, 4",
        (11, 4),
        lambda ask: window(ask("alexnet"), "conv1")[:2],
        "study-notes",
        layer="conv1",
    ),
    Figure(
        "study-alexnet-rest-3x3",
        "alexnet",
        "kernel and stride of conv2 to conv5",
        "all remaining conv layers are 3x3, 1",
        ((3, 1), (3, 1), (3, 1), (3, 1)),
        _kernels_behind_first,
        "study-notes",
        explanation="conv2 has 5x5 kernels; conv3, conv4 and conv5 are as said",
    ),
    Figure(
        "study-alexnet-pool-overlap",
        "alexnet",
        "kernel, stride and overlap of the poolings",
        "3x3, 2, one pixel",
        (3, 2, 1),
        _pools,
        "study-notes",
    ),
    Figure(
        "handson-alexnet-table-label-f8",
        "alexnet",
        "label of the third pooling",
        "F8",
        "F8",
        _pool_label,
        "handson-notes",
        place="table 14-2",
        layer="pool5",
        explanation="a misprint: in the table's scheme F is a fully connected layer, S a pooling",
    ),
    Figure(
        "handson-alexnet-lrn-window",
        "alexnet",
        "r of the local response normalisation",
        "j_low = max(0, i - r/2), with r = 2",
        2,
        _lrn_window,
        "handson-notes",
        unit="channels",
        otherwise=(
            Accounting(
                "r as TensorFlow's depth_radius, the channels on each side",
                lambda ask: _lrn_window(ask) // 2,
            ),
        ),
        explanation="the printed formula halves r, so its r is the full width of the window; the "
        "printed r is the half width",
    ),
    Figure(
        "torchvision-alexnet-params",
        "alexnet-owt",
        "parameters",
        "61100840",
        61_100_840,
        total("alexnet-owt", "params"),
        "torchvision",
        headline=True,
    ),
    Figure(
        "torchvision-alexnet-macs",
        "alexnet-owt",
        "MACs",
        "0.71 GFLOPS",
        Printed("0.71", Fraction(10**9)),
        total("alexnet-owt", "macs"),
        "torchvision",
        headline=True,
    ),
)
