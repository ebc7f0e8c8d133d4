"""Published figures of the CIFAR ResNets: depths, parameters of table 6, paths."""

from __future__ import annotations

from cnnstat.ledger.figure import Figure, Value, million
from cnnstat.ledger.figures.measure import each, total

# depth, parameters of table 6 in millions
TABLE_6 = ((20, "0.27"), (32, "0.46"), (44, "0.66"), (56, "0.85"), (110, "1.7"), (1202, "19.4"))
PATHS: Value = (2**3, 2**6, 2**9)

FIGURES: tuple[Figure, ...] = (
    *(
        Figure(
            f"he-2015-resnet{depth}-cifar-params",
            f"resnet{depth}-cifar",
            "parameters",
            f"{params}M",
            million(params),
            total(f"resnet{depth}-cifar", "params"),
            "he-2015",
            place="table 6",
            headline=True,
        )
        for depth, params in TABLE_6
    ),
    *(
        Figure(
            f"{key}-1202",
            "resnet1202-cifar",
            "depth",
            "1202",
            1202,
            total("resnet1202-cifar", "depth"),
            source,
            headline=True,
        )
        for key, source in (("study-resnet", "study-notes"), ("slides-resnet-cifar", "slides"))
    ),
    Figure(
        "study-resnet-20-56",
        "resnet20-cifar",
        "depths",
        "20 and 56",
        (20, 56),
        each(("resnet20-cifar", "resnet56-cifar"), lambda net: net.totals.depth),
        "study-notes",
        unit="layers; layers",
    ),
    Figure(
        "study-resnet-paths",
        "resnet20-cifar",
        "paths through 3, 6 and 9 residual blocks",
        "2^n",
        PATHS,
        each(("resnet8-cifar", "resnet14-cifar", "resnet20-cifar"), lambda net: net.totals.paths),
        "study-notes",
        unit="3 blocks; 6 blocks; 9 blocks",
    ),
)
