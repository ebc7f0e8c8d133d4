"""Error rates of the user's models, from a CSV file; the header says what its numbers are."""

from __future__ import annotations

import csv
from collections.abc import Container, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Literal

from cnnstat.errors import UsageError, unknown
from cnnstat.importers.reference import form_of
from cnnstat.zoo.card import Accuracy
from cnnstat.zoo.catalog import canonical

Kind = Literal["error", "accuracy"]
SUFFIXES: dict[Kind, tuple[str, ...]] = {
    "error": ("error", "err"),
    "accuracy": ("accuracy", "acc", ""),
}
RATES = {
    f"top{k}{suffix}": (f"top{k}_error", kind)
    for k in (1, 5)
    for kind, suffixes in SUFFIXES.items()
    for suffix in suffixes
}
"""Headers without punctuation, the field that each fills, and what its numbers are.

The option is called ``--accuracy``: a bare ``top1`` is one.
"""
WORDS = ("model", "source", "dataset", "setting")
HEADER = "model,top1_error,top5_error,source or model,top1_accuracy,top5_accuracy,source"
MAX_BYTES = 16 * 2**20


@dataclass(frozen=True)
class AccuracyFile:
    """Error rates by model; ``kind`` is what the file's numbers are."""

    path: str
    kind: Kind
    rates: Mapping[str, Accuracy]

    def of(self, *names: str) -> Accuracy | None:
        """Return the rates of a model, by its reference or its name."""
        return next((self.rates[name] for name in names if name in self.rates), None)

    def unused(self, names: Container[str]) -> str:
        """Return a remark on the models of the file that have none of these names; "" for none."""
        unused = [name for name in self.rates if name not in names]
        return f"{self.path}: not among the models: {', '.join(unused)}" if unused else ""


def read_accuracy(path: str) -> AccuracyFile:
    """Return the error rates in a CSV file.

    Raises ``UsageError``, with the line, for a malformed file, and for a number that is not a
    percentage.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not a text file (UTF-8): {error.reason}") from error
    if len(text) > MAX_BYTES:
        raise UsageError(f"{path}: at most {MAX_BYTES:,} characters are read")
    try:
        lines = [line for line in csv.reader(text.splitlines(), strict=True) if any(line)]
    except csv.Error as error:
        raise UsageError(f"{path}: not a CSV file: {error}") from error
    if not lines:
        raise UsageError(f"{path}: no rows; expected the header {HEADER}")
    if len(lines[0]) == 1 and ";" in lines[0][0]:
        raise UsageError(f"{path}: cells are separated by semicolons: separate them by commas")
    return _table(path, lines[0], lines[1:])


def _table(path: str, header: list[str], rows: list[list[str]]) -> AccuracyFile:
    keys = ["".join(filter(str.isalnum, cell.lower())) for cell in header]
    for cell, key in zip(header, keys, strict=True):
        if key not in RATES and key not in WORDS:
            names = (*WORDS, "top1_error", "top5_error", "top1_accuracy", "top5_accuracy")
            raise UsageError(f"{path}: {unknown('column', cell.strip(), names)}")
    kinds = {RATES[key][1] for key in keys if key in RATES}
    if "model" not in keys or len(kinds) != 1 or len(set(keys)) < len(keys):
        raise UsageError(f"{path}: expected the header {HEADER}")
    rates: dict[str, Accuracy] = {}
    numbers: list[Decimal] = []
    kind = kinds.pop()
    for at, row in enumerate(rows, 2):
        place = f"{path}: row {at}"
        if len(row) != len(keys):
            raise UsageError(f"{place}: {len(row)} cells, the header has {len(keys)}")
        cells = dict(zip(keys, (cell.strip() for cell in row), strict=True))
        name = cells.pop("model")
        name = canonical(name) if form_of(name) == "zoo" else name
        if not name or name in rates:
            raise UsageError(f"{place}: model {name!r}: name each model once")
        errors: dict[str, float | None] = {}
        for key, cell in zip(keys, header, strict=True):
            if key in RATES:
                value = _number(cells.pop(key), place, cell.strip())
                numbers += [] if value is None else [value]
                error = value if value is None or kind == "error" else 100 - value
                errors[RATES[key][0]] = None if error is None else float(error)
        top1, top5 = errors.get("top1_error"), errors.get("top5_error")
        if top1 is not None and top5 is not None and top5 > top1:
            raise UsageError(f"{place}: the top-5 error is larger than the top-1 error")
        rates[name] = Accuracy(
            dataset=cells.get("dataset", ""),
            setting=cells.get("setting", ""),
            source=cells.get("source", ""),
            top1_error=top1,
            top5_error=top5,
        )
    if numbers and max(numbers) <= 1:
        raise UsageError(f"{path}: every rate is at most 1: expected percent, as in 76.1")
    return AccuracyFile(path, kind, rates)


def _number(text: str, place: str, key: str) -> Decimal | None:
    if not text:
        return None
    try:
        value = Decimal(text.removesuffix("%").strip())
    except InvalidOperation:
        raise UsageError(f"{place}: {key} is {text!r:.40}: expected percent, as in 76.1") from None
    if not value.is_finite() or not 0 <= value <= 100:
        raise UsageError(f"{place}: {key} is {text!r:.40}: expected 0 to 100 percent")
    return value
