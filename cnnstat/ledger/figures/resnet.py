"""Published figures of ResNet for ImageNet; ``resnet_rows`` holds those of stages and blocks.

``resnet50`` and its kin have the stride in the first 1x1 convolution, as in 2015; ``-v1.5`` in the
3x3, which is what later papers and torchvision count.
"""

from __future__ import annotations

from fractions import Fraction

from cnnstat.ledger.figure import (
    Accounting,
    Ask,
    Computed,
    Figure,
    Printed,
    billion,
    million,
)
from cnnstat.ledger.figures.measure import each, total

MODELS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
TORCHVISION_PARAMS = (11_689_512, 21_797_672, 25_557_032, 44_549_160, 60_192_808)

# model, table 1's FLOPs, blocks of conv2_x to conv5_x
TABLE_1 = (
    ("resnet18", "1.8", (2, 2, 2, 2)),
    ("resnet34", "3.6", (3, 4, 6, 3)),
    ("resnet50", "3.8", (3, 4, 6, 3)),
    ("resnet101", "7.6", (3, 4, 23, 3)),
    ("resnet152", "11.3", (3, 8, 36, 3)),
)
DEPTHS = {"resnet18": 18, "resnet34": 34, "resnet50": 50, "resnet101": 101, "resnet152": 152}

_V1_5 = "with the stride in the 3x3 convolution (v1.5)"
OTHERWISE = {
    "resnet34": (Accounting("zero-padding shortcuts (option A)", total("resnet34-a", "macs")),),
    "resnet50": (Accounting(_V1_5, total("resnet50-v1.5", "macs")),),
}
EXPLAINED = {
    "resnet34": "rounded it is 3.7 with projection shortcuts, 3.6 with shortcuts without weights",
    "resnet50": "cut off, though the columns of 101 and 152 layers are rounded; the 4.1 of later "
    "papers has the stride in the 3x3",
}


def _top5(ask: Ask) -> Computed:
    """Return the top-5 error of the ensemble on the card: it was measured, nothing derives it."""
    from cnnstat.zoo.resnet import card

    found = [a.top5_error for a in card("resnet152").accuracy if a.ensemble and a.top5_error]
    return Fraction(str(found[0]))


FIGURES: tuple[Figure, ...] = (
    *(
        Figure(
            f"slides-{model.replace('resnet', 'resnet-')}-flops",
            model,
            "MACs",
            f"{printed}x10^9",
            billion(printed),
            total(model, "macs"),
            "slides",
            otherwise=OTHERWISE.get(model, ()),
            explanation=EXPLAINED.get(model, ""),
            headline=True,
        )
        for model, printed, _ in TABLE_1
    ),
    *(
        Figure(
            f"he-2015-{model}-macs",
            model,
            "MACs",
            f"{printed}x10^9 FLOPs",
            billion(printed),
            total(model, "macs"),
            "he-2015",
            place="table 1",
            otherwise=OTHERWISE.get(model, ()),
            explanation=EXPLAINED.get(model, ""),
            headline=True,
        )
        for model, printed, _ in TABLE_1
    ),
    *(
        Figure(
            f"torchvision-{model}-params",
            model,
            "parameters",
            f"{params}",
            params,
            total(model, "params"),
            "torchvision",
            headline=True,
        )
        for model, params in zip(MODELS, TORCHVISION_PARAMS, strict=True)
    ),
    *(
        Figure(
            f"torchvision-{model}-macs",
            model,
            "MACs",
            f"{printed} GFLOPS",
            billion(printed),
            total(model, "macs"),
            "torchvision",
            headline=True,
        )
        for model, printed in (
            ("resnet18", "1.81"),
            ("resnet34", "3.66"),
            ("resnet50-v1.5", "4.09"),
            ("resnet101-v1.5", "7.80"),
            ("resnet152-v1.5", "11.51"),
        )
    ),
    Figure(
        "xie-2016-resnet50-macs",
        "resnet50-v1.5",
        "MACs",
        "4.1x10^9 FLOPs",
        billion("4.1"),
        total("resnet50-v1.5", "macs"),
        "xie-2016",
        place="table 1",
        headline=True,
    ),
    Figure(
        "xie-2016-resnet50-params",
        "resnet50-v1.5",
        "parameters",
        "25.5x10^6",
        million("25.5"),
        total("resnet50-v1.5", "params"),
        "xie-2016",
        place="table 1",
        headline=True,
    ),
    Figure(
        "slides-resnet-params",
        "resnet50",
        "parameters of 18, 34, 50, 101 and 152 layers",
        "-",
        TORCHVISION_PARAMS,
        each(MODELS, lambda net: net.totals.params),
        "slides",
        unit="18 layers; 34; 50; 101; 152",
        explanation="the slides print none; held against torchvision's table",
    ),
    Figure(
        "slides-resnet-152",
        "resnet152",
        "depth",
        "152",
        152,
        total("resnet152", "depth"),
        "slides",
        headline=True,
    ),
    Figure(
        "study-resnet-152",
        "resnet152",
        "depth",
        "152",
        152,
        total("resnet152", "depth"),
        "study-notes",
        headline=True,
    ),
    Figure(
        "slides-resnet-3.6",
        "resnet152",
        "top-5 error of the ensemble",
        "3.6%",
        Printed("3.6"),
        _top5,
        "slides",
        unit="percent",
        explanation="measured, not derived: the card holds the paper's 3.57%",
    ),
)
