"""A model as plain data: nodes in an order in which they can run, and the values that leave.

A value is a result of a node. A ``Graph`` has structure only; ``shapes.infer_shapes`` gives it
shapes and only the ``ShapedGraph`` can be counted. Names are paths: ``inception_3a/3x3_reduce``
lies in the module ``inception_3a``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from cnnstat.errors import GraphError
from cnnstat.ir.op import Op, Specs, Weight
from cnnstat.ir.reach import Reach
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.work import Work


class Value(NamedTuple):
    """One result of one node: the node's position in ``Graph.nodes`` and the result's number."""

    node: int
    result: int = 0


class Node(NamedTuple):
    """One operator at its place.

    A node ``tied_to`` an earlier one holds that node's weights, which are counted once.
    """

    name: str
    op: Op
    inputs: tuple[Value, ...]
    tied_to: int | None = None
    training_only: bool = False
    """Runs in training alone (GoogLeNet's auxiliary heads); an inference form leaves it out."""
    row: str = ""
    """Row that the node is shown in, by the name of its main node; empty: as storage has it."""
    axes: tuple[int, ...] = ()
    """Order in which the axes of its results are shown, of results of that rank; empty: as is."""
    frozen: bool = False
    """Training leaves its parameters alone: they are parameters, but get no gradient."""

    @property
    def is_stored(self) -> bool:
        """Whether it is a stored tensor used as data: its memory is that of the weights."""
        return not self.inputs and self.op.storage == "view"


class Block:
    """Nodes that are added together, again and again: in one graph, in many.

    Each of ``nodes`` is the name after the block's path, the operator, the numbers of the nodes
    that it reads within the block (-1: the block's input), and all further fields; ``result`` is
    the number of the node whose first result leaves. ``form`` is equal for blocks that differ in
    the fields of their operators alone. Two blocks are the same only if they are one object.
    """

    __slots__ = ("form", "nodes", "result")

    def __init__(
        self, nodes: tuple[tuple[str, Op, tuple[int, ...], tuple[Any, ...]], ...], result: int
    ) -> None:
        self.nodes = nodes
        self.result = result
        self.form = repr((*[(op.storage, inputs) for _, op, inputs, _ in nodes], result))


class PlacedBlock(NamedTuple):
    """A block in a graph: its path, its input, and the position of its first node."""

    path: str
    block: Block
    x: Value
    begin: int

    @property
    def nodes(self) -> list[Node]:
        """The nodes at their place."""
        path, block, x, begin = self
        return [
            Node(
                path + name,
                op,
                tuple([x if number < 0 else Value(begin + number) for number in inputs]),
                *rest,
            )
            for name, op, inputs, rest in block.nodes
        ]


Piece = Node | PlacedBlock


@dataclass(frozen=True, slots=True, repr=False)
class Graph:
    """Nodes in topological order; ``training_outputs`` are returned with ``outputs`` in training.

    ``origins`` says of nodes, by name, where a reader took them from, in the reader's own terms.
    ``classes`` has the class of each module, by path, where the reader knows it (``DoubleConv``).
    ``weight_dtypes`` has the dtype of a node's weights, by name, where it is not that of its input.
    ``pieces`` are the same nodes in larger parts where a builder put blocks together.
    """

    name: str
    nodes: tuple[Node, ...]
    outputs: tuple[Value, ...]
    training_outputs: tuple[Value, ...] = ()
    origins: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)
    classes: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    weight_dtypes: Mapping[str, str] = field(default_factory=dict, repr=False)
    pieces: tuple[Piece, ...] = field(default=(), init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pieces", self.nodes)
        _check_nodes(self.name, self.nodes)
        _check_outputs(self, len(self.nodes))

    @classmethod
    def of_pieces(
        cls,
        name: str,
        pieces: tuple[Piece, ...],
        count: int,
        outputs: tuple[Value, ...],
        training_outputs: tuple[Value, ...] = (),
    ) -> Graph:
        """Return the graph of pieces with ``count`` nodes, which are made when they are first read.

        Raises ``GraphError`` as the constructor does.
        """
        graph = object.__new__(cls)
        for key, value in (
            ("name", name),
            ("pieces", pieces),
            ("outputs", outputs),
            ("training_outputs", training_outputs),
            ("origins", {}),
            ("classes", {}),
            ("weight_dtypes", {}),
        ):
            object.__setattr__(graph, key, value)
        _check_outputs(graph, count)
        if len(set(map(itemgetter(0), pieces))) < len(pieces):
            _check_nodes(name, nodes_of(pieces))
        return graph

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            """Make the nodes from the pieces, once: called for an attribute that is not set."""
            if name != "nodes":
                raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
            nodes = tuple(nodes_of(self.pieces))
            _check_nodes(self.name, nodes)
            object.__setattr__(self, "nodes", nodes)
            return nodes

    def __repr__(self) -> str:
        return f"<Graph {self.name}: {len(self.nodes)} nodes, {len(self.outputs)} outputs>"

    @property
    def inputs(self) -> list[Node]:
        """The nodes that stand for inputs; no block has one."""
        return [piece for piece in self.pieces if isinstance(piece, Node) and piece.op.is_input]

    def consumers(self) -> list[list[int]]:
        """Return for each node the positions of its results' readers, in order, repeats kept."""
        readers: list[list[int]] = [[] for _ in self.nodes]
        for index, node in enumerate(self.nodes):
            for value in node.inputs:
                readers[value.node].append(index)
        return readers


def nodes_of(pieces: Sequence[Piece]) -> list[Node]:
    """Return the nodes of pieces, in order."""
    nodes: list[Node] = []
    for piece in pieces:
        nodes += piece.nodes if isinstance(piece, PlacedBlock) else (piece,)
    return nodes


def _check_nodes(name: str, nodes: Sequence[Node]) -> None:
    """Raise ``GraphError`` for a name that appears twice, and for a node that reads a later one."""
    if len(set(map(itemgetter(0), nodes))) < len(nodes):
        twice = next(name for name, n in Counter(node.name for node in nodes).items() if n > 1)
        raise GraphError(f"{name}: the name {twice!r} is used twice; every node needs its own")
    astray = [
        (node, value)
        for index, node in enumerate(nodes)
        for value in node[2]
        if not 0 <= value[0] < index
    ]
    for node, value in astray[:1]:
        raise GraphError(
            f"{name}: {node.name} reads node {value.node}, which does not "
            "come before it; a graph has no cycles"
        )


def _check_outputs(graph: Graph, count: int) -> None:
    if not graph.outputs:
        raise GraphError(f"{graph.name}: the graph has no output")
    for value in (*graph.outputs, *graph.training_outputs):
        if not 0 <= value.node < count:
            raise GraphError(f"{graph.name}: output {value.node} is not a node of the graph")


def module_path(name: str, known: Container[str]) -> str:
    """Return which of the known modules a node of a captured model is in; the whole is ``""``.

    A second call of a module has a number after its path.
    """
    for candidate in (name, without_number(name)):
        if candidate in known:
            return candidate
    while name and name not in known:
        name = name.rpartition("/")[0]
    return name


def without_number(name: str) -> str:
    """Return a node's name without the number that tells it from those before it."""
    head, _, number = name.rpartition("_")
    return head if number.isdigit() and head else name


class NodeFacts(NamedTuple):
    """Answers of one node's operator for the shapes of its inputs."""

    inputs: Specs
    outputs: Specs
    weights: tuple[Weight, ...]
    work: Work | None
    reach: Reach


@dataclass(frozen=True, slots=True, repr=False)
class ShapedGraph:
    """A graph whose every node has met its input shapes; ``facts`` runs parallel to its nodes."""

    graph: Graph
    facts: tuple[NodeFacts, ...]

    def __repr__(self) -> str:
        shapes = ", ".join(map(str, self.entering.values())) or "no input"
        return f"<ShapedGraph {self.graph.name}: {len(self.nodes)} nodes on {shapes}>"

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes of the graph."""
        return self.graph.nodes

    @property
    def entering(self) -> dict[str, TensorSpec]:
        """Spec of every input by name, its axes in the graph's own order."""
        pairs = zip(self.nodes, self.facts, strict=True)
        return {node.name: facts.outputs[0] for node, facts in pairs if node.op.is_input}

    def spec(self, value: Value) -> TensorSpec:
        """Return the spec of one value."""
        return self.facts[value.node].outputs[value.result]

    def shown(self, value: Value) -> TensorSpec:
        """Return the spec of one value with its axes in the order in which they are shown."""
        spec, axes = self.spec(value), self.nodes[value.node].axes
        if len(axes) != spec.rank:
            return spec
        return TensorSpec(tuple([spec.shape[axis] for axis in axes]), spec.dtype)
