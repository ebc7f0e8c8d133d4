"""Reading a saved ``summary --format json``; every figure is checked, with its place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from cnnstat.count.figures import Figures
from cnnstat.count.jsonfile import read_json
from cnnstat.count.receptive.field import ReceptiveField
from cnnstat.count.report import Note, Totals
from cnnstat.count.saved import Row, Saved, Status
from cnnstat.errors import UsageError
from cnnstat.ir.tensor import DTYPE_BYTES, UNKNOWN, TensorSpec
from cnnstat.ir.work import Work

SCHEMA = "cnnstat.summary/1"
TOTALS = tuple(name for name in Totals.__slots__ if name not in ("counted", "peak_layer"))
"""Totals that are whole numbers."""
LARGEST = 10**18
RATIO = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?|[0-9]{1,18}/[1-9][0-9]{0,17}")
"""A jump as it is written: whole, decimal or a fraction, without an exponent."""
MOST = {"paths": 10**4000}
"""No figure is larger; paths multiply with every block."""
WRITE = "write it with 'cnnstat summary MODEL --format json'"


def is_saved(path: str) -> bool:
    """Whether a JSON file is a result of cnnstat and not a Keras model.

    Raises ``UsageError`` for a file that cannot be read and one that is neither.
    """
    content = read_json(path)
    if isinstance(content, dict):
        if "schema" in content:
            return True
        if "config" in content:
            return False
    raise UsageError(
        f"{path}: neither a saved summary ({WRITE}) nor a Keras model (model.to_json())"
    )


def read_saved(path: str) -> Saved:
    """Return the saved summary in a file. Raises ``UsageError`` with what is wrong with it."""
    content = _Object(read_json(path), path)
    schema = content.values.get("schema")
    if schema != SCHEMA:
        raise UsageError(f"{path}: schema {schema!r:.60}, expected {SCHEMA!r}: {WRITE}")
    model, totals = content.object("model"), content.object("totals")
    counted = content.object("convention")
    spec = _spec(content.object("input"))
    rows = tuple(_row(row, spec) for row in content.objects("layers"))
    partial = content.status("status") == "partial"
    unknown = sum(row.figures.unknown_counted for row in rows)
    return Saved(
        source=path,
        name=model.text("name"),
        title=model.text("title", or_null=True),
        year=model.whole("year", or_null=True) or None,
        status=content.status("status"),
        params_status=content.status("params_status", default="complete"),
        input=spec,
        single=content.object("input").values.get("has_batch") is False,
        convention=counted.text("name"),
        totals=Totals(
            **{key: totals.whole(key) for key in TOTALS},
            counted=counted.whole("counted"),
            peak_layer=totals.text("peak_layer"),
        ),
        figures=_figures(totals, counted.whole("counted"), unknown=partial, uncounted=unknown),
        rows=rows,
        notes=tuple(_note(note) for note in content.objects("notes")),
        lacking=_lacking(content),
    )


def _lacking(content: _Object) -> str:
    """Return why the rows are not those of the layers in the order of execution; or nothing."""
    view = content.object("view") if "view" in content.values else None
    for option in () if view is None else view.values:
        return f"was written with --{option}: its rows are not all layers in order; leave it out"
    omitted = content.whole("omitted_layers") if "omitted_layers" in content.values else 0
    return f"lacks {omitted:,} layers: write it without --top" if omitted else ""


def _note(note: _Object) -> Note:
    return Note(note.text("code"), note.text("path"), note.text("message"))


def _spec(input: _Object) -> TensorSpec:
    dtype = input.text("dtype")
    if dtype not in DTYPE_BYTES:
        raise UsageError(f"{input.place}: dtype is {dtype!r:.40}")
    return TensorSpec(input.extents("shape"), dtype)


def _row(row: _Object, spec: TensorSpec) -> Row:
    counted = row.whole("counted", or_null=True)
    shapes = row.values.get("input_shapes")
    if not isinstance(shapes, list):
        raise UsageError(f"{row.place}: input_shapes is {shapes!r:.40}")
    output = row.values.get("output_shape")
    return Row(
        name=row.text("name"),
        path=row.text("path"),
        type=row.text("type"),
        detail=row.text("detail"),
        inputs=tuple(TensorSpec(_extents(shape, row.place), spec.dtype) for shape in shapes),
        output=UNKNOWN if output is None else TensorSpec(row.extents("output_shape"), spec.dtype),
        figures=_figures(
            row,
            counted or 0,
            unknown=row.values.get("macs") is None,
            uncounted=int(row.values.get("counted") is None),
        ),
        counts_all_weights=row.values.get("params") is not None,
        has_all_shapes=row.values.get("activation_bytes") is not None,
        receptive_field=_field(row),
        formulas={key: str(text) for key, text in row.object("formulas").values.items()},
    )


def _figures(source: _Object, counted: int, *, unknown: bool, uncounted: int) -> Figures:
    """Return figures that add up; work other than multiply-accumulates is one kind."""
    macs, flops = (source.whole(key, or_null=True) for key in ("macs", "flops"))
    if flops < 2 * macs:
        raise UsageError(f"{source.place}: flops {flops} are less than 2 per MAC of {macs}")
    weights, biases = (source.whole(key, or_null=True) for key in ("weights", "biases"))
    if source.whole("params", or_null=True) != weights + biases:
        raise UsageError(f"{source.place}: params are not weights + biases")
    size = source.whole("activation_bytes", or_null=True)
    cached = source.whole("cached_activation_bytes", or_null=True)
    if cached < size:
        raise UsageError(f"{source.place}: cached_activation_bytes is {cached}, less than {size}")
    return Figures(
        weights,
        biases,
        source.whole("buffers"),
        source.whole("param_bytes") if "param_bytes" in source.values else 0,
        Work(macs=macs, additions=flops - 2 * macs),
        counted,
        int(unknown),
        uncounted,
        size,
        cached - size,
    )


def _field(row: _Object) -> ReceptiveField | None:
    if row.values.get("receptive_field") is None:
        return None
    size, jump = row.extents("receptive_field"), row.values.get("jump")
    if jump is None:
        return ReceptiveField(size, None)
    if not isinstance(jump, list) or not all(RATIO.fullmatch(str(each)) for each in jump):
        raise UsageError(f"{row.place}: jump is {jump!r:.40}")
    return ReceptiveField(size, tuple(Fraction(str(each)) for each in jump))


def _extents(value: object, place: str) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(each) is int and each >= 0 for each in value):
        raise UsageError(f"{place}: {value!r:.40} is not a shape")
    return tuple(value)


class _Object:
    """An object of the file whose values are read by key, each of the type that it must have."""

    def __init__(self, values: object, place: str) -> None:
        if not isinstance(values, dict):
            raise UsageError(f"{place}: must be an object, got {values!r:.40}")
        self.values: Mapping[str, Any] = values
        self.place = place

    def _wrong(self, key: str) -> UsageError:
        if key not in self.values:
            return UsageError(f"{self.place}: no {key!r}; {WRITE}")
        return UsageError(f"{self.place}: {key} is {self.values[key]!r:.40}")

    def object(self, key: str) -> _Object:
        if not isinstance(self.values.get(key), dict):
            raise self._wrong(key)
        return _Object(self.values[key], f"{self.place}: {key}")

    def objects(self, key: str) -> list[_Object]:
        rows = self.values.get(key)
        if not isinstance(rows, list):
            raise self._wrong(key)
        return [_Object(row, f"{self.place}: {key} {at}") for at, row in enumerate(rows, 1)]

    def text(self, key: str, *, or_null: bool = False) -> str:
        value = self.values.get(key)
        if value is None and or_null:
            return ""
        if not isinstance(value, str):
            raise self._wrong(key)
        return value

    def whole(self, key: str, *, or_null: bool = False) -> int:
        """Return a whole number; 0 for null where that is allowed."""
        value = self.values.get(key)
        if value is None and or_null and key in self.values:
            return 0
        if type(value) is not int or not 0 <= value <= MOST.get(key, LARGEST):
            raise self._wrong(key)
        return value

    def extents(self, key: str) -> tuple[int, ...]:
        return _extents(self.values.get(key), f"{self.place}: {key}")

    def status(self, key: str, default: str = "") -> Status:
        value = self.values.get(key, default)
        if value not in ("complete", "partial"):
            raise self._wrong(key)
        return "partial" if value == "partial" else "complete"
