"""Bytes that a layer moves to and from memory: inputs and weights read, outputs written, each once.

Normalisations and activations of a row act on its result on the way, so a row's traffic is that of
its inputs, weights and output. Each node has its part of it: the sums agree in every view. A view
moves nothing; through a view only what it shows is read. Of a table of embeddings, only the rows
that are looked up are read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from cnnstat.count.figures import float_dtype
from cnnstat.count.storage import Placement, allocated_bytes
from cnnstat.ir.graph import Node, NodeFacts, ShapedGraph, Value
from cnnstat.ir.tensor import bytes_of


class Traffic(NamedTuple):
    """Bytes of inputs and of weights that are read, bytes that are written."""

    read: int = 0
    weights: int = 0
    written: int = 0

    @property
    def total(self) -> int:
        """Return all bytes."""
        return sum(self)


NO_TRAFFIC = Traffic()


def sum_traffic(parts: Iterable[Traffic]) -> Traffic:
    """Return the sum of some traffic."""
    total = NO_TRAFFIC
    for part in parts:
        total = Traffic(*map(int.__add__, total, part))
    return total


def traffic_of(shaped: ShapedGraph, placement: Placement) -> tuple[Traffic, ...]:
    """Return the traffic of each node, as its part of its row."""
    nodes, row = shaped.nodes, placement.row
    moving = {row[i] for i, node in enumerate(nodes) if node.inputs and node.op.storage != "view"}
    seen: set[tuple[int, Value]] = set()  # a row reads a value once
    result = []
    for index, (node, facts) in enumerate(zip(nodes, shaped.facts, strict=True)):
        if row[index] not in moving:
            result.append(NO_TRAFFIC)
            continue
        entering = [
            value
            for value in node.inputs
            if row[value.node] != row[index] and (row[index], value) not in seen
        ]
        seen.update((row[index], value) for value in entering)
        read = sum([shaped.spec(value).nbytes for value in dict.fromkeys(entering)])
        if node.op.storage == "view":
            read = min(read, sum([spec.nbytes for spec in facts.outputs]))
        written = allocated_bytes(node.op, facts.outputs, owns=placement.owns[index])
        result.append(Traffic(read, _weights(node, facts), written))
    return tuple(result)


def _weights(node: Node, facts: NodeFacts) -> int:
    """Return the bytes of the parameters that an operator reads, whichever node counts them."""
    dtype = float_dtype(facts.inputs)
    size = sum(
        bytes_of(weight.numel, weight.dtype or dtype)
        for weight in facts.weights
        if weight.role != "buffer"
    )
    looked_up = node.op.type_name == "Embedding"
    return min(size, facts.outputs[0].nbytes) if looked_up else size
