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

from cnnstat.errors import GraphError
from cnnstat.ir.graph import Block, Graph, Node, Piece, PlacedBlock, Value, nodes_of
from cnnstat.ir.op import Op

_FIRST_RESULTS: list[Value] = []
"""The first result of the node at each position, shared by all graphs."""

MAX_BLOCKS = 4096

_BLOCKS: dict[tuple[object, ...], Block | None] = {}
"""Blocks by what built them; None for one that cannot be copied. Emptied when it is full."""


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
        self._pieces: list[Piece] = []
        self._count = 0
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
            return self._place(f"{self._prefix}{name}/", block, x)
        before, begin = len(self._pieces), self._count
        with _Scope(self, name) as path:
            result = build(self, x, *arguments)
        if key in _BLOCKS:
            return result
        if len(_BLOCKS) >= MAX_BLOCKS:
            _BLOCKS.clear()
        block = _BLOCKS[key] = _recorded(self._pieces[before:], begin, len(path), x, result)
        if block is None:
            return result
        del self._pieces[before:]
        self._count = begin
        return self._place(path, block, x)

    def _place(self, path: str, block: Block, x: Value) -> Value:
        begin = self._count
        self._pieces.append(PlacedBlock(path, block, x, begin))
        self._count += len(block.nodes)
        while len(_FIRST_RESULTS) < self._count:
            _FIRST_RESULTS.append(Value(len(_FIRST_RESULTS)))
        return _FIRST_RESULTS[begin + block.result]

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
        position = self._count
        self._count += 1
        tied = None if tied_to is None else tied_to.node
        self._pieces.append(Node(self._prefix + name, op, inputs, tied, self._training_only))
        if position >= len(_FIRST_RESULTS):
            _FIRST_RESULTS.append(Value(position))
        return _FIRST_RESULTS[position]

    def result(self, value: Value, number: int) -> Value:
        """Return another result of the node of ``value`` (a max-pooling's indices are its 1)."""
        return Value(value.node, number)

    def named(self, name: str) -> Value:
        """Return the first result of the node with this path; raise ``GraphError`` if none."""
        nodes = nodes_of(self._pieces)
        for index in range(len(nodes) - 1, -1, -1):
            if nodes[index].name == name:
                return Value(index)
        raise GraphError(f"{self.name}: no node is called {name!r}")

    def graph(self, *outputs: Value, training_outputs: tuple[Value, ...] = ()) -> Graph:
        """Return the finished graph; raise ``GraphError`` if it is none."""
        return Graph.of_pieces(
            self.name, tuple(self._pieces), self._count, outputs, training_outputs
        )


def _recorded(
    pieces: Sequence[Piece], begin: int, path: int, x: Value, result: Value
) -> Block | None:
    """Return added nodes as a block; None where one reads what stands neither in it nor in ``x``.

    ``path`` is the length of the names' common beginning.
    """
    recorded = []
    for node in nodes_of(pieces):
        inputs = [_relative(value, begin, x) for value in node.inputs]
        if not inputs or None in inputs or node.tied_to is not None:
            return None
        known = tuple([each for each in inputs if each is not None])
        recorded.append((node.name[path:], node.op, known, tuple(node[3:])))
    end = _relative(result, begin, x)
    return None if end is None or end < 0 else Block(tuple(recorded), end)


def _relative(value: Value, begin: int, x: Value) -> int | None:
    if value == x:
        return -1
    return value.node - begin if value.node >= begin and not value.result else None
