"""Published figures of Wide ResNet: the paper's parameters, and what a factor k multiplies."""

from __future__ import annotations

from fractions import Fraction

from cnnstat.ledger.figure import Ask, Computed, Figure
from cnnstat.ledger.figures.measure import node_weights, row
from cnnstat.ledger.figures.table import Line, entries

K = 8


def _widening(ask: Ask) -> Computed:
    """Return by what the channels and the weights of one convolution grow for k = 8."""
    layer = "stage2/unit2/conv1"
    wide, narrow = ask(f"wrn-16-{K}"), ask("wrn-16-1")
    return (
        Fraction(row(wide, layer).output.shape[1], row(narrow, layer).output.shape[1]),
        Fraction(node_weights(wide, layer), node_weights(narrow, layer)),
    )


FIGURES: tuple[Figure, ...] = (
    *entries(
        "zagoruyko-2016",
        "table 4",
        (
            Line("wrn-40-1", "0.6"),
            Line("wrn-40-2", "2.2"),
            Line("wrn-40-4", "8.9"),
            Line("wrn-40-8", "35.7"),
            Line("wrn-28-10", "36.5"),
            Line("wrn-28-12", "52.5"),
            Line("wrn-22-8", "17.2"),
            Line("wrn-22-10", "26.8"),
            Line("wrn-16-8", "11.0"),
            Line("wrn-16-10", "17.1"),
        ),
    ),
    *entries(
        "torchvision",
        "",
        (
            Line("wide-resnet50-2", giga_macs="11.40", exact_params=68_883_240),
            Line("wide-resnet101-2", giga_macs="22.75", exact_params=126_886_696),
        ),
    ),
    Figure(
        "study-wrn-width",
        "wrn-16-8",
        "channels and weights of a convolution, as multiples of width 1",
        "F x k filters: channels and neurons k times",
        (K, K**2),
        _widening,
        "study-notes",
        unit="channels; weights",
        kind="statement",
    ),
)
