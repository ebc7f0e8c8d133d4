"""The JSON Schema of spec files, made from the operators themselves, so that it cannot fall behind.

``python -m cnnstat.importers.spec.schema`` prints it. Editors check and complete a YAML
file whose first line names the schema (``# yaml-language-server: $schema=spec.schema.json``).
"""

from __future__ import annotations

import dataclasses
import json

from cnnstat.importers.spec.operators import (
    OPERATORS,
    fields_of,
    kind_of,
    per_axis,
    required,
)
from cnnstat.importers.spec.reading import INPUT_KEYS, NODE_KEYS, TOP_KEYS
from cnnstat.ir.op import Op
from cnnstat.ir.tensor import DTYPE_BYTES

Schema = dict[str, object]

_EXPRESSION: Schema = {"type": "string", "pattern": r"\$"}
_NAME: Schema = {"type": ["string", "integer"]}
_NAMES: Schema = {"anyOf": [_NAME, {"type": "array", "items": _NAME}]}
_MARKS: dict[str, Schema] = {
    "training_only": {"type": "boolean"},
    "frozen": {"type": "boolean", "description": "training leaves its weights alone"},
    "row": {"type": "string", "description": "the layer in whose row it is shown"},
    "axes": {
        "type": "array",
        "items": {"type": "integer", "minimum": 0},
        "description": "the order in which the axes are shown: [0, 2, 3, 1] is channels last",
    },
}
_EXTENTS: Schema = {
    "anyOf": [
        {"type": "string", "pattern": r"^\d+(x\d+)*$"},
        {"type": "array", "items": {"anyOf": [{"type": "integer", "minimum": 1}, _EXPRESSION]}},
    ]
}


_LAYERS: Schema = {"type": "array", "items": {"$ref": "#/$defs/layer"}}


def _object(properties: Schema, **rules: object) -> Schema:
    """Return the schema of a mapping that has no other keys than these."""
    return {"type": "object", "additionalProperties": False, **rules, "properties": properties}


def _mapping(of: Schema, **notes: str) -> Schema:
    """Return the schema of a mapping of any names to values of one schema."""
    return {"type": "object", "additionalProperties": of, **notes}


def spec_schema() -> Schema:
    """Return the schema of a spec file as plain data, ready for ``json.dumps``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "cnnstat model",
        **_object(
            dict(zip(TOP_KEYS, _top(), strict=True)),
            required=["layers"],
            anyOf=[{"required": ["input"]}, {"required": ["inputs"]}],
        ),
        "$defs": {
            "input": _input(),
            "layer": {
                "anyOf": [
                    {"enum": sorted(n for n, op in OPERATORS.items() if not required(op))},
                    {"$ref": "#/$defs/group"},
                    *(_layer(name, op) for name, op in OPERATORS.items()),
                ]
            },
            "group": _group(),
        },
    }


def _top() -> list[Schema]:
    """Return the schema of each of ``TOP_KEYS``, in their order."""
    entering: Schema = {"$ref": "#/$defs/input"}
    parameters: Schema = {"type": "object", "description": "values for $name in layers"}
    block = _object({"parameters": {"type": "object"}, "layers": _LAYERS}, required=["layers"])
    blocks = _mapping({"anyOf": [_LAYERS, block]})
    classes = _mapping(_NAME, description="classes of modules by path")
    dtypes = _mapping({"enum": list(DTYPE_BYTES)})
    first: list[Schema] = [{"type": "string"}, entering, _mapping(entering), parameters]
    return [*first, blocks, _LAYERS, _NAMES, _NAMES, classes, dtypes]


def _input() -> Schema:
    marks = {key: _MARKS[key] for key in INPUT_KEYS if key in _MARKS}
    stated: Schema = {"shape": _EXTENTS, "dtype": {"enum": list(DTYPE_BYTES)}, **marks}
    shaped = _object(stated, required=["shape"])
    return {"anyOf": [_EXTENTS, shaped], "description": "a shape without the batch"}


def _group() -> Schema:
    keys: Schema = {
        "repeat": {"anyOf": [{"type": "integer", "minimum": 0}, _EXPRESSION]},
        "block": {"type": "string", "description": "a name from 'blocks'"},
        "layers": _LAYERS,
        "with": {"type": "object", "description": "parameters of the block"},
        "name": _NAME,
        "from": _NAMES,
    }
    return _object(keys, anyOf=[{"required": ["layers"]}, {"required": ["block"]}])


def _layer(name: str, op: type[Op]) -> Schema:
    summary = (op.__doc__ or "").strip().splitlines()[0]
    fields = _object({key: _value(key, field) for key, field in fields_of(op).items()})
    marks = {"name": _NAME, "from": _NAMES, "tied_to": _NAME, **_MARKS}
    short: Schema = {"type": ["null", "array", "integer", "number", "string"]}
    keys: Schema = {
        name: {"anyOf": [fields, short], "description": summary},
        **{key: marks[key] for key in NODE_KEYS},
    }
    return _object(keys, required=[name], description=summary)


def _value(key: str, field: dataclasses.Field[object]) -> Schema:
    kind = {"int": "integer", "float": "number", "bool": "boolean", "str": "string"}
    if per_axis(field):
        number: Schema = {"type": "integer", "minimum": 0}
        if key == "padding":
            return _padding(number)
        return {"anyOf": [number, {"type": "array", "items": number}, _EXPRESSION]}
    name = kind_of(field)
    return {"anyOf": [{"type": kind[name]}, _EXPRESSION]} if name in kind else {}


def _padding(number: Schema) -> Schema:
    pair: Schema = {"type": "array", "items": number, "minItems": 2, "maxItems": 2}
    sides: Schema = {"type": "array", "items": {"anyOf": [number, pair]}}
    return {
        "anyOf": [number, sides, _EXPRESSION, {"const": "same"}],
        "description": "one number for all axes, or one per axis; a pair is the padding before "
        "the axis and after it ([[0, 1], [0, 1]]); same: output = ceil(input / stride)",
    }


def schema_text() -> str:
    """Return the schema as the text of ``samples/spec.schema.json``."""
    return json.dumps(spec_schema(), indent=1) + "\n"


if __name__ == "__main__":
    print(schema_text(), end="")
