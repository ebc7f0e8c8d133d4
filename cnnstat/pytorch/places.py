"""The node of a captured graph to which each call of a run belongs: by its position in the pass.

Most positions have one node. Where several functions run at one (a scripted module, attention),
their sequence and that of the nodes are aligned by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from cnnstat.ir.graph import Graph
from cnnstat.pytorch.watching import ModuleCalls, Position

PARTS = {
    "linear": ("addmm", "mm", "mv", "bmm"),
    "matmul": ("mm", "mv", "bmm", "dot"),
    "contiguous": ("clone",),
    "scaled_dot_product_attention": ("_scaled_dot_product", "_safe_softmax"),
}
"""Functions by the beginnings of the names of those they are made of, where that is not theirs."""

Key = tuple[object, ...]


class Places:
    """The calls of a forward pass in order, each at the position that ``calls`` sees."""

    def __init__(self, graph: Graph, calls: ModuleCalls) -> None:
        self._graph = graph
        self._calls = calls
        self._operators: dict[int, str] = {}
        self._nodes: dict[Key, list[int]] = {}
        self._keys: list[Key] = [()]
        self._functions = [""]
        for index, node in enumerate(graph.nodes):
            origin = graph.origins.get(node.name)
            if isinstance(origin, Position) and node.inputs:
                self._operators[index] = origin.operator.strip("_")
                for key in (origin.place, origin.place[:2]):
                    self._nodes.setdefault(key, []).append(index)

    @property
    def last(self) -> int:
        """Number of the last call; 0 stands for the inputs."""
        return len(self._keys) - 1

    def enter(self, function: str) -> int:
        """Note a call of a function at this position of the pass; return its number."""
        position = self._calls.position
        key: Key = position.place
        if key not in self._nodes and not position.function:  # functions are not followed there
            key = position.place[:2]
        self._keys.append(key)
        self._functions.append(function.rpartition("::")[2])
        return self.last

    @cached_property
    def nodes(self) -> list[int]:
        """Return the node of every call.

        One without a node (dropout in training) has that of the call before it.
        """
        numbers: dict[Key, list[int]] = {}
        for number, key in enumerate(self._keys):
            numbers.setdefault(key, []).append(number)
        nodes: dict[int, int] = {}
        for key, calls in numbers.items():
            if key in self._nodes:
                functions = [self._functions[number] for number in calls]
                aligned = self._aligned(self._nodes[key], functions)
                nodes.update(zip(calls, aligned, strict=True))
        last, each = 0, []
        for number in range(len(self._keys)):
            last = nodes.get(number, last)
            each.append(last)
        return each

    def _aligned(self, nodes: Sequence[int], functions: Sequence[str]) -> list[int]:
        """Return the node of each function: of the pairs in order, those that weigh most.

        A function without a partner belongs to the node before it, at the start to the first.
        """
        if len(nodes) == 1:
            return [nodes[0]] * len(functions)
        best = [[0] * (len(nodes) + 1) for _ in range(len(functions) + 1)]
        for i in range(len(functions) - 1, -1, -1):
            for j in range(len(nodes) - 1, -1, -1):
                pair = self._weight(functions[i], nodes[j])
                with_pair = pair + best[i + 1][j + 1] if pair else 0
                best[i][j] = max(with_pair, best[i + 1][j], best[i][j + 1])
        aligned, at, j = [], nodes[0], 0
        for i, function in enumerate(functions):
            while j < len(nodes) and best[i][j] == best[i][j + 1] > best[i + 1][j]:
                j += 1
            pair = self._weight(function, nodes[j]) if j < len(nodes) else 0
            if pair and best[i][j] == pair + best[i + 1][j + 1]:
                at, j = nodes[j], j + 1
            aligned.append(at)
        return aligned

    def _weight(self, function: str, node: int) -> int:
        """Return 0 if a function is not part of a node, little if it is a view."""
        operator = self._operators[node]
        name = function.strip("_").removeprefix("native_")
        if name.startswith(operator) or function.startswith(PARTS.get(operator, operator)):
            return 1 if self._graph.nodes[node].op.storage == "view" else 3
        return 0
