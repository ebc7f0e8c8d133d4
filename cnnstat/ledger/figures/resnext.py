"""Published figures of ResNeXt: the paper's tables and torchvision's."""

from __future__ import annotations

from cnnstat.ledger.figure import Figure
from cnnstat.ledger.figures.table import Line, entries

FIGURES: tuple[Figure, ...] = (
    *entries("xie-2016", "table 1", (Line("resnext50-32x4d", "25.0", giga_macs="4.2"),)),
    *entries(
        "xie-2016",
        "table 7",
        (Line("resnext29-8x64d", "34.4"), Line("resnext29-16x64d", "68.1")),
    ),
    *entries(
        "torchvision",
        "",
        (
            Line("resnext50-32x4d", giga_macs="4.23", exact_params=25_028_904),
            Line("resnext101-32x8d", giga_macs="16.41", exact_params=88_791_336),
            Line("resnext101-64x4d", giga_macs="15.46", exact_params=83_455_272),
        ),
    ),
)
