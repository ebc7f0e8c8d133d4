"""A graph as an ONNX file in inference form, with weights drawn at random, given, or left out.

The batch stays free. Weights go to the file one at a time, so writing costs the memory of one
tensor. Nodes and tensors have the names of the graph's nodes, weights ``conv1.weight``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

from cnnstat.errors import ModelError, UsageError
from cnnstat.importers.onnx_file import require_onnx
from cnnstat.importers.onnx_file.wire import field, head
from cnnstat.ir.graph import ShapedGraph
from cnnstat.ir.op import Weight

OPSET = 17
IR_VERSION = 8
MAX_BYTES = 2**31 - 1
"""Protocol buffers end here, and with them ONNX files without external data."""

GRAPH, INITIALIZER, RAW_DATA = 7, 5, 9
"""Fields of onnx.proto3 that are written here and not by onnx."""

Weights = Literal["random", "none"] | Callable[[str, Weight], Any]
"""Drawn as He et al. 2015 do; left out (the file cannot run then); or an array for each weight of
each node, by the node's name."""


def write_onnx(
    shaped: ShapedGraph, path: str, *, weights: Weights = "random", seed: int = 0
) -> None:
    """Write a model to a file, whole or not at all.

    Nodes that run in training alone are written too, as further outputs. Raises
    ``MissingDependencyError`` without onnx, ``ModelError`` for an operator that ONNX does not have
    and for more than 2 GB of weights, ``UsageError`` where the file cannot be written.
    """
    require_onnx()
    from cnnstat.importers.onnx_file.emitting import emit

    written = emit(shaped, OPSET, weights)
    model = _model()
    file = Path(path)
    nbytes = sum(each.nbytes for each in written.initializers)
    if weights != "none" and nbytes + written.graph.ByteSize() > MAX_BYTES:
        raise ModelError(
            f"{shaped.graph.name}: its weights take {nbytes / 1e9:.2f} GB and an ONNX file holds "
            "at most 2.15 GB; leave them out"
        )
    blocks = _blocks(written, file, weights, seed)
    beside = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as out:
            out.write(model.SerializeToString())
            for block in blocks:
                out.write(block)
        beside.replace(file)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
    finally:
        beside.unlink(missing_ok=True)


def _model() -> Any:
    from onnx import ModelProto

    from cnnstat import __version__

    model = ModelProto()
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = "cnnstat", __version__
    model.opset_import.add().version = OPSET
    return model


def _blocks(written: Any, file: Path, weights: Weights, seed: int) -> Iterator[bytes]:
    """Yield the graph's field: its structure, then each initializer, its elements last."""
    structure = written.graph.SerializeToString()
    heads, offset = [], 0
    for each in written.initializers:
        proto = each.proto()
        if weights == "none":
            each.leave_out(proto, f"{file.stem}.weights", offset)
            offset += each.nbytes
            heads.append((proto.SerializeToString(), 0))
        else:
            heads.append((proto.SerializeToString() + head(RAW_DATA, each.nbytes), each.nbytes))
    total = len(structure)
    for start, nbytes in heads:
        total += len(head(INITIALIZER, len(start) + nbytes)) + len(start) + nbytes
    yield head(GRAPH, total)
    yield structure
    for number, (each, (start, nbytes)) in enumerate(zip(written.initializers, heads, strict=True)):
        if weights == "none":
            yield field(INITIALIZER, start)
            continue
        yield head(INITIALIZER, len(start) + nbytes)
        yield start
        yield from each.elements(weights, (seed, number))
