"""Values of an axis: what users of Hydra write, and what is refused."""

import pytest

from cnnstat.errors import UsageError
from cnnstat.sweep.values import parse_values, spelled


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("16,24,32", [16, 24, 32]),
        (" 1 , 2.5 ", [1, 2.5]),
        ("choice(relu, silu)", ["relu", "silu"]),
        ("'a,b',c", ["a,b", "c"]),
        ("true,false,null", [True, False, None]),
        ("[1,2],[3]", [(1, 2), (3,)]),
        ("3x224x224", ["3x224x224"]),
        ("range(4)", [0, 1, 2, 3]),
        ("range(10,41,6)", [10, 16, 22, 28, 34, 40]),
        ("range(3,0,-1)", [3, 2, 1]),
        ("range(0.25,1,0.25)", [0.25, 0.5, 0.75]),
        ("range(0.5,1.01,0.25)", [0.5, 0.75, 1]),
        ("range(1,0,-0.4)", [1, 0.6, 0.2]),
        ("range(0,0.3,0.1)", [0, 0.1, 0.2]),
        ("range(0,1e-30,5e-31)", [0, 5e-31]),
    ],
)
def test_read(text: str, values: list[object]) -> None:
    assert list(parse_values("x", text)) == values


def test_a_range_is_not_listed() -> None:
    assert len(parse_values("x", "range(10**18)".replace("10**18", "1" + "0" * 18))) == 10**18
    assert len(parse_values("x", "range(0,1,0.000000000001)")) == 10**12


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "missing"),
        ("1,,2", "missing"),
        ("choice()", "missing"),
        ("range(1,10,0)", "step must not be 0"),
        ("range(5,5)", "empty"),
        ("range(0.5,0.5,0.1)", "empty"),
        ("range(a,b)", "'a' is not a number"),
        ("range(1,2,3,4)", "1 to 3 numbers"),
        ("range(1e999999)", "not a number"),
        ("range(1e30)", "more values than"),
        ("range(0,1,1e-30)", "more values than"),
        ("1,2,1", "listed twice"),
        ("choice(1,2", "brackets"),
        ("[1,2", "brackets"),
        ("'a", "quote"),
    ],
)
def test_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_values("width", text)


def test_a_number_and_a_truth_are_two_values() -> None:
    assert list(parse_values("x", "1,true")) == [1, True]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.25, "0.25"), (1.0, "1"), (1e-7, "0.0000001"), (True, "true"), ((1, 2), "[1,2]")],
)
def test_spelled(value: object, text: str) -> None:
    assert spelled(value) == text  # type: ignore[arg-type]
