"""Wide ResNet: what a factor k multiplies."""

from __future__ import annotations

from fractions import Fraction

from cnnstat.ledger.figure import Computed
from cnnstat.ledger.reads import kernel_weights, row
from cnnstat.ledger.reports import Reports


def widening(reports: Reports) -> Computed:
    """Return by what the channels and the weights of one convolution grow for k = 8."""
    layer = "stage2/unit2/conv1"
    wide, narrow = reports("wrn-16-8"), reports("wrn-16-1")
    return (
        Fraction(row(wide, layer).output.shape[1], row(narrow, layer).output.shape[1]),
        Fraction(kernel_weights(wide, layer), kernel_weights(narrow, layer)),
    )
