"""AlexNet: groups, neurons, windows; of the single tower or of the paper's two GPUs."""

from __future__ import annotations

from fractions import Fraction

from cnnstat.ledger.figure import Computed
from cnnstat.ledger.reads import groups, node, row, window
from cnnstat.ledger.reports import Reports
from cnnstat.ops import LocalResponseNorm

LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8")
TWO_GPUS = "alexnet-2gpu"


def group_counts(reports: Reports) -> Computed:
    """Return the groups of conv2 to conv5."""
    return tuple(groups(reports(TWO_GPUS), name) for name in LAYERS[1:5])


def exchanging(reports: Reports) -> Computed:
    """Return the layers after conv1 that read the maps of both GPUs."""
    net = reports(TWO_GPUS)
    return tuple(name for name in LAYERS[1:] if groups(net, name) == 1)


def filters_per_gpu(reports: Reports) -> Computed:
    """Return the filters of conv1 on each GPU."""
    net = reports(TWO_GPUS)
    return row(net, "conv1").output.shape[1] // groups(net, "conv2")


def neurons(reports: Reports) -> Computed:
    """Return the outputs of all weighted layers."""
    return sum(row(reports(TWO_GPUS), name).output.numel for name in LAYERS)


def convolution_neurons(reports: Reports) -> Computed:
    """Return the outputs of the convolutions alone."""
    return sum(row(reports(TWO_GPUS), name).output.numel for name in LAYERS[:5])


def fully_connected_share(reports: Reports) -> Computed:
    """Return the share of the fully connected layers in the parameters."""
    net = reports("alexnet")
    connected = sum(layer.params for layer in net.layers if layer.type == "Linear")
    return Fraction(connected, net.totals_figures.params)


def normalization_window(reports: Reports) -> int:
    """Return the channels in the window of the local response normalisation."""
    op = node(reports("alexnet"), "conv1/lrn")[0].op
    if not isinstance(op, LocalResponseNorm):
        raise LookupError("conv1/lrn is not a local response normalisation")
    return op.size


def normalization_half_width(reports: Reports) -> Computed:
    """Return the channels of that window on each side of its centre."""
    return normalization_window(reports) // 2


def pooling_overlap(reports: Reports) -> Computed:
    """Return kernel, stride and overlap of the poolings."""
    kernel, stride, _ = window(reports("alexnet"), "pool1")
    return kernel, stride, kernel - stride


def pooling_label(reports: Reports) -> Computed:
    """Return the name that table 14-2 would give the last pooling: S and its position."""
    layers = [layer.name for layer in reports("alexnet").layers[1:]]
    return f"S{layers.index('pool5') + 1}"
