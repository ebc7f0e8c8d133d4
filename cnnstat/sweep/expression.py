"""The grammar of limits and filters: ``params < 5M and (macs < 600e6 or batch == 1)``.

Comparisons (chains as well), ``and``, ``or``, ``not``, + - * / // %, brackets, numbers with a unit
of powers of 1000 (``5M``, ``2GB``) or of 1024 (``8GiB``), quoted texts, and names of columns. It is
parsed here and never evaluated by Python. Unknown figures stay unknown: a comparison with one is
neither true nor false, ``and`` and ``or`` follow Kleene, and only what is true passes. A lower
bound decides only if every larger figure would decide the same.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from cnnstat.errors import UsageError, unknown
from cnnstat.sweep.operations import (
    AtLeast,
    Evaluate,
    Failure,
    Operation,
    Read,
    Value,
    calculated,
    check_operation,
    compared,
    kind_of,
    kleene,
)

MAX_LENGTH = 10_000
MAX_NESTING = 50

UNITS: dict[str, int] = {
    **{prefix: 1000**power for power, prefix in enumerate(("k", "M", "G", "T", "P", "E"), 1)},
    **{f"{prefix}B": 1000**power for power, prefix in enumerate(("", *"kMGTPE"))},
    **{f"{prefix}iB": 1024**power for power, prefix in enumerate(("K", *"MGTPE"), 1)},
    **{f"{prefix}i": 1024**power for power, prefix in enumerate(("K", *"MGTPE"), 1)},
    "K": 1000,
    "KB": 1000,
}
"""Units that may follow a number: SI prefixes are powers of 1000, those with an i of 1024."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?P<unit>[A-Za-z]*)"
    r"|(?P<name>input\.\w+(?:\[\w+\]|\.\w+)*|[A-Za-z_][\w.]*)"
    r"|(?P<text>'[^']*'|\"[^\"]*\")"
    r"|(?P<sign><=|>=|==|!=|//|&&|\|\||[-+*/%<>()=!]))"
)

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}
_JOINS = (("or", True), ("and", False))
"""What joins comparisons, the loosest first, and the answer that decides."""
_SIGNS = (("+", "-"), ("*", "/", "//", "%"))
"""Signs of arithmetic, the loosest first."""
_WORDS: dict[str, Value] = {"true": True, "false": False}
_SAME = {"&&": "and", "||": "or", "!": "not", "=": "=="}


class _Token(NamedTuple):
    kind: str
    text: str
    place: int
    value: Value = None


@dataclass(frozen=True)
class Expression:
    """A parsed condition; ``names`` are the columns that it reads, each once, in order."""

    text: str
    names: tuple[str, ...]
    _evaluate: Evaluate
    _operations: tuple[Operation, ...] = ()

    def holds(self, read: Read) -> bool:
        """Return whether a row passes; one whose answer is unknown does not."""
        return self.value(read) is True

    def value(self, read: Read) -> bool | None:
        """Return true, false, or None where an unknown figure leaves it open."""
        value = self._evaluate(read)
        return value if isinstance(value, bool) else None

    def check(self, samples: Mapping[str, Sequence[object]]) -> None:
        """Raise ``UsageError`` for an operation on texts and numbers that do not go together.

        ``samples`` are cells of each column, one for each kind that it holds; operations on
        columns without samples are not checked.
        """
        for operation in self._operations:
            check_operation(operation, samples)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle as text: the closures are rebuilt there."""
        return parse, (self.text, self.names)


def parse(text: str, columns: Iterable[str], *, kind: str = "column") -> Expression:
    """Return the condition that a text states about these columns; ``kind`` is a word for them.

    Raises ``UsageError`` for a malformed condition, with its place, and for an unknown column, with
    the nearest ones.
    """
    if len(text) > MAX_LENGTH:
        raise UsageError(f"condition of {len(text):,} characters: at most {MAX_LENGTH:,} are read")
    return _Parser(text, tuple(columns), kind).expression()


class _Parser:
    """Recursive descent; each method parses one level and returns its evaluator and its kind."""

    def __init__(self, text: str, columns: tuple[str, ...], kind: str) -> None:
        self.text = text
        self.kind = kind
        self.columns = columns
        self.tokens = self._tokens()
        self.at = 0
        self.nesting = 0
        self.names: dict[str, None] = {}
        self.operations: list[Operation] = []

    def expression(self) -> Expression:
        if not self.text.strip():
            raise UsageError("condition '': write one such as 'params < 5M and macs < 600M'")
        evaluate, logical = self._joined()
        if self._peek().kind != "end":
            raise self._fail(f"unexpected {self._peek().text!r}")
        if not logical:
            raise UsageError(
                f"condition {self.text!r} makes no comparison: write one such as 'params < 5M'"
            )
        return Expression(self.text, tuple(self.names), evaluate, tuple(self.operations))

    def _tokens(self) -> list[_Token]:
        tokens: list[_Token] = []
        place = 0
        end = len(self.text.rstrip())
        while place < end:
            match = _TOKEN.match(self.text, place)
            if match is None:
                skipped = len(self.text[place:]) - len(self.text[place:].lstrip())
                raise self._error(f"unexpected {self.text[place + skipped]!r}", place + skipped)
            tokens.append(self._token(match))
            place = match.end()
        return [*tokens, _Token("end", "the end", end)]

    def _token(self, match: re.Match[str]) -> _Token:
        kind = match.lastgroup or ""
        if match["number"] is not None:
            whole = match["number"] + match["unit"]
            return _Token("value", whole, match.start("number"), self._number(match))
        text = match[kind]
        place = match.start(kind)
        if kind == "text":
            return _Token("value", text, place, text[1:-1])
        if kind == "name" and text.lower() in ("and", "or", "not"):
            return _Token("sign", text.lower(), place)
        if kind == "name" and text.lower() in _WORDS and text not in self.columns:
            return _Token("value", text, place, _WORDS[text.lower()])
        return _Token(kind, _SAME.get(text, text), place)

    def _number(self, match: re.Match[str]) -> int | float:
        number, unit = match["number"], match["unit"]
        if unit and unit not in UNITS:
            raise unknown("unit", unit, UNITS, listing="k, M, G, T, kB, MB, GB, KiB, MiB, GiB")
        factor = UNITS.get(unit, 1)
        if len(number) > 40 or (
            "e" in number.lower() and abs(int(re.split("[eE]", number)[1])) > 300
        ):
            raise self._error(f"the number {number:.20} is too long", match.start("number"))
        if set(number) <= set("0123456789"):
            return int(number) * factor
        value = float(number) * factor
        return int(value) if value.is_integer() else value

    def _error(self, message: str, place: int) -> UsageError:
        return UsageError(f"condition {self.text!r}: {message} at character {place + 1}")

    def _fail(self, message: str) -> UsageError:
        return self._error(message, self._peek().place)

    def _peek(self) -> _Token:
        return self.tokens[self.at]

    def _next(self) -> _Token:
        token = self.tokens[self.at]
        self.at += 1
        return token

    def _sign(self, *signs: str) -> str | None:
        token = self._peek()
        if token.kind == "sign" and token.text in signs:
            self.at += 1
            return token.text
        return None

    def _joined(self, level: int = 0) -> tuple[Evaluate, bool]:
        if level == len(_JOINS):
            return self._not()
        sign, decisive = _JOINS[level]
        place = self._peek().place
        first, logical = self._joined(level + 1)
        parts = [first]
        while self._sign(sign):
            self._check_logical(logical, place, sign)
            place = self._peek().place
            part, logical = self._joined(level + 1)
            parts.append(part)
        if len(parts) == 1:
            return first, logical
        self._check_logical(logical, place, sign)
        return kleene(parts, decisive), True

    def _check_logical(self, logical: bool, place: int, sign: str) -> None:
        if not logical:
            raise self._error(f"{sign!r} joins comparisons; this side makes no comparison,", place)

    def _not(self) -> tuple[Evaluate, bool]:
        if not self._sign("not"):
            return self._comparison()
        self._deeper()
        place = self._peek().place
        inner, logical = self._not()
        self._check_logical(logical, place, "not")
        self.nesting -= 1

        def negated(read: Read) -> Value:
            value = inner(read)
            return None if value is None else not value

        return negated, True

    def _comparison(self) -> tuple[Evaluate, bool]:
        first, logical = self._operated()
        steps: list[Evaluate] = []
        left = first
        while sign := self._sign(*_COMPARE):
            compare, error = _COMPARE[sign], self._error_of_last()
            right, _ = self._operated()
            alike = sign in ("==", "!=")
            steps.append(compared(compare, left, right, None if alike else error))
            self.operations.append(Operation(compared(compare, left, right, error), alike))
            left = right
        if not steps:
            return first, logical
        return (steps[0] if len(steps) == 1 else kleene(steps, False)), True

    def _error_of_last(self) -> Failure:
        """Return what makes an error about the sign that was just read."""
        sign = self.tokens[self.at - 1]

        def error(a: object, b: object) -> UsageError:
            sides = f"{sign.text!r} joins {kind_of(a)} and {kind_of(b)}"
            return self._error(sides, sign.place)

        return error

    def _operated(self, level: int = 0) -> tuple[Evaluate, bool]:
        if level == len(_SIGNS):
            return self._unary()
        left, logical = self._operated(level + 1)
        while sign := self._sign(*_SIGNS[level]):
            error = self._error_of_last()
            right, _ = self._operated(level + 1)
            left, logical = self._calculation(sign, left, right, error), False
        return left, logical

    def _unary(self) -> tuple[Evaluate, bool]:
        if not (sign := self._sign("-", "+")):
            return self._atom()
        self._deeper()
        error = self._error_of_last()
        inner, _ = self._unary()
        self.nesting -= 1
        zero: Evaluate = lambda read: 0  # noqa: E731
        return self._calculation(sign, zero, inner, error), False

    def _calculation(self, sign: str, left: Evaluate, right: Evaluate, error: Failure) -> Evaluate:
        operation = calculated(_ARITHMETIC[sign], left, right, error)
        self.operations.append(Operation(operation))
        return operation

    def _atom(self) -> tuple[Evaluate, bool]:
        token = self._peek()
        if self._sign("("):
            self._deeper()
            inner = self._joined()
            if not self._sign(")"):
                raise self._fail("a closing bracket is missing")
            self.nesting -= 1
            return inner
        if token.kind == "value":
            constant = self._next().value
            return (lambda read: constant), isinstance(constant, bool)
        if token.kind == "name":
            return self._column(self._next().text)
        raise self._fail(f"a number or a {self.kind} is expected, not {token.text!r},")

    def _column(self, name: str) -> tuple[Evaluate, bool]:
        if name not in self.columns:
            raise unknown(self.kind, name, self.columns)
        self.names[name] = None

        def cell(read: Read) -> Value:
            value = read(name)
            return value if isinstance(value, int | float | str | AtLeast) else None

        return cell, False

    def _deeper(self) -> None:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise self._fail(f"brackets and signs are nested deeper than {MAX_NESTING}")
