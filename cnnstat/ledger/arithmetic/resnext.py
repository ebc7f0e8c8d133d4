"""ResNeXt: the ResNets that its README takes for its cost."""

from __future__ import annotations

from cnnstat.ledger.figure import Computed
from cnnstat.ledger.reports import Reports


def twice_resnet101(reports: Reports) -> Computed:
    """Return twice the MACs of ResNet-101."""
    return 2 * reports.outline("resnet101-v1.5").macs
