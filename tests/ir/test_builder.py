"""Blocks that are copied are the blocks that would be built."""

import pytest

from cnnstat.errors import GraphError
from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import Graph, Node, Value
from cnnstat.ops import Add, Conv2d, Input, ReLU

CALLS: list[int] = []


def unit(b: Builder, x: Value, channels: int) -> Value:
    CALLS.append(channels)
    y = b.add("conv", Conv2d(channels, (3, 3), padding=(1, 1)), x)
    with b.scope("act"):
        y = b.add("relu", ReLU(), y)
    return b.add("add", Add(), y, x)


def net(blocks: int, *, copied: bool, channels: int = 8) -> Graph:
    b = Builder("net")
    x = b.add("stem", Conv2d(channels, (1, 1)), b.add("input", Input((channels, 8, 8))))
    for index in range(blocks):
        if copied:
            x = b.block(f"unit{index}", unit, x, channels)
        else:
            with b.scope(f"unit{index}"):
                x = unit(b, x, channels)
    return b.graph(x)


def test_copies_are_what_would_be_built() -> None:
    CALLS.clear()
    graphs = [net(count, copied=True, channels=11) for count in (1, 4, 3, 4)]
    assert CALLS == [11]
    assert graphs == [net(count, copied=False, channels=11) for count in (1, 4, 3, 4)]
    names = [node.name for node in graphs[1].nodes]
    assert names[2:5] == ["unit0/conv", "unit0/act/relu", "unit0/add"]


def test_other_arguments_are_another_block() -> None:
    assert net(2, copied=True, channels=5) == net(2, copied=False, channels=5)
    assert net(2, copied=True, channels=6) == net(2, copied=False, channels=6)


def test_training_only_is_part_of_a_block() -> None:
    b = Builder("net")
    x = b.add("input", Input((8, 8, 8)))
    with b.training_only():
        y = b.block("head", unit, x, 8)
    x = b.block("body", unit, x, 8)
    marks = [node.training_only for node in b.graph(x, training_outputs=(y,)).nodes]
    assert marks == [False] + 3 * [True] + 3 * [False]


def test_a_graph_refuses_a_name_twice_and_an_edge_forward() -> None:
    start = Node("input", Input((3,)), ())
    twice = Node("relu", ReLU(), (Value(0),))
    with pytest.raises(GraphError, match="'relu' is used twice"):
        Graph("g", (start, twice, twice), (Value(1),))
    with pytest.raises(GraphError, match="relu reads node 1, which does not come before it"):
        Graph("g", (start, Node("relu", ReLU(), (Value(1),))), (Value(1),))
