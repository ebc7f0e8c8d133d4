"""Writes a graph down node by node; what comes out is always in an order that can run.

>>> b = Builder("tiny")            # doctest: +SKIP
>>> x = b.add("input", Input((3, 8, 8)))
>>> with b.scope("stage1"):
...     x = b.add("conv1", Conv2d(16, (3, 3)), x)      # its name is stage1/conv1
>>> graph = b.graph(x)
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from typing import Any, NamedTuple

from cnnstat.errors import GraphError
from cnnstat.ir.graph import Graph, Node, Value
from cnnstat.ir.op import Op

_FIRST_RESULTS: list[Value] = []
"""The first result of the node at each position, shared by all graphs."""


MAX_BLOCKS = 1024
MAX_PLACED = 8192


class _Block(NamedTuple):
    """Nodes that a block added, relative to its first one; -1 stands for its input.

    Each is the name behind the block's path, the operator, the inputs, and all further fields.
    """

    nodes: tuple[tuple[str, Op, tuple[int, ...], tuple[Any, ...]], ...]
    result: int
    number: int


_BLOCKS: dict[tuple[object, ...], _Block | None] = {}
"""Blocks by what built them; None for one that cannot be copied. Emptied when it is full."""


_NUMBERS = count()
_PLACED: dict[tuple[int, str, int, Value], list[Node]] = {}
"""Nodes of a block by its number, path, position and input: graphs that begin alike share them."""


class _Scope:
    """Puts a builder's nodes under a path; a class, as it is entered for every block of a model."""

    __slots__ = ("_builder", "_inner", "_outer")

    def __init__(self, builder: Builder, name: str) -> None:
        self._builder = builder
        self._outer = builder._prefix
        self._inner = f"{self._outer}{name}/"

    def __enter__(self) -> str:
        self._builder._prefix = self._inner
        return self._inner

    def __exit__(self, *_: object) -> None:
        self._builder._prefix = self._outer


class Builder:
    """Collects nodes. ``add`` returns the node's first result, an input of later nodes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._nodes: list[Node] = []
        self._prefix = ""
        self._training_only = False

    def scope(self, name: str) -> AbstractContextManager[str]:
        """Put the nodes added inside under the path ``name/``; scopes nest."""
        return _Scope(self, name)

    def block(
        self, name: str, build: Callable[..., Value], x: Value, *arguments: Hashable
    ) -> Value:
        """Add what ``build(self, x, *arguments)`` adds under the path ``name/``; return its result.

        ``build`` is a function that reads ``x`` and its own nodes alone: an equal block that was
        built before, in this graph or another, is copied.
        """
        key = (build, arguments, self._training_only)
        block = _BLOCKS.get(key)
        if block is not None:
            return self._copy(f"{self._prefix}{name}/", block, x)
        begin = len(self._nodes)
        with _Scope(self, name) as path:
            result = build(self, x, *arguments)
        if key not in _BLOCKS:
            if len(_BLOCKS) >= MAX_BLOCKS:
                _BLOCKS.clear()
            _BLOCKS[key] = _recorded(self._nodes[begin:], begin, len(path), x, result)
        return result

    def _copy(self, path: str, block: _Block, x: Value) -> Value:
        begin = len(self._nodes)
        while len(_FIRST_RESULTS) < begin + len(block.nodes):
            _FIRST_RESULTS.append(Value(len(_FIRST_RESULTS)))
        place = (block.number, path, begin, x)
        nodes = _PLACED.get(place)
        if nodes is None:
            if len(_PLACED) >= MAX_PLACED:
                _PLACED.clear()
            nodes = _PLACED[place] = [
                Node(
                    path + name,
                    op,
                    tuple([x if i < 0 else _FIRST_RESULTS[begin + i] for i in inputs]),
                    *rest,
                )
                for name, op, inputs, rest in block.nodes
            ]
        self._nodes += nodes
        return x if block.result < 0 else _FIRST_RESULTS[begin + block.result]

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


def _recorded(
    nodes: Sequence[Node], begin: int, path: int, x: Value, result: Value
) -> _Block | None:
    """Return added nodes as a block; None where one reads what stands neither in it nor in ``x``.

    ``path`` is the length of the names' common beginning.
    """
    recorded = []
    for node in nodes:
        inputs = [_relative(value, begin, x) for value in node.inputs]
        if None in inputs or node.tied_to is not None:
            return None
        known = tuple([each for each in inputs if each is not None])
        recorded.append((node.name[path:], node.op, known, tuple(node[3:])))
    end = _relative(result, begin, x)
    return None if end is None else _Block(tuple(recorded), end, next(_NUMBERS))


def _relative(value: Value, begin: int, x: Value) -> int | None:
    if value == x:
        return -1
    return value.node - begin if value.node >= begin and not value.result else None
