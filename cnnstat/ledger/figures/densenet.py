"""Published figures of DenseNet: table 2's parameters on CIFAR, torchvision's on ImageNet."""

from __future__ import annotations

from cnnstat.ledger.figure import Figure
from cnnstat.ledger.figures.table import Line, entries

FIGURES: tuple[Figure, ...] = (
    *entries(
        "huang-2016-densenet",
        "table 2",
        (
            Line("densenet40-12-cifar", "1.0"),
            Line("densenet100-12-cifar", "7.0"),
            Line("densenet100-24-cifar", "27.2"),
            Line("densenet-bc100-12-cifar", "0.8"),
            Line("densenet-bc250-24-cifar", "15.3"),
            Line("densenet-bc190-40-cifar", "25.6"),
        ),
    ),
    *entries(
        "torchvision",
        "",
        (
            Line("densenet121", giga_macs="2.83", exact_params=7_978_856),
            Line("densenet161", giga_macs="7.73", exact_params=28_681_000),
            Line("densenet169", giga_macs="3.36", exact_params=14_149_480),
            Line("densenet201", giga_macs="4.29", exact_params=20_013_928),
        ),
    ),
)
