"""Verdicts from the printed digits alone, on examples whose arithmetic a reader can do."""

from fractions import Fraction

import pytest

from cnnstat.ledger.figure import Bound, Computed, Value, Verdict, judge
from cnnstat.ledger.load import number

NUMBERS: list[tuple[Value, Computed, Verdict]] = [
    (60_000, 60_000, "exact"),
    (60_000, 60_001, "differs"),
    (number("60K"), 60_000, "exact"),
    (number("138M"), 138_357_544, "rounds"),
    (number("138M"), 137_500_000, "rounds"),
    (number("138M"), 138_500_000, "truncates"),
    (number("138M"), 139_000_000, "differs"),
    (number("138M"), 137_499_999, "differs"),
    (number("15.5G"), 15_470_264_320, "rounds"),
    (number("3.8G"), 3_857_973_248, "truncates"),
    (number("3.6G"), 3_663_761_408, "truncates"),
    (number("3.6G"), 3_644_493_824, "rounds"),
    (number("51.3M"), 7 * 7 * 1024 * 1024, "truncates"),
    (number("5M"), 6_998_552, "differs"),
    (number("12"), Fraction(62_378_344, 6_998_552), "differs"),
    (number("8.9"), Fraction(62_378_344, 6_998_552), "rounds"),
    (number("81%"), Fraction(49, 27) - 1, "rounds"),
    (number("0.50"), Fraction(1, 2), "exact"),
    (number("2304"), 3 * 3 * 256, "exact"),
    (number("1M"), "one", "differs"),
    (number("1M"), True, "differs"),
]


@pytest.mark.parametrize(("published", "computed", "verdict"), NUMBERS)
def test_a_printed_number_is_judged_by_its_digits(
    published: Value, computed: Computed, verdict: Verdict
) -> None:
    assert judge(published, computed) == verdict


@pytest.mark.parametrize(
    ("published", "computed", "verdict"),
    [
        ((28, 28, 672), (28, 28, 672), "exact"),
        ((28, 28, 672), (28, 28), "differs"),
        ((28, 28, 672), (28, 672, 28), "differs"),
        ((number("24M"), 7), (24_352_744, 7), "rounds"),
        ((number("24M"), number("24M")), (24_352_744, 24_900_000), "truncates"),
        ((number("24M"), 8), (24_352_744, 7), "differs"),
        (((2, 2), "B"), ((2, 2), "B"), "exact"),
        ("F8", "S8", "differs"),
        (True, True, "exact"),
        (True, False, "differs"),
        (1, True, "differs"),
        (True, 1, "differs"),
    ],
)
def test_shapes_words_and_truths_agree_exactly_or_differ(
    published: Value, computed: Computed, verdict: Verdict
) -> None:
    assert judge(published, computed) == verdict


@pytest.mark.parametrize(
    ("bound", "share", "verdict"),
    [
        (Bound(">", Fraction(1, 2)), Fraction(71, 100), "exact"),
        (Bound(">", Fraction(1, 2)), Fraction(1, 2), "differs"),
        (Bound("<", Fraction(1, 2)), Fraction(32, 100), "exact"),
        (Bound("<", Fraction(1, 2)), Fraction(51, 100), "differs"),
    ],
)
def test_a_bound_holds_or_does_not(bound: Bound, share: Fraction, verdict: Verdict) -> None:
    assert judge(bound, share) == verdict
