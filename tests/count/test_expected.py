"""Expectations over dropped paths against an enumeration of every outcome."""

from itertools import product

import pytest

from cnnstat.count.expected import expected, probabilities
from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import Graph
from cnnstat.ir.shapes import infer_shapes
from cnnstat.ops import Add, Conv2d, DropPath, Input


def _conv(channels: int = 4) -> Conv2d:
    return Conv2d(channels, (3, 3), padding=(1, 1))


def _nested() -> Graph:
    """Two residual branches in a row, a third inside the second; every branch can be dropped."""
    b = Builder("nested")
    x = b.add("conv0", _conv(), b.add("input", Input((4, 8, 8))))
    branch = b.add("drop1", DropPath(0.75), b.add("conv1", _conv(), x))
    x = b.add("add1", Add(), branch, x)
    middle = b.add("conv2", _conv(), x)
    inner = b.add("drop3", DropPath(0.5), b.add("conv3", _conv(), middle))
    outer = b.add("conv4", _conv(), b.add("add3", Add(), inner, middle))
    x = b.add("add2", Add(), b.add("drop2", DropPath(0.25), outer), x)
    return b.graph(b.add("conv5", _conv(), x))


def _enumerated(graph: Graph) -> list[float]:
    """Run every combination of drops; a node is needed if some way from it leads out undropped."""
    drops = [i for i, node in enumerate(graph.nodes) if isinstance(node.op, DropPath)]
    needed = [0.0] * len(graph.nodes)
    for outcome in product((True, False), repeat=len(drops)):
        survives = dict(zip(drops, outcome, strict=True))
        chance = 1.0
        for index, keep in survives.items():
            survival = graph.nodes[index].op.survival
            chance *= survival if keep else 1 - survival
        wanted = {value.node for value in graph.outputs}
        for index in range(len(graph.nodes) - 1, -1, -1):
            if index in wanted and not survives.get(index, True):
                wanted.remove(index)
            if index in wanted:
                needed[index] += chance
                wanted.update(value.node for value in graph.nodes[index].inputs)
    return needed


def test_probabilities_are_those_of_all_outcomes() -> None:
    graph = _nested()
    shares = probabilities(infer_shapes(graph, {}))
    assert shares == pytest.approx(_enumerated(graph), abs=1e-15)
    by_name = dict(zip((node.name for node in graph.nodes), shares, strict=True))
    assert by_name["conv1"] == 0.75
    assert by_name["conv2"] == by_name["conv4"] == 0.25
    assert by_name["conv3"] == 0.25 * 0.5
    assert by_name["conv0"] == by_name["conv5"] == 1


def test_expectations_weigh_each_layer_by_its_probability() -> None:
    averages = expected(infer_shapes(_nested(), {}))
    assert averages is not None
    macs = 8 * 8 * 3 * 3 * 4 * 4
    assert averages.macs == (1 + 0.75 + 0.25 + 0.125 + 0.25 + 1) * macs
    assert averages.full_macs == 6 * macs
    assert averages.depth == 1 + 0.75 + 0.25 + 0.125 + 0.25 + 1
    assert averages.full_depth == 6
    assert (averages.kept_paths, averages.droppable_paths) == (0.75 + 0.25 + 0.5, 3)


def test_nothing_is_expected_where_nothing_is_dropped() -> None:
    b = Builder("plain")
    x = b.add("conv", _conv(), b.add("input", Input((4, 8, 8))))
    graph = b.graph(b.add("kept", DropPath(1.0), x))
    assert expected(infer_shapes(graph, {})) is None
    assert probabilities(infer_shapes(graph, {})) == [1, 1, 1]
