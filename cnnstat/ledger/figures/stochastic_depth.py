"""Published figures of stochastic depth: how many residual blocks survive on average."""

from __future__ import annotations

from fractions import Fraction

from cnnstat.ledger.figure import Ask, Computed, Figure, Printed
from cnnstat.ledger.figures.measure import ops
from cnnstat.ledger.figures.preresnet import WITHOUT_NORMALISATION
from cnnstat.ledger.figures.table import Line, Reason, entries
from cnnstat.ops import DropPath

NET = "stochastic-depth-110-cifar"


def _surviving(ask: Ask) -> Computed:
    """Return the expected number of residual blocks, and how many there are."""
    drops = ops(ask(NET), DropPath)
    return sum((Fraction(str(op.survival)) for op in drops), Fraction(0)), len(drops)


_OTHER_NET = Reason(
    "ResNet's own table 6 prints 19.4M for 1202 layers; this is the figure of another net, the "
    "pre-activation one of 1001 layers",
    (WITHOUT_NORMALISATION,),
)

FIGURES: tuple[Figure, ...] = (
    Figure(
        "huang-2016-depth-expected-blocks",
        NET,
        "residual blocks that survive on average, of all",
        "E(L) = 40 with L = 54 blocks",
        (Printed("40"), 54),
        _surviving,
        "huang-2016-depth",
        place="section 3",
        unit="expected; all",
        headline=True,
    ),
    *entries(
        "huang-2016-densenet",
        "table 2",
        (Line(NET, "1.7"), Line("stochastic-depth-1202-cifar", "10.2")),
        {("stochastic-depth-1202-cifar", "params"): _OTHER_NET},
    ),
)
