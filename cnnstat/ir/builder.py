"""Writes a graph down node by node; what comes out is always in an order that can run.

>>> b = Builder("tiny")            # doctest: +SKIP
>>> x = b.add("input", Input((3, 8, 8)))
>>> with b.scope("stage1"):
...     x = b.add("conv1", Conv2d(16, (3, 3)), x)      # its name is stage1/conv1
>>> graph = b.graph(x)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from cnnstat.errors import GraphError
from cnnstat.ir.graph import Graph, Node, Value
from cnnstat.ir.op import Op

_FIRST_RESULTS: list[Value] = []
"""The first result of the node at each position, shared by all graphs."""


class _Scope:
    """Puts a builder's nodes under a path; a class, as it is entered for every block of a model."""

    __slots__ = ("_builder", "_inner", "_outer")

    def __init__(self, builder: Builder, name: str) -> None:
        self._builder = builder
        self._outer = builder._prefix
        self._inner = f"{self._outer}{name}/"

    def __enter__(self) -> None:
        self._builder._prefix = self._inner

    def __exit__(self, *_: object) -> None:
        self._builder._prefix = self._outer


class Builder:
    """Collects nodes. ``add`` returns the node's first result, an input of later nodes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._nodes: list[Node] = []
        self._prefix = ""
        self._training_only = False

    def scope(self, name: str) -> AbstractContextManager[None]:
        """Put the nodes added inside under the path ``name/``; scopes nest."""
        return _Scope(self, name)

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
        nodes = self._nodes
        position = len(nodes)
        tied = None if tied_to is None else tied_to.node
        nodes.append(Node(self._prefix + name, op, inputs, tied, self._training_only))
        if position >= len(_FIRST_RESULTS):
            _FIRST_RESULTS.append(Value(position))
        return _FIRST_RESULTS[position]

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
