"""Published figures of FractalNet, in millions of parameters."""

from __future__ import annotations

from cnnstat.ledger.figure import Figure
from cnnstat.ledger.figures.table import Line, Reason, entries

_LARGER = Reason(
    "the rule of section 2 with three columns and the printed widths stores the computed number; "
    "at the widths of table 3 the same rule gives the printed figures"
)

FIGURES: tuple[Figure, ...] = (
    *entries(
        "larsson-2016",
        "table 1",
        (Line("fractalnet20-cifar", "38.6"),),
        {("fractalnet20-cifar", "params"): _LARGER},
    ),
    *entries(
        "larsson-2016",
        "table 3",
        (
            Line("fractalnet5-16-cifar", "0.3"),
            Line("fractalnet10-16-cifar", "0.8"),
            Line("fractalnet20-16-cifar", "2.1"),
            Line("fractalnet40-16-cifar", "4.8"),
            Line("fractalnet80-16-cifar", "10.2"),
            Line("fractalnet160-16-cifar", "21.1"),
        ),
    ),
)
