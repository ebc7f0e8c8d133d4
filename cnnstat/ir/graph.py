"""A model as plain data: nodes in an order in which they can run, and the values that leave.

A value is a result of a node. A ``Graph`` has structure only; ``shapes.infer_shapes`` gives it
shapes and only the ``ShapedGraph`` can be counted. Names are paths: ``inception_3a/3x3_reduce``
lies in the module ``inception_3a``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import NamedTuple

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


@dataclass(frozen=True, slots=True, repr=False)
class Graph:
    """Nodes in topological order; ``training_outputs`` are returned with ``outputs`` in training.

    ``origins`` says of nodes, by name, where a reader found them, in the reader's own terms.
    """

    name: str
    nodes: tuple[Node, ...]
    outputs: tuple[Value, ...]
    training_outputs: tuple[Value, ...] = ()
    origins: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        nodes = self.nodes
        if len(set(map(itemgetter(0), nodes))) < len(nodes):
            twice = _repeated(nodes)
            raise GraphError(
                f"{self.name}: the name {twice!r} is used twice; every node needs its own"
            )
        astray = [
            (node, value)
            for index, node in enumerate(nodes)
            for value in node[2]
            if not 0 <= value[0] < index
        ]
        for node, value in astray:
            raise GraphError(
                f"{self.name}: {node.name} reads node {value.node}, which does not "
                "come before it; a graph has no cycles"
            )
        if not self.outputs:
            raise GraphError(f"{self.name}: the graph has no output")
        for value in (*self.outputs, *self.training_outputs):
            if not 0 <= value.node < len(self.nodes):
                raise GraphError(f"{self.name}: output {value.node} is no node of the graph")

    def __repr__(self) -> str:
        return f"<Graph {self.name}: {len(self.nodes)} nodes, {len(self.outputs)} results leave>"

    def consumers(self) -> list[list[int]]:
        """Return for each node the positions of its results' readers, in order, repeats kept."""
        readers: list[list[int]] = [[] for _ in self.nodes]
        for index, node in enumerate(self.nodes):
            for value in node.inputs:
                readers[value.node].append(index)
        return readers


def _repeated(nodes: tuple[Node, ...]) -> str:
    """Return the first name that an earlier node has as well."""
    seen: set[str] = set()
    for node in nodes:
        if node.name in seen:
            return node.name
        seen.add(node.name)
    return ""


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
        pairs = zip(self.nodes, self.facts, strict=True)
        inputs = [str(facts.outputs[0]) for node, facts in pairs if node.op.is_input]
        shapes = ", ".join(inputs) or "no input"
        return f"<ShapedGraph {self.graph.name}: {len(self.nodes)} nodes on {shapes}>"

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes of the graph."""
        return self.graph.nodes

    def spec(self, value: Value) -> TensorSpec:
        """Return the spec of one value."""
        return self.facts[value.node].outputs[value.result]

    def shown(self, value: Value) -> TensorSpec:
        """Return the spec of one value with its axes in the order in which they are shown."""
        spec, axes = self.spec(value), self.nodes[value.node].axes
        if len(axes) != spec.rank:
            return spec
        return TensorSpec(tuple([spec.shape[axis] for axis in axes]), spec.dtype)
