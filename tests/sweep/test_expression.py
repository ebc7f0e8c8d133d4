"""The grammar of conditions: what it means, what is unknown, what is refused."""

import pickle

import pytest

from cnnstat.errors import UsageError
from cnnstat.sweep.expression import parse
from cnnstat.sweep.operations import AtLeast

ROW: dict[str, object] = {
    "params": 5_000_000,
    "macs": 600_000_000,
    "depth": 50,
    "act": "relu",
    "unknown": None,
    "figures.depth": 48,
}


def value(text: str) -> bool | None:
    return parse(text, ROW).value(ROW.get)


@pytest.mark.parametrize(
    "text",
    [
        "params < 6e6 and macs < 1e9",
        "params <= 5M",
        "params == 5000k",
        "macs / params == 120",
        "macs // params % 7 == 1",
        "not params > 5M",
        "params > 9G or depth >= 50",
        "params > 9G or params > 8G or depth == 50",
        "1M < params < 10M",
        "params < 5MiB",
        "params > 4 MiB".replace(" M", "M"),
        "act == 'relu' and act != \"silu\"",
        "(params + 1) * 2 - -2 > 10M",
        "-params < 0",
        "figures.depth < depth",
        "depth = 50 && !(depth = 51) || false == true",
        "2 + 3 * 4 == 14 and (2 + 3) * 4 == 20 and 7 - 2 - 1 == 4",
        "8GiB == 8 * 1024 * 1024 * 1024",
        "2GB == 2000000000",
        "unknown > 3 or depth == 50",
    ],
)
def test_true(text: str) -> None:
    assert value(text) is True


@pytest.mark.parametrize(
    "text",
    [
        "params < 5M",
        "not (params <= 5M)",
        "unknown > 3 and depth == 51",
        "act == 'silu'",
        "act == 5",
    ],
)
def test_false(text: str) -> None:
    assert value(text) is False


@pytest.mark.parametrize(
    "text",
    [
        "unknown > 3",
        "not unknown > 3",
        "unknown > 3 and depth == 50",
        "unknown > 3 or depth == 51",
        "macs / (depth - 50) > 1",
        "unknown * 0 == 0",
    ],
)
def test_unknown_is_neither(text: str) -> None:
    assert value(text) is None
    assert not parse(text, ROW).holds(ROW.get)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "write one"),
        ("params", "makes no comparison"),
        ("params + 5", "makes no comparison"),
        ("params < 5 and macs", "makes no comparison"),
        ("params <", "a number or a column is expected, not 'the end'"),
        ("params < < 5", "expected, not '<'"),
        ("(params < 5", "closing bracket"),
        ("params < 5)", "unexpected '\\)'"),
        ("params < 5 macs > 3", "unexpected 'macs'"),
        ("parms < 5", "did you mean params"),
        ("params < 5XB", "unknown unit 'XB'"),
        ("params < 5; import os", "unexpected ';' at character 11"),
        ("__import__('os').system('x') == 0", "unexpected '.' at character 17"),
        ("params.__class__ == 1", "unknown column"),
        ("params ** 2 < 5", "expected, not '\\*'"),
        ("params[0] < 5", "unexpected '\\['"),
        ("(" * 60 + "params < 5", "nested deeper than 50"),
        ("not " * 60 + "params < 5", "nested deeper than 50"),
        ("- " * 60 + "params < 5", "nested deeper than 50"),
        ("params < 1e999", "too long"),
        ("params < " + "9" * 50, "too long"),
    ],
)
def test_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse(text, ROW)


def test_words_and_numbers_cannot_be_compared() -> None:
    with pytest.raises(UsageError, match="joins"):
        value("act < 5")


def test_names_are_those_that_are_read() -> None:
    assert parse("macs < 5 and params < macs", ROW).names == ("macs", "params")


def test_a_condition_travels_to_a_worker() -> None:
    moved = pickle.loads(pickle.dumps(parse("params <= 5M", ROW)))
    assert moved.holds(ROW.get)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("macs < 100", False),
        ("macs < 101", None),
        ("macs <= 99", False),
        ("macs <= 100", None),
        ("macs > 99", True),
        ("macs > 100", None),
        ("macs >= 100", True),
        ("100 <= macs", True),
        ("100 > macs", False),
        ("macs == 99", False),
        ("macs == 100", None),
        ("macs != 99", True),
        ("macs != 200", None),
        ("not macs < 100", True),
        ("macs < 50 or depth == 5", True),
        ("macs > 50 and depth == 5", True),
        ("macs + depth > 104", True),
        ("macs + macs > 199", True),
        ("macs - depth > 94", True),
        ("2 * macs >= 200", True),
        ("macs / 4 >= 25", True),
        ("macs // 3 >= 33", True),
        ("depth - macs < 5", None),
        ("-1 * macs < 5", None),
        ("5 / macs < 1", None),
        ("macs % 7 < 9", None),
        ("macs < macs", None),
    ],
)
def test_a_lower_bound_decides_what_all_above_it_decide(text: str, answer: bool | None) -> None:
    row: dict[str, object] = {"macs": AtLeast(100), "depth": 5}
    expression = parse(text, row)
    assert expression.value(row.get) is answer
    if answer is not None:
        for macs in (100, 101, 150, 10_000):
            assert expression.value({"macs": macs, "depth": 5}.get) is answer
