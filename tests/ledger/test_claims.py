"""Verdicts from the printed digits alone, on examples whose arithmetic a reader can do."""

from fractions import Fraction
from typing import NamedTuple

import pytest

from cnnstat.ledger.claims import VERDICTS, Computed, Verdict, as_text, count, judge, raw, settle
from cnnstat.ledger.figure import Bound, Printed, Value, billion, million, percent, thousand

NUMBERS: list[tuple[Value, Computed, Verdict]] = [
    (60_000, 60_000, "exact"),
    (60_000, 60_001, "differs"),
    (thousand("60"), 60_000, "exact"),
    (million("138"), 138_357_544, "rounds"),
    (million("138"), 137_500_000, "rounds"),
    (million("138"), 138_500_000, "truncates"),
    (million("138"), 139_000_000, "differs"),
    (million("138"), 137_499_999, "differs"),
    (billion("15.5"), 15_470_264_320, "rounds"),
    (billion("3.8"), 3_857_973_248, "truncates"),
    (billion("3.6"), 3_663_761_408, "truncates"),
    (billion("3.6"), 3_644_493_824, "rounds"),
    (million("51.3"), 7 * 7 * 1024 * 1024, "truncates"),
    (million("5"), 6_998_552, "differs"),
    (Printed("12"), Fraction(62_378_344, 6_998_552), "differs"),
    (Printed("8.9"), Fraction(62_378_344, 6_998_552), "rounds"),
    (percent("81"), Fraction(49, 27) - 1, "rounds"),
    (Printed("0.50"), Fraction(1, 2), "exact"),
    (Printed("2,304"), 3 * 3 * 256, "exact"),
    (million("1"), "one", "differs"),
    (million("1"), True, "differs"),
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
        ((million("24"), 7), (24_352_744, 7), "rounds"),
        ((million("24"), million("24")), (24_352_744, 24_900_000), "truncates"),
        ((million("24"), 8), (24_352_744, 7), "differs"),
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


class Entry(NamedTuple):
    value: Value
    unit: str = ""
    explanation: str = "why"


def test_another_accounting_reproduces_what_differs() -> None:
    claim = settle(Entry(million("358")), 271_351_808, [("a row twice", 358_055_936)])
    assert claim.verdict == "reproduced"
    assert [other.verdict for other in claim.others] == ["rounds"]
    assert claim.explanation == "why; a row twice: 358,055,936"


def test_another_accounting_and_a_truncation_reproduce_nothing() -> None:
    claim = settle(Entry(million("5")), 6_998_552, [("without the classifier", 5_973_552)])
    assert claim.others[0].verdict == "truncates"
    assert claim.verdict == "differs"


def test_another_accounting_changes_nothing_where_the_plain_one_agrees() -> None:
    claim = settle(Entry(million("7")), 6_998_552, [("weights", 7_000_000)])
    assert claim.verdict == "rounds"


def test_every_verdict_is_counted() -> None:
    claims = [settle(Entry(1), 1), settle(Entry(1), 1), settle(Entry(1), 2)]
    assert count(claims) == {"exact": 2, "rounds": 0, "truncates": 0, "reproduced": 0, "differs": 1}
    assert tuple(count([])) == VERDICTS


@pytest.mark.parametrize(
    ("computed", "unit", "text"),
    [
        (138_357_544, "", "138,357,544"),
        (Fraction(62_378_344, 6_998_552), "ratio", "8.913"),
        (Fraction(27), "", "27"),
        (True, "", "yes"),
        ((55, 55, 96), "height x width x channels", "55x55x96"),
        ((3, 2, 1), "", "3, 2, 1"),
        (((55, 55, 96), 34_848), "height x width x channels; weights", "55x55x96, 34,848"),
        (((11, 4), (7, 2)), "AlexNet; ZFNet", "(11, 4), (7, 2)"),
        ("S8", "", "S8"),
    ],
)
def test_a_computed_value_reads_like_this(computed: Computed, unit: str, text: str) -> None:
    assert as_text(computed, unit) == text


def test_a_computed_value_is_raw_in_json() -> None:
    assert raw(138_357_544) == 138_357_544
    assert raw(Fraction(1, 2)) == 0.5
    assert raw(((28, 28), True, "S8")) == [[28, 28], True, "S8"]
