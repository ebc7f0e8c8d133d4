"""A graph as an ONNX file in inference form, with weights drawn at random, given, or left out.

The batch stays free. Weights go to the file one at a time, so writing costs the memory of one
tensor. Nodes and tensors have the names of the graph's nodes, weights ``conv1.weight``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

from cnnstat.errors import ModelError
from cnnstat.importers.onnx import require_onnx
from cnnstat.importers.onnx.wire import field, head
from cnnstat.ir.graph import ShapedGraph
from cnnstat.ir.op import Weight

if TYPE_CHECKING:
    from cnnstat.importers.onnx.emitting import Written

OPSET = 17
IR_VERSION = 8
MAX_BYTES = 2**31 - 1
"""Protocol buffers end here, and with them ONNX files without external data."""

GRAPH, INITIALIZER, RAW_DATA = 7, 5, 9
"""Fields of onnx.proto3 that are written here and not by onnx."""

Weights = Literal["random", "none"] | Callable[[str, Weight], Any]
"""Drawn as He et al. 2015 do; left out (the file cannot run then); or an array for each weight of
each node, by the node's name."""


def onnx_blocks(
    shaped: ShapedGraph, *, weights: Weights = "random", seed: int = 0
) -> Iterator[bytes]:
    """Return the bytes of a file block by block; everything is checked before the first.

    Nodes that run in training alone are written too, as further outputs. Raises
    ``MissingDependencyError`` without onnx, ``ModelError`` for an operator that ONNX does not have
    and for more than 2 GB of weights.
    """
    require_onnx()
    from cnnstat.importers.onnx.emitting import emit

    written = emit(shaped, OPSET, weights)
    nbytes = sum(each.nbytes for each in written.initializers)
    if weights != "none" and nbytes + written.graph.ByteSize() > MAX_BYTES:
        raise ModelError(
            f"{shaped.graph.name}: its weights take {nbytes / 1e9:.2f} GB and an ONNX file holds "
            "at most 2.15 GB; leave them out"
        )
    return chain([_model().SerializeToString()], _blocks(written, weights, seed))


def _model() -> Any:
    from importlib.metadata import version

    from onnx import ModelProto

    model = ModelProto()
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = "cnnstat", version("cnnstat")
    model.opset_import.add().version = OPSET
    return model


def _blocks(written: Written, weights: Weights, seed: int) -> Iterator[bytes]:
    """Yield the graph's field: its structure, then each initializer, its elements last."""
    structure = written.graph.SerializeToString()
    heads, offset = [], 0
    for each in written.initializers:
        proto = each.proto()
        if weights == "none":
            each.leave_out(proto, f"{written.graph.name}.weights", offset)
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
