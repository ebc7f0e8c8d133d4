"""Operations of a condition on cells that may be unknown, or known only as a lower bound.

A comparison with an unknown cell is neither true nor false; ``and`` and ``or`` follow Kleene.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import islice, product
from typing import Any, NamedTuple

from cnnstat.errors import UsageError

MAX_COMBINATIONS = 1_000
"""Of kinds of cells that a condition is checked for before it is used."""


class AtLeast(NamedTuple):
    """A figure of which only a lower bound is known."""

    bound: int | float


Value = int | float | str | bool | AtLeast | None
Read = Callable[[str], object]
"""Returns the cell of a column; None where it is unknown."""
Evaluate = Callable[[Read], Value]
Failure = Callable[[object, object], UsageError]


class Operation(NamedTuple):
    """A comparison or calculation by itself, which raises for kinds that do not go together.

    ``alike``: it asks whether two cells are equal, which some combination of kinds must allow.
    """

    evaluate: Evaluate
    alike: bool = False


def check_operation(operation: Operation, samples: Mapping[str, Sequence[object]]) -> None:
    """Raise where an operation cannot be done for the kinds of its columns."""
    read: dict[str, None] = {}

    def first(name: str) -> object:
        read[name] = None
        return samples[name][0] if name in samples else None

    with suppress(UsageError):
        operation.evaluate(first)
    if any(name not in samples for name in read):
        return
    errors = []
    combinations = [*islice(product(*[samples[name] for name in read]), MAX_COMBINATIONS)]
    for cells in combinations:
        try:
            operation.evaluate(dict(zip(read, cells, strict=True)).get)
        except UsageError as error:
            errors.append(error)
    if errors and (len(errors) == len(combinations) or not operation.alike):
        raise errors[0]


def kind_of(value: object) -> str:
    """Return the kind of a cell, with its article."""
    return "a text" if isinstance(value, str) else "a number"


def kleene(parts: list[Evaluate], decisive: bool) -> Evaluate:
    """Join parts by ``or`` (true decides) or ``and`` (false decides); unknown stays unknown."""

    def joined(read: Read) -> Value:
        open_parts = False
        for part in parts:
            value = part(read)
            if value is decisive:
                return decisive
            open_parts = open_parts or value is None
        return None if open_parts else not decisive

    return joined


def compared(
    compare: Callable[[Any, Any], bool],
    left: Evaluate,
    right: Evaluate,
    error: Failure | None,
) -> Evaluate:
    """Return the comparison of two sides; ``error``, unless None, for a text and a number."""

    def answer(read: Read) -> Value:
        a, b = left(read), right(read)
        if a is None or b is None:
            return None
        if error is not None and isinstance(a, str) is not isinstance(b, str):
            raise error(a, b)
        return _decided(compare, a, b)

    return answer


def _decided(compare: Callable[[Any, Any], bool], a: object, b: object) -> bool | None:
    """Return the answer that holds for every figure a lower bound leaves open; None for none."""
    if not isinstance(a, AtLeast) and not isinstance(b, AtLeast):
        return compare(a, b)
    least, other = (a, b) if isinstance(a, AtLeast) else (b, a)
    if isinstance(least, AtLeast) and compare in (operator.eq, operator.ne):
        above = isinstance(other, int | float) and least.bound > other
        return compare is operator.ne if above else None
    answers = {compare(x, y) for x in _ends(a) for y in _ends(b)}
    return answers.pop() if len(answers) == 1 else None


def _ends(value: object) -> tuple[object, ...]:
    return (value.bound, float("inf")) if isinstance(value, AtLeast) else (value,)


def calculated(
    operate: Callable[[float, float], float], left: Evaluate, right: Evaluate, error: Failure
) -> Evaluate:
    """Return the calculation with two sides; texts are an ``error``."""

    def result_of(read: Read) -> Value:
        a, b = left(read), right(read)
        if a is None or b is None:
            return None
        if isinstance(a, str) or isinstance(b, str):
            raise error(a, b)
        bounded = isinstance(a, AtLeast) or isinstance(b, AtLeast)
        if bounded and not _keeps_bound(operate, a, b):
            return None
        x, y = (value.bound if isinstance(value, AtLeast) else value for value in (a, b))
        try:
            result = operate(x, y)
        except (ZeroDivisionError, OverflowError):
            return None
        return AtLeast(result) if bounded else result

    return result_of


def _keeps_bound(operate: Callable[[float, float], float], a: Value, b: Value) -> bool:
    """Whether the result of two operands, at least one a lower bound, has a lower bound."""
    if operate is operator.add:
        return True
    known = b if isinstance(a, AtLeast) else a
    if not isinstance(known, int | float):
        return False
    if operate is operator.mul:
        return known > 0
    if not isinstance(a, AtLeast):
        return False
    divides = operate in (operator.truediv, operator.floordiv)
    return operate is operator.sub or (divides and known > 0)
