"""MobileNet: shares of kinds of layers, a shallower net, the layer of table 3 made thinner."""

from __future__ import annotations

from fractions import Fraction

from cnnstat.count.report import Report
from cnnstat.ir.builder import Builder
from cnnstat.ledger.figure import Computed
from cnnstat.ledger.reads import kernel_weights, node
from cnnstat.ledger.reports import Reports
from cnnstat.ops import Conv2d, Input

REMOVED = ("conv5_1/", "conv5_2/", "conv5_3/", "conv5_4/", "conv5_5/")
CHANNELS = 512 * 3 // 4


def _layers(net: Report, ending: str = "") -> list[str]:
    return [r.name for r in net.layers if r.params and r.name.endswith(ending)]


def share_of_macs(reports: Reports, ending: str) -> Computed:
    """Return the share in the MACs of the layers whose names have this ending."""
    net = reports("mobilenet")
    works = [node(net, name)[1].work for name in _layers(net, ending)]
    return Fraction(sum(work.macs for work in works if work), net.totals_figures.work.macs)


def share_of_weights(reports: Reports, ending: str) -> Computed:
    """Return their share in the weights of the convolutions and the fully connected layer."""
    net = reports("mobilenet")
    parts = (
        sum(kernel_weights(net, name) for name in names)
        for names in (_layers(net, ending), _layers(net))
    )
    return Fraction(*parts)


def shallow(reports: Reports) -> Computed:
    """Return MACs and parameters without the five equal layers on 14x14 maps."""
    net = reports("mobilenet")
    removed = [r for r in net.layers if r.name.startswith(REMOVED)]
    macs = sum(r.macs or 0 for r in removed)
    totals = net.totals_figures
    return totals.work.macs - macs, totals.params - sum(r.params for r in removed)


def thinner_layer(reports: Reports, extent: int) -> Computed:
    """Return MACs and parameters of table 3's separable layer with 384 channels on such maps."""
    b = Builder("depthwise-separable, 384 channels")
    x = b.add("input", Input((CHANNELS, extent, extent)))
    x = b.add("dw", Conv2d(CHANNELS, (3, 3), padding="same", groups=CHANNELS, bias=False), x)
    x = b.add("sep", Conv2d(CHANNELS, (1, 1), bias=False), x)
    totals = reports(b.graph(x)).totals_figures
    return totals.work.macs, totals.params
