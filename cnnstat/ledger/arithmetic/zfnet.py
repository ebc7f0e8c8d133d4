"""ZFNet: its changes to AlexNet."""

from __future__ import annotations

from cnnstat.ledger.figure import Computed
from cnnstat.ledger.reads import groups, ops
from cnnstat.ledger.reports import Reports
from cnnstat.ops import Conv2d


def one_group(reports: Reports) -> Computed:
    """Return whether all five convolutions have one group."""
    net = reports("zfnet")
    return len(ops(net, Conv2d)) == 5 and all(groups(net, f"conv{n}") == 1 for n in range(1, 6))
