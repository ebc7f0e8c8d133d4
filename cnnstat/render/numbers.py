"""Numbers as text: thousands separators, units, rounding in whole-number arithmetic.

Sizes are bytes in powers of 1000 (kB, MB, GB), as the literature counts them. No float touches a
count, so a figure of forty digits is as exact as one of four.
"""

from __future__ import annotations

from collections.abc import Iterable

from cnnstat.ir.tensor import UNKNOWN
from cnnstat.render.document import Cell, Kind

PREFIXES = ("", "k", "M", "G", "T", "P", "E", "Z", "Y", "R", "Q")
"""SI prefixes, 1000 apart."""


def count(value: int) -> str:
    """Return a whole number with thousands separators: ``138,357,544``."""
    return f"{value:,}"


def fixed(value: int, unit: int, decimals: int) -> str:
    """Return ``value / unit`` rounded half up to so many decimals, exact for any size."""
    scale = 10**decimals
    rounded = (abs(value) * scale * 2 + unit) // (unit * 2)
    whole, rest = divmod(rounded, scale)
    sign = "-" if value < 0 and rounded else ""
    return f"{sign}{whole:,}.{rest:0{decimals}d}" if decimals else f"{sign}{whole:,}"


def scaled(value: int) -> str:
    """Return a count with an SI prefix and two decimals (``15.47 G``); as it is below 1000."""
    if abs(value) < 1000:
        return str(value)
    power = 1
    while abs(value) * 1000 >= 999_995 * 1000**power and power < len(PREFIXES) - 1:
        power += 1
    return f"{fixed(value, 1000**power, 2)} {PREFIXES[power]}"


def bytes_text(value: int) -> str:
    """Return bytes with their unit: ``60.95 MB``, ``156 B``."""
    text = scaled(value)
    return f"{text}B" if " " in text else f"{text} B"


def column_unit(values: Iterable[Cell]) -> tuple[str, int]:
    """Return the unit of a column of bytes, and its size in bytes.

    MB, as in the literature, unless every value is below 1 MB (kB) or one has more than six digits
    before the point (GB and so on).
    """
    most = max((abs(value) for value in values if isinstance(value, int)), default=0)
    if most < 1000**2:
        return "kB", 1000
    power = 2
    while most >= 10**6 * 1000**power and power < len(PREFIXES) - 1:
        power += 1
    return f"{PREFIXES[power]}B", 1000**power


def shape_text(shape: Iterable[object]) -> str:
    """Return extents joined by x: ``64x224x224``; ``?`` for a shape that is not known."""
    shape = tuple(shape)
    return "?" if shape == UNKNOWN.shape else "x".join(map(str, shape))


def number(value: float) -> str:
    """Return a measured number in four significant digits, never in powers of ten below 10^15."""
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}" if abs(value) < 10**15 else f"{value:.4g}"
    return f"{value:.4g}"


def cell_text(cell: Cell, kind: Kind, unit: int = 1000**2) -> str:
    """Return a cell as text; bytes in ``unit`` with three decimals; ``?`` for unknown."""
    if cell is None:
        return "?"
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, tuple):
        return shape_text(cell)
    if kind == "bytes":
        text = fixed(int(cell), unit, 3)
        return "<0.001" if cell and text == "0.000" else text  # a small value is not 0
    if kind == "scaled":
        return scaled(int(cell))
    if kind == "percent":
        return f"{100 * cell:.1f}%"
    if kind == "ratio":
        return f"{number(float(cell))}x"
    if kind == "count" and isinstance(cell, int):
        return count(cell)
    return number(cell) if kind == "number" else str(cell)
