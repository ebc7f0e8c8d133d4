"""Bytes that a layer moves to and from memory: inputs and weights read, outputs written, each once.

A row's traffic is that of its inputs, weights and output: what its own nodes alone read (a weight
that is dequantised first) goes through no memory. Each node has its part of it: the sums agree in
every view. A view moves nothing; through a view only what it shows is read. Of a table of
embeddings, only the rows that are looked up are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cnnstat.count.figures import float_dtype
from cnnstat.count.liveness import allocated_bytes
from cnnstat.count.placement import Placement
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
    return Traffic(*map(sum, zip(NO_TRAFFIC, *parts, strict=True)))


def traffic_of(shaped: ShapedGraph, placement: Placement) -> tuple[Traffic, ...]:
    """Return the traffic of each node, as its part of its row."""
    nodes, row = shaped.nodes, placement.row
    moving = {row[i] for i, node in enumerate(nodes) if node.inputs and node.op.storage != "view"}
    readers = _rows_of_readers(shaped, row)
    seen: set[tuple[int, Value]] = set()  # a row reads a value once
    result = []
    for index, (node, facts) in enumerate(zip(nodes, shaped.facts, strict=True)):
        if row[index] not in moving or (node.is_stored and not readers[index]):
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
        leaves = readers[index] != {row[index]}
        written = allocated_bytes(node.op, facts.outputs, owns=placement.owns[index]) * leaves
        result.append(Traffic(read, _weights(node, facts), written))
    return tuple(result)


def _rows_of_readers(shaped: ShapedGraph, row: Sequence[int]) -> list[set[int]]:
    """Return the rows that read a result of each node, also where another shows its memory.

    -1 stands for whoever reads an output of the model.
    """
    readers: list[set[int]] = [set() for _ in shaped.nodes]
    for value in (*shaped.graph.outputs, *shaped.graph.training_outputs):
        readers[value.node].add(-1)
    for index in range(len(shaped.nodes) - 1, -1, -1):
        node = shaped.nodes[index]
        if node.inputs and not readers[index]:  # nobody reads it: it is written all the same
            readers[index].add(-1)
        for place, value in enumerate(node.inputs):
            readers[value.node].add(row[index])
            if place == 0 and node.op.storage != "own":
                readers[value.node] |= readers[index]
    return readers


def _weights(node: Node, facts: NodeFacts) -> int:
    """Return the bytes of the parameters that an operator reads, whichever node counts them.

    Weights that were computed are inputs, behind those that the operator reads.
    """
    dtype = float_dtype(facts.inputs)
    computed = [] if node.tied_to is None else [s.shape for s in facts.inputs[node.op.reads[0] :]]
    size = 0
    for weight in facts.weights:
        if weight.shape in computed:
            computed.remove(weight.shape)
        elif weight.role != "buffer":
            size += bytes_of(weight.numel, weight.dtype or dtype)
    looked_up = node.op.type_name == "Embedding"
    return min(size, facts.outputs[0].nbytes) if looked_up else size
