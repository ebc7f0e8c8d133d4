"""Published figures of the pre-activation ResNets, in millions of parameters."""

from __future__ import annotations

from cnnstat.ledger.figure import Accounting, Ask, Computed, Figure
from cnnstat.ledger.figures.table import Line, Reason, entries


def _without_normalisation(ask: Ask) -> Computed:
    shaped = ask("preresnet1001-cifar").shaped
    pairs = zip(shaped.nodes, shaped.facts, strict=True)
    trained = [
        weight.numel
        for node, facts in pairs
        if node.op.is_layer
        for weight in facts.weights
        if weight.role != "buffer"
    ]
    return sum(trained)


WITHOUT_NORMALISATION = Accounting(
    "preresnet1001-cifar without the parameters of its batch norms", _without_normalisation
)

FIGURES: tuple[Figure, ...] = entries(
    "zagoruyko-2016",
    "table 5",
    (
        Line("preresnet110-cifar", "1.7"),
        Line("preresnet164-cifar", "1.7"),
        Line("preresnet1001-cifar", "10.2"),
    ),
    {
        ("preresnet1001-cifar", "params"): Reason(
            "the normalisations' parameters are left out", (WITHOUT_NORMALISATION,)
        )
    },
)
