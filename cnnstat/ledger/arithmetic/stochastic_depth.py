"""Stochastic depth: how many residual blocks survive on average."""

from __future__ import annotations

from fractions import Fraction

from cnnstat.ledger.figure import Computed
from cnnstat.ledger.reads import ops
from cnnstat.ledger.reports import Reports
from cnnstat.ops import DropPath


def surviving_blocks(reports: Reports) -> Computed:
    """Return the expected number of residual blocks, and how many there are."""
    drops = ops(reports.shaped("stochastic-depth-110-cifar"), DropPath)
    survivals = [Fraction(str(op.survival)) for op in drops if isinstance(op, DropPath)]
    return sum(survivals, Fraction(0)), len(survivals)
