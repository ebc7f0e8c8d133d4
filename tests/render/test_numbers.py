"""How numbers read: exact whatever their size, rounded half up, units said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnstat.render.document import Cell, Kind
from cnnstat.render.numbers import bytes_text, cell_text, column_unit, fixed, number, scaled


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.00 k"),
        (999_994, "999.99 k"),
        (999_995, "1.00 M"),
        (138_357_544, "138.36 M"),
        (15_470_264_320, "15.47 G"),
        (15 * 10**18, "15.00 E"),
        (10**36, "1,000,000.00 Q"),
    ],
)
def test_scaled(value: int, text: str) -> None:
    assert scaled(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(156, "156 B"), (60_950_432, "60.95 MB"), (97_410_976, "97.41 MB"), (240_000, "240.00 kB")],
)
def test_bytes_text(value: int, text: str) -> None:
    assert bytes_text(value) == text


@given(st.integers(0, 10**60), st.integers(1, 10**18), st.integers(0, 6))
def test_fixed_is_within_half_a_digit_in_whole_numbers(value: int, unit: int, places: int) -> None:
    shown = fixed(value, unit, places).replace(",", "").replace(".", "")
    assert abs(2 * value * 10**places - 2 * int(shown) * unit) <= unit


@pytest.mark.parametrize(
    ("cells", "name"),
    [
        ([0], "kB"),
        ([999_999], "kB"),
        ([1_000_000, None, "x"], "MB"),
        ([10**12 - 1], "MB"),
        ([10**12], "GB"),
        ([10**90], "QB"),
    ],
)
def test_a_column_of_bytes_has_one_unit(cells: list[Cell], name: str) -> None:
    assert column_unit(cells)[0] == name


@pytest.mark.parametrize(
    ("cell", "kind", "text"),
    [
        (None, "count", "?"),
        (0, "count", "0"),
        (1234567, "count", "1,234,567"),
        ((64, 224, 224), "shape", "64x224x224"),
        (60_950_432, "bytes", "60.950"),
        (400, "bytes", "<0.001"),
        (0, "bytes", "0.000"),
        (0.1234, "percent", "12.3%"),
        (8.91, "ratio", "8.91x"),
        (2015, "year", "2015"),
        (True, "text", "yes"),
        ("words", "count", "words"),
        (12345.678, "number", "12,346"),
        (0.0123449, "number", "0.01234"),
    ],
)
def test_cells(cell: Cell, kind: Kind, text: str) -> None:
    assert cell_text(cell, kind) == text


def test_numbers_keep_four_digits() -> None:
    assert (number(3.14159), number(1234.5), number(7)) == ("3.142", "1,234", "7")
