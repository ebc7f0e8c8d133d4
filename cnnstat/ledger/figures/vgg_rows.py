"""The slides' table of VGG-16: the values of each row's output, and its weights without biases.

The memory column has two significant digits throughout (3.2M, 25K), so the last 0 of 800K
only holds the place.
"""

from __future__ import annotations

from fractions import Fraction

from cnnstat.ledger.figure import Figure, Printed, Value, million, thousand
from cnnstat.ledger.figures.measure import of

MODEL = "vgg16"


def _ten_thousand(digits: str) -> Printed:
    return Printed(digits, Fraction(10**4))


# layer, memory as printed, its value, weights as printed (the input row prints none)
ROWS: tuple[tuple[str, str, Value, int | None], ...] = (
    ("input", "224*224*3=150K", _ten_thousand("15"), None),
    ("conv1_1", "224*224*64=3.2M", million("3.2"), 1_728),
    ("conv1_2", "224*224*64=3.2M", million("3.2"), 36_864),
    ("pool1", "112*112*64=800K", _ten_thousand("80"), 0),
    ("conv2_1", "112*112*128=1.6M", million("1.6"), 73_728),
    ("conv2_2", "112*112*128=1.6M", million("1.6"), 147_456),
    ("pool2", "56*56*128=400K", _ten_thousand("40"), 0),
    ("conv3_1", "56*56*256=800K", _ten_thousand("80"), 294_912),
    ("conv3_2", "56*56*256=800K", _ten_thousand("80"), 589_824),
    ("conv3_3", "56*56*256=800K", _ten_thousand("80"), 589_824),
    ("pool3", "28*28*256=200K", _ten_thousand("20"), 0),
    ("conv4_1", "28*28*512=400K", _ten_thousand("40"), 1_179_648),
    ("conv4_2", "28*28*512=400K", _ten_thousand("40"), 2_359_296),
    ("conv4_3", "28*28*512=400K", _ten_thousand("40"), 2_359_296),
    ("pool4", "14*14*512=100K", _ten_thousand("10"), 0),
    ("conv5_1", "14*14*512=100K", _ten_thousand("10"), 2_359_296),
    ("conv5_2", "14*14*512=100K", _ten_thousand("10"), 2_359_296),
    ("conv5_3", "14*14*512=100K", _ten_thousand("10"), 2_359_296),
    ("pool5", "7*7*512=25K", thousand("25"), 0),
    ("fc6", "4096", Printed("4096"), 102_760_448),
    ("fc7", "4096", Printed("4096"), 16_777_216),
    ("fc8", "1000", Printed("1000"), 4_096_000),
)


FIGURES: tuple[Figure, ...] = (
    *(
        Figure(
            f"slides-vgg16-row-{number:02}-memory",
            MODEL,
            "values of the output",
            printed,
            value,
            of(MODEL, layer, "values"),
            "slides",
            layer=layer,
        )
        for number, (layer, printed, value, _) in enumerate(ROWS)
    ),
    *(
        Figure(
            f"slides-vgg16-row-{number:02}-params",
            MODEL,
            "weights without biases",
            f"{weights:,}",
            weights,
            of(MODEL, layer, "weights"),
            "slides",
            layer=layer,
        )
        for number, (layer, _, _, weights) in enumerate(ROWS)
        if weights is not None
    ),
)
