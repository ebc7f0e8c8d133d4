"""Writes a graph down node by node; what comes out is always in an order that can run.

>>> b = Builder("tiny")            # doctest: +SKIP
>>> x = b.add("input", Input((3, 8, 8)))
>>> with b.scope("stage1"):
...     x = b.add("conv1", Conv2d(16, (3, 3)), x)      # its name is stage1/conv1
>>> graph = b.graph(x)
"""

from collections.abc import Iterator
from contextlib import contextmanager

from cnnstat.errors import GraphError
from cnnstat.ir.graph import Graph, Node, Value
from cnnstat.ir.op import Op


class Builder:
    """Collects nodes. ``add`` returns the node's first result, an input of later nodes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._nodes: list[Node] = []
        self._prefix = ""
        self._training_only = False

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Put the nodes added inside under the path ``name/``; scopes nest."""
        outer = self._prefix
        self._prefix = f"{outer}{name}/"
        try:
            yield
        finally:
            self._prefix = outer

    @contextmanager
    def training_only(self) -> Iterator[None]:
        """Mark the nodes added inside as running in training alone."""
        outer = self._training_only
        self._training_only = True
        try:
            yield
        finally:
            self._training_only = outer

    def add(self, name: str, op: Op, *inputs: Value, tied_to: Value | None = None) -> Value:
        """Add a node that applies ``op`` to ``inputs`` and return its first result.

        ``tied_to`` is any result of an earlier node whose weights this node shares.
        """
        self._nodes.append(
            Node(
                self._prefix + name,
                op,
                inputs,
                None if tied_to is None else tied_to.node,
                self._training_only,
            )
        )
        return Value(len(self._nodes) - 1)

    def result(self, value: Value, number: int) -> Value:
        """Return another result of the node of ``value`` (a max-pooling's indices are its 1)."""
        return Value(value.node, number)

    def named(self, name: str) -> Value:
        """Return the first result of the node with this path; raise ``GraphError`` if none."""
        for index in range(len(self._nodes) - 1, -1, -1):
            if self._nodes[index].name == name:
                return Value(index)
        raise GraphError(f"{self.name}: no node is called {name!r}")

    def graph(self, *outputs: Value, training_outputs: tuple[Value, ...] = ()) -> Graph:
        """Return the finished graph; raise ``GraphError`` if it is none."""
        return Graph(self.name, tuple(self._nodes), outputs, training_outputs)
