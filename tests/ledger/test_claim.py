"""A figure with its computed value: other accountings, and values as text and as JSON."""

from fractions import Fraction

import pytest

from cnnstat.ledger.claim import as_text, claim, count, raw, with_unit
from cnnstat.ledger.figure import VERDICTS, Compute, Computed, Figure, Value
from cnnstat.ledger.load import number
from cnnstat.ledger.reports import Reports

REPORTS = Reports()


def constant(value: Computed) -> Compute:
    return lambda _: value


def figure(value: Value, computed: Computed, *others: tuple[str, Computed]) -> Figure:
    return Figure(
        id="an-entry",
        model="vgg16",
        quantity="MACs",
        printed="as printed",
        value=value,
        unit="MACs",
        compute=constant(computed),
        source="slides",
        place="section VGGNet",
        otherwise=tuple((name, constant(other)) for name, other in others),
        explanation="why",
    )


def test_another_accounting_reproduces_a_difference() -> None:
    judged = claim(figure(number("358M"), 271_351_808, ("a row twice", 358_055_936)), REPORTS)
    assert judged.verdict == "reproduced"
    assert [other.verdict for other in judged.others] == ["rounds"]
    assert judged.explanation == "why; a row twice: 358,055,936 MACs"
    assert judged.source.endswith(", section VGGNet")


def test_another_accounting_and_a_truncation_reproduce_nothing() -> None:
    judged = claim(figure(number("5M"), 6_998_552, ("without the last", 5_973_552)), REPORTS)
    assert judged.others[0].verdict == "truncates"
    assert judged.verdict == "differs"


def test_another_accounting_changes_nothing_where_the_plain_one_agrees() -> None:
    judged = claim(figure(number("7M"), 6_998_552, ("weights", 7_000_000)), REPORTS)
    assert judged.verdict == "rounds"


def test_every_verdict_is_counted() -> None:
    claims = [claim(figure(1, computed), REPORTS) for computed in (1, 1, 2)]
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
    whole = raw(Fraction(1_106_944 * 49))
    assert (whole, type(whole)) == (54_240_256, int)
    assert raw(((28, 28), True, "S8")) == [[28, 28], True, "S8"]


@pytest.mark.parametrize(
    ("computed", "unit", "text"),
    [
        (15_237_608, "values", "15,237,608 values"),
        (Fraction(62_378_344, 6_998_552), "ratio", "8.913 times"),
        (Fraction(1, 2), "share", "50%"),
        (True, "", "yes"),
        ((55, 55, 96), "height x width x channels", "55x55x96 (height x width x channels)"),
        ((11, 18), "single; stack", "11 (single); 18 (stack)"),
        (((28, 28, 64), 3136), "h x w x c; weights", "28x28x64 (h x w x c); 3,136 (weights)"),
        (((11, 4), (7, 2)), "AlexNet; ZFNet", "11, 4 (AlexNet); 7, 2 (ZFNet)"),
    ],
)
def test_a_computed_value_is_shown_with_its_unit(computed: Computed, unit: str, text: str) -> None:
    assert with_unit(computed, unit) == text
