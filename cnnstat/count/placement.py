"""Which results live in memory of their own, and which operators share a row.

An in-place operator (normalisation, activation, dropout) writes over its input as long as nothing
else reads that; then it also shares its layer's row. A view never takes memory; it shares the row
of its only reader, or of what it is a view of. Everything else owns its results. What is made of
stored tensors and constants alone, element by element (masks, ranges, anchors), shares the row of
its first reader. Rows and bytes follow from this one rule, so their sums agree in every view of the
table.
"""

from __future__ import annotations

from dataclasses import dataclass

from cnnstat.ir.graph import Graph, Node
from cnnstat.ir.op import Elementwise, NoWeights, NoWork


@dataclass(frozen=True, slots=True)
class Placement:
    """Per node, in the graph's order: where its first result lives and which row it belongs to.

    ``owns`` tells memory of its own, ``root`` is the node whose memory it is, ``row`` the node
    after which the row is named: the layer that the node belongs to. ``prepared`` nodes read
    nothing that enters the model.
    """

    owns: tuple[bool, ...]
    root: tuple[int, ...]
    row: tuple[int, ...]
    prepared: frozenset[int] = frozenset()


def place(graph: Graph) -> Placement:
    """Return where every node's first result lives and which row it belongs to."""
    nodes = graph.nodes
    count = len(nodes)
    readers = graph.consumers()
    leaving = {v.node for v in (*graph.outputs, *graph.training_outputs)}
    owns = [True] * count
    root = list(range(count))
    row = list(range(count))
    forward = [False] * count  # belongs to the row of its only reader
    alone = [not node.op.is_input for node in nodes]  # no other tensor shows this memory
    for index, node in enumerate(nodes):
        storage = node.op.storage
        if storage == "own":
            continue
        only_reader = len(readers[index]) == 1 and index not in leaving
        if not node.inputs:  # a stored tensor: its memory is that of the weights
            owns[index], forward[index], alone[index] = False, only_reader, False
            continue
        producer = node.inputs[0].node
        free = len(readers[producer]) == 1 and producer not in leaving and alone[producer]
        if storage == "view":
            owns[index], root[index], alone[index] = False, root[producer], free
            forward[index] = only_reader
            if not only_reader:  # read here and there, or nowhere: it shows its producer's row
                row[index] = _row_behind_views(nodes, forward, row, producer)
        elif free:
            owns[index], root[index] = False, root[producer]
            if forward[producer]:
                forward[index] = only_reader
            else:
                row[index] = row[producer]
    prepared = _prepared(nodes)
    tied: dict[int, int] = {}  # a stored tensor -> the first layer whose weight it is
    for index, node in enumerate(nodes):
        if node.tied_to in prepared:
            tied.setdefault(node.tied_to, index)
    for index in range(count - 1, -1, -1):
        users = [*readers[index][:1], *([tied[index]] if index in tied else [])]
        if users and (forward[index] or (index in prepared and index not in leaving)):
            row[index] = row[min(users)]
    _place_named(nodes, row)
    return Placement(tuple(owns), tuple(root), tuple(row), prepared)


def _prepared(nodes: tuple[Node, ...]) -> frozenset[int]:
    """Return the nodes that are the same whatever enters, and cheap: nothing there multiplies."""
    prepared: set[int] = set()
    for index, node in enumerate(nodes):
        op = node.op
        cheap = isinstance(op, NoWork) or (
            isinstance(op, NoWeights) and isinstance(op, Elementwise)
        )
        free = isinstance(op, NoWeights) or node.is_stored
        if cheap and free and not op.is_input and all(v.node in prepared for v in node.inputs):
            prepared.add(index)
    return frozenset(prepared)


def _place_named(nodes: tuple[Node, ...], row: list[int]) -> None:
    """Put nodes that name their row into it: after its main node, or after the first one there."""
    anchors: dict[str, int] = {}
    for index, node in enumerate(nodes):
        if node.row and (node.row not in anchors or node.name == node.row):
            anchors[node.row] = index
    for index, node in enumerate(nodes):
        if node.row:
            row[index] = anchors[node.row]


def _row_behind_views(
    nodes: tuple[Node, ...], forward: list[bool], row: list[int], producer: int
) -> int:
    """Return the row of what a chain of views shows; a stored tensor at its start stays there."""
    while forward[producer] and nodes[producer].inputs:
        producer = nodes[producer].inputs[0].node
    forward[producer] = False
    return row[producer]
