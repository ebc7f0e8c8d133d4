"""VGG: activation memory with cached inputs, shares of layers, windows."""

from __future__ import annotations

from fractions import Fraction

from cnnstat.ledger.figure import Computed
from cnnstat.ledger.reads import row, values, window
from cnnstat.ledger.reports import Reports
from cnnstat.ops import Conv2d, MaxPool2d

CONFIGURATIONS = ("vgg11", "vgg11-lrn", "vgg13", "vgg16-1x1", "vgg16", "vgg19")
KINDS = {"convolution": Conv2d, "pooling": MaxPool2d}


def values_with_convolution_inputs(reports: Reports) -> Computed:
    """Return the values of all rows, and once more those that enter the convolutions."""
    net = reports("vgg16")
    inputs = [layer.inputs[0].numel for layer in net.layers if layer.type == "Conv2d"]
    return values(net, net.totals.activation_bytes) + sum(inputs)


def rounded_cached_bytes(reports: Reports) -> Computed:
    """Return 4 bytes for each of the values with cached inputs, rounded to millions first."""
    net = reports("vgg16")
    millions = (values(net, net.totals.cached_activation_bytes) + 500_000) // 1_000_000
    return millions * 1_000_000 * 4


def mebibytes(reports: Reports, quantity: str) -> Computed:
    """Return a total in bytes in units of 2^20."""
    return Fraction(getattr(reports("vgg16").totals, quantity), 2**20)


def early_share(reports: Reports) -> Computed:
    """Return the share of the first two blocks and their poolings in all activations."""
    net = reports("vgg16")
    early = [layer for layer in net.layers if layer.name.startswith(("conv1", "conv2"))]
    early += [row(net, "pool1"), row(net, "pool2")]
    return Fraction(sum(r.activation_bytes for r in early), net.totals.activation_bytes)


def late_share(reports: Reports) -> Computed:
    """Return the share of the fully connected layers in the weights."""
    net = reports("vgg16")
    connected = sum(layer.weights for layer in net.layers if layer.type == "Linear")
    return Fraction(connected, net.totals_figures.weights)


def windows(reports: Reports, kind: str, model: str = "vgg16") -> tuple[tuple[int, int, int], ...]:
    """Return the different (kernel, stride, padding) of the convolutions or of the poolings."""
    net = reports(model)
    names = [n.name for n in net.shaped.nodes if isinstance(n.op, KINDS[kind])]
    return tuple(sorted({window(net, name) for name in names}))


def kernels_and_strides(reports: Reports) -> Computed:
    """Return (kernel, stride) of all convolutions and of all poolings."""
    return tuple(w[:2] for kind in KINDS for w in windows(reports, kind))


def distinct_depths(reports: Reports) -> Computed:
    """Return the different depths of the configurations, and how many configurations there are."""
    depths = [reports.outline(name).depth for name in CONFIGURATIONS]
    return tuple(sorted(set(depths))), len(depths)


def output_sizes(reports: Reports) -> Computed:
    """Return how many different sizes the outputs of the convolutions have."""
    layers = reports("vgg16").layers
    return len({layer.output.shape[2:] for layer in layers if layer.type == "Conv2d"})
