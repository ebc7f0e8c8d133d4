"""The ledger's records: one TOML file per family, read when it is needed.

A ``[[figure]]`` is one record; with ``rows`` it is one record for each row, of the row's keys and
those that all rows share. The keys are those of ``Figure``. Where the printed text is not a plain
whole number, its meaning stands in ``number`` (``"24M"``), ``value``, ``more_than`` or
``less_than``. ``cnnstat.ledger.compute`` says how a record is computed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from cnnstat.ledger.compute import compute_of, unit_of_record
from cnnstat.ledger.figure import Bound, Figure, Printed, Value
from cnnstat.zoo import catalog

FAMILIES = tuple([family.module for family in catalog.FAMILIES])
"""Files of the ledger: those of the zoo, in historical order."""

SCALES: dict[str, Fraction] = {
    "": Fraction(1),
    "K": Fraction(10**3),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "x10^9": Fraction(10**9),
    "Ki": Fraction(2**10),
    "Mi": Fraction(2**20),
    "%": Fraction(1, 100),
}
"""Scales that a number is printed in, by suffix; ``e4`` is 10**4."""

_NUMBER = re.compile(r"(\d*\.?\d+)(?:e(\d)|([A-Za-z%].*)?)")


def figures(*families: str) -> tuple[Figure, ...]:
    """Return every figure of these families, or of all."""
    return tuple([figure for family in families or FAMILIES for figure in _read(family)])


def headlines(family: str) -> tuple[Figure, ...]:
    """Return the figures of a family that a summary shows."""
    return tuple([figure for figure in _read(family) if figure.headline])


def _read(family: str) -> list[Figure]:
    path = Path(__file__).parent / "figures" / f"{family}.toml"
    if not path.exists():
        return []
    records = tomllib.loads(path.read_text(encoding="utf-8")).get("figure", ())
    return [
        figure_of({**record, **row}, f"{path.name}: {row.get('id', record.get('id'))}")
        for record in records
        for row in record.get("rows", ({},))
    ]


def figure_of(record: Mapping[str, Any], where: str) -> Figure:
    """Return the figure of a record; an error names the record by ``where``."""
    unknown = set(record) - _KEYS
    if unknown:
        raise ValueError(f"{where}: unknown keys {', '.join(sorted(unknown))}")
    where_from = {key: record[key] for key in ("model", "layer") if key in record}
    others = record.get("otherwise", ())
    return Figure(
        id=record["id"],
        model=record["model"],
        quantity=record["quantity"],
        printed=record["printed"],
        value=_value_of(record, where),
        unit=unit_of_record(record),
        compute=compute_of(record),
        source=record["source"],
        place=record["place"],
        layer=record.get("layer", ""),
        kind=record.get("kind", "figure"),
        otherwise=tuple([(o["name"], compute_of({**where_from, **o})) for o in others]),
        explanation=record.get("explanation", ""),
        headline=record.get("headline", False),
        models=tuple(record.get("ratio", ())),
    )


_KEYS = {
    *("id", "model", "quantity", "printed", "source", "place", "layer", "unit", "kind", "rows"),
    *("headline", "explanation", "otherwise", "number", "value", "more_than", "less_than"),
    *("read", "at", "under", "models", "input", "ratio", "compute"),
}


def _value_of(record: Mapping[str, Any], where: str) -> Value:
    if "value" in record:
        return _value(record["value"])
    if "more_than" in record or "less_than" in record:
        return _value({k: record[k] for k in ("more_than", "less_than") if k in record})
    text = record["printed"].replace(",", "")
    if "number" not in record and text.isdecimal():
        return int(text)
    try:
        return number(record.get("number", text))
    except ValueError as error:
        raise ValueError(f"{where}: {error}; give number, value, more_than or less_than") from None


def _value(data: Any) -> Value:
    """Return a value from TOML: arrays are tuples, tables are numbers and bounds."""
    if isinstance(data, list):
        return tuple([_value(part) for part in data])
    if not isinstance(data, dict):
        return data  # type: ignore[no-any-return]
    if "number" in data:
        return number(data["number"])
    if "more_than" in data:
        return Bound(">", Fraction(str(data["more_than"])))
    return Bound("<", Fraction(str(data["less_than"])))


def number(text: str) -> Printed:
    """Return a number in printed digits: ``138M``, ``3.8``, ``15e4``; raise ``ValueError``."""
    parts = _NUMBER.fullmatch(text)
    if parts is None or (parts[3] or "") not in SCALES:
        raise ValueError(f"{text!r} is not a number with one of the scales {', '.join(SCALES)}")
    scale = Fraction(10 ** int(parts[2])) if parts[2] else SCALES[parts[3] or ""]
    return Printed(parts[1], scale)
