"""Network in Network: its kinds of layers."""

from __future__ import annotations

from cnnstat.ledger.figure import Computed
from cnnstat.ledger.reads import ops
from cnnstat.ledger.reports import Reports
from cnnstat.ops import Conv2d, GlobalAvgPool2d


def layers(reports: Reports) -> Computed:
    """Return the mlpconv layers and the global average poolings.

    An mlpconv layer is a convolution of more than 1x1 with the 1x1 convolutions after it.
    """
    net = reports.shaped("nin-cifar")
    convolutions = [op for op in ops(net, Conv2d) if isinstance(op, Conv2d)]
    wide = [op for op in convolutions if op.kernel != (1, 1)]
    return len(wide), len(ops(net, GlobalAvgPool2d))
