"""Wide ResNet: channels and weights at a widening factor k."""

from __future__ import annotations

from fractions import Fraction

from cnnstat.ledger.figure import Computed
from cnnstat.ledger.reads import kernel_weights, row
from cnnstat.ledger.reports import Reports


def widening(reports: Reports) -> Computed:
    """Return the factors by which channels and weights of one convolution grow for k = 8."""
    layer = "stage2/unit2/conv1"
    wide, narrow = reports("wrn-16-8"), reports("wrn-16-1")
    return (
        Fraction(row(wide, layer).output.shape[1], row(narrow, layer).output.shape[1]),
        Fraction(kernel_weights(wide, layer), kernel_weights(narrow, layer)),
    )
