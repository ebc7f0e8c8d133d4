"""Values of one axis of a space, as users of Hydra write them.

``16,24,32`` and ``choice(16, 24, 32)`` are lists, ``range(start, stop, step)`` leaves ``stop`` out
as Python does and stays lazy. A value is a whole number, a decimal one, ``true``, ``false``,
``null``, a word, a quoted text or a list in brackets. Nothing is evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from math import ceil
from typing import overload

from cnnstat.errors import UsageError

Scalar = int | float | str | bool | None
AxisValue = Scalar | tuple["AxisValue", ...]

_CALL = re.compile(r"(range|choice)\s*\((.*)\)", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_WORDS: dict[str, Scalar] = {"true": True, "false": False, "null": None, "none": None}
_OPENING, _CLOSING = "([{", ")]}"

MAX_DIGITS = 300
"""Longest number that is read; also what keeps ``1e999999`` from being written out."""


class DecimalRange(Sequence[float]):
    """Numbers from ``start`` in equal steps, ``stop`` left out; exact in decimal, never listed."""

    def __init__(self, start: Decimal, stop: Decimal, step: Decimal) -> None:
        self._start, self._step = Fraction(start), Fraction(step)
        self._count = max(0, ceil((Fraction(stop) - self._start) / self._step))

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> float: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[float]: ...
    def __getitem__(self, index: int | slice) -> float | Sequence[float]:
        """Return the value at a position."""
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        if not 0 <= index < self._count:
            raise IndexError(index)
        value = self._start + index * self._step
        return int(value) if value.denominator == 1 else float(value)


def parse_values(name: str, text: str) -> Sequence[AxisValue]:
    """Return the values that a text lists; ``name`` is used in messages.

    Raises ``UsageError`` for an empty list, an empty range, a repeated value, or something else.
    """
    stripped = text.strip()
    call = _CALL.fullmatch(stripped)
    if call is not None and call[1] == "range":
        return _range(name, text, _split(name, call[2]))
    parts = _split(name, stripped if call is None else call[2])
    return check_values(name, [_scalar(name, part) for part in parts])


def check_values(name: str, values: Sequence[AxisValue]) -> Sequence[AxisValue]:
    """Return values as they are; raise ``UsageError`` where there are none or one appears twice."""
    if not len(values):
        raise UsageError(f"{name}: no values; write {name}=16,24,32 or {name}=range(16,65,8)")
    if isinstance(values, range | DecimalRange):
        return values
    seen = set()
    for value in values:
        key = (type(value), value)
        if key in seen:
            raise UsageError(f"{name}: the value {spelled(value)} is listed twice")
        seen.add(key)
    return tuple(values)


def spelled(value: AxisValue) -> str:
    """Return a value as it is written: in a name of the zoo, in a table."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "null"
    if isinstance(value, float):
        return format(Decimal(repr(value)).normalize(), "f")
    if isinstance(value, tuple):
        return f"[{','.join(map(spelled, value))}]"
    return str(value)


def frozen(value: object) -> AxisValue:
    """Return a value with lists as tuples; raise ``UsageError`` for any other kind of object."""
    if isinstance(value, list | tuple):
        return tuple(frozen(each) for each in value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise UsageError(f"{value!r:.60} is not a value of a space: give numbers, words or lists")


def _range(name: str, text: str, parts: list[str]) -> Sequence[AxisValue]:
    example = f"{name}=range(start,stop,step)"
    if not 1 <= len(parts) <= 3:
        raise UsageError(f"{name}={text}: a range has 1 to 3 numbers, as in {example}")
    numbers = [_number(part) for part in parts]
    for part, number in zip(parts, numbers, strict=True):
        if number is None:
            raise UsageError(f"{name}={text}: {part!r} is not a number; {example}")
    first, *more = [number for number in numbers if number is not None]
    start, stop = (first, more[0]) if more else (Decimal(0), first)
    step = more[1] if len(more) > 1 else Decimal(1)
    if step == 0:
        raise UsageError(f"{name}={text}: the step must not be 0")
    if all(each == each.to_integral_value() for each in (start, stop, step)):
        values: Sequence[AxisValue] = range(int(start), int(stop), int(step))
    else:
        values = DecimalRange(start, stop, step)
    try:
        count = len(values)
    except OverflowError:
        raise UsageError(f"{name}={text}: more values than 2^63 - 1") from None
    if not count:
        raise UsageError(f"{name}={text}: the range is empty")
    return values


def _number(text: str) -> Decimal | None:
    if _NUMBER.fullmatch(text) is None or len(text) > MAX_DIGITS:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if abs(value.adjusted()) <= MAX_DIGITS else None


def _scalar(name: str, text: str) -> AxisValue:
    if not text:
        raise UsageError(f"{name}: a value is missing between commas")
    if text[0] in "\"'":
        if len(text) < 2 or text[-1] != text[0]:
            raise UsageError(f"{name}: {text} has no closing quote")
        return text[1:-1]
    if text[0] == "[":
        if text[-1] != "]":
            raise UsageError(f"{name}: {text} has no closing bracket")
        inner = text[1:-1].strip()
        return tuple(_scalar(name, part) for part in _split(name, inner)) if inner else ()
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    number = _number(text)
    if number is None:
        return text
    whole = number == number.to_integral_value() and not set(text) & set(".eE")
    return int(number) if whole else float(number)


def _split(name: str, text: str) -> list[str]:
    """Split at the commas that lie outside brackets and quotes."""
    parts, depth, quote, begin = [], 0, "", 0
    for index, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'" and not text[begin:index].strip():
            quote = letter
        elif letter in _OPENING:
            depth += 1
        elif letter in _CLOSING:
            depth -= 1
        elif letter == "," and not depth:
            parts.append(text[begin:index].strip())
            begin = index + 1
        if depth < 0:
            break
    if depth:
        raise UsageError(f"{name}={text}: brackets do not match")
    if quote:
        raise UsageError(f"{name}={text}: a quote is not closed")
    return [*parts, text[begin:].strip()]
