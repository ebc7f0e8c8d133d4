"""ZFNet: its changes to AlexNet."""

from __future__ import annotations

from cnnstat.ledger.figure import Computed
from cnnstat.ledger.reads import groups, ops
from cnnstat.ledger.reports import Reports
from cnnstat.ops import Conv2d


def one_group(reports: Reports) -> Computed:
    """Return whether all five convolutions have one group."""
    net = reports("zfnet")
    grouped = [groups(net, f"conv{n}") for n in range(1, 6)]
    return len(ops(net.shaped, Conv2d)) == 5 and grouped == [1] * 5
