"""Files of weights alone: parameters by tensor name, everything else unknown.

A row is a module, told by the names: ``layer1.0.conv1.weight`` lies in ``layer1/0/conv1``. Names
and dtypes are also all that tells biases and buffers from weights.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Hashable, Iterable, Mapping
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from cnnstat.count.report import NAMELESS, WEIGHTS_ALONE, Note
from cnnstat.errors import ModelError, UsageError
from cnnstat.importers.assembly import role_of
from cnnstat.importers.naming import Names, printable
from cnnstat.importers.reference import Imported
from cnnstat.ir.graph import Graph, Node, Value
from cnnstat.ir.op import Role, Weight
from cnnstat.ir.tensor import UNKNOWN
from cnnstat.ops import Opaque

NO_FORWARD = (
    "it has weights and no forward pass; name a model that runs: model.py:factory, or a file of "
    "torch.export.save, torch.jit.save or torch.onnx.export"
)
BUFFERS = ("running_mean", "running_var", "position_ids", "attn_mask", "inv_freq")
"""Last parts of names that PyTorch and the libraries give to buffers."""

BOOKKEEPING = "num_batches_tracked"
"""A buffer that no forward pass in evaluation form reads and that is not counted."""

MAX_HEADER_BYTES = 100_000_000
"""Longest header of a safetensors file, by that format's own rule."""

MAX_RANK = 64
"""Most axes of a tensor; PyTorch has none with more."""

MAX_NAME = 2_000
"""Longest name of a tensor; a path has a row for each of its parts."""

DTYPES = {
    **{"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"},
    **{"I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8", "U8": "uint8"},
    **{"U16": "uint16", "U32": "uint32", "U64": "uint64", "BOOL": "bool", "C64": "complex64"},
    **{"F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2"},
}
"""Dtypes of safetensors by their names in the header."""


class NamedTensor(NamedTuple):
    """A tensor of a file; tensors with the same ``storage`` are one."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    storage: Hashable


def imported(reference: str, tensors: Iterable[NamedTensor]) -> Imported:
    """Return a graph with one node a module, whose work and results are unknown."""
    rows: dict[str, list[Weight]] = {}
    seen: set[Hashable] = set()
    for tensor in tensors:
        if len(tensor.name) > MAX_NAME:
            raise ModelError(
                f"{reference}: the name {printable(tensor.name[:60])!r}... has {len(tensor.name)} "
                f"characters; at most {MAX_NAME:,} are read"
            )
        path, _, last = tensor.name.rpartition(".")
        if last == BOOKKEEPING or tensor.storage in seen:
            continue
        seen.add(tensor.storage)
        weight = Weight(last, tensor.shape, _role(last, tensor.dtype), tensor.dtype)
        rows.setdefault(path.replace(".", "/") or last, []).append(weight)
    if not rows:
        raise ModelError(f"{reference}: the file holds no tensors")
    names = Names()
    nodes = [
        Node(names.unique(path), Opaque(NAMELESS, (UNKNOWN,), stored=tuple(weights)), ())
        for path, weights in rows.items()
    ]
    message = (
        "parameters are recognised by the names of tensors; work, output shapes and depth are "
        f"unknown: {NO_FORWARD}"
    )
    graph = Graph(reference, tuple(nodes), (Value(len(nodes) - 1),))
    return Imported(graph, (Note(WEIGHTS_ALONE, "", message),))


def _role(name: str, dtype: str) -> Role:
    trained = name not in BUFFERS and ("float" in dtype or dtype.startswith("complex"))
    return role_of(name, trained=trained)


def read_safetensors(path: str) -> list[NamedTensor]:
    """Return the tensors of a safetensors file, from its header alone.

    Raises ``UsageError`` for a file that cannot be read, ``ModelError`` for a malformed one.
    """
    try:
        with Path(path).open("rb") as file:
            start = file.read(8)
            (length,) = struct.unpack("<Q", start) if len(start) == 8 else (0,)
            if not 2 <= length <= MAX_HEADER_BYTES:
                raise ModelError(f"{path}: not a safetensors file: its header has {length} bytes")
            content = file.read(length)
        header = json.loads(content)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: its header is not JSON") from error
    if len(content) < length or not isinstance(header, dict):
        raise ModelError(f"{path}: its header is cut off or no object")
    entries = {name: each for name, each in header.items() if name != "__metadata__"}
    return [_entry(path, name, each) for name, each in entries.items()]


def _entry(path: str, name: str, entry: Any) -> NamedTensor:
    known: Mapping[str, Any] = entry if isinstance(entry, dict) else {}
    shape, dtype = known.get("shape"), DTYPES.get(str(known.get("dtype")))
    extents = shape if isinstance(shape, list) else [-1]
    if any(type(extent) is not int or extent < 0 for extent in extents) or dtype is None:
        raise ModelError(f"{path}: the shape or dtype of {printable(name)!r} is malformed")
    if len(extents) > MAX_RANK:
        raise ModelError(
            f"{path}: {printable(name[:60])!r} has {len(extents)} axes; at most {MAX_RANK} are read"
        )
    if prod(extents) >= 2**63:
        raise ModelError(f"{path}: {printable(name)!r} has more elements than memory can have")
    return NamedTensor(name, tuple(extents), dtype, name)
