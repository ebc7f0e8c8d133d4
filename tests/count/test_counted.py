"""Sums over blocks are the sums over nodes, and the nodes are only made where they are read."""

import pytest

from cnnstat.count.counted import Counted, Memory, Outline
from cnnstat.count.report import analyze
from cnnstat.errors import GraphError, ShapeError
from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import Graph, PlacedBlock, Value
from cnnstat.ir.shapes import infer_shapes
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ops import Add, BatchNorm2d, Conv2d, Input, MaxPool2d, MaxUnpool2d, ReLU
from cnnstat.zoo.catalog import find, names

CONV = Conv2d(8, (3, 3), padding=(1, 1))


def check(graph: Graph, memory: Memory, inputs: dict[str, TensorSpec]) -> None:
    """Compare a graph's figures with those of its report, which knows no blocks."""
    totals = analyze(infer_shapes(graph, inputs)).totals
    outline = Outline(memory, graph, inputs)
    for figure in ("weights", "biases", "params", "buffers", "macs"):
        assert getattr(outline.totals, figure) == getattr(totals, figure)
    assert outline.depth == totals.depth
    counted = Counted(memory, graph, inputs)
    for key in ("weights", "biases", "buffers", "param_bytes", "macs", "flops", "activation_bytes"):
        assert getattr(counted.totals, key) == getattr(totals, key), key
    assert counted.totals.activation_bytes + counted.totals.cached_bytes == (
        totals.cached_activation_bytes
    )
    assert counted.peak_activation_bytes == totals.peak_activation_bytes
    assert counted.depth == totals.depth
    assert counted.paths == totals.paths


def test_every_model_of_the_zoo() -> None:
    memory = Memory()
    for name in names():
        card = find(name)
        graph = card.build(card.classes)
        check(graph, memory, {})
        first = graph.inputs[0]
        spec = first.op.infer(())[0]
        check(graph, memory, {first.name: TensorSpec((3, *spec.shape[1:]), "float16")})


def test_blocks_make_no_nodes() -> None:
    memory = Memory()
    for classes in (10, 20):
        graph = find("resnet20-cifar").build(classes)
        Counted(memory, graph, {}).depth  # noqa: B018
    with pytest.raises(AttributeError):
        object.__getattribute__(graph, "nodes")
    assert sum(isinstance(piece, PlacedBlock) for piece in graph.pieces) == 9
    assert len(graph.nodes) == 4 + 9 * 7 + 2 + 4


def unit(b: Builder, x: Value, twice: bool) -> Value:
    y = b.add("relu", ReLU(), b.add("bn", BatchNorm2d(), b.add("conv", CONV, x)))
    return b.add("add", Add(), y, x if twice else y)


def test_what_reads_a_block_from_outside_changes_its_structure() -> None:
    """The stem's ReLU works in place where the block alone reads it, and not otherwise."""
    memory = Memory()
    for twice in (False, True):
        for outside in (False, True):
            b = Builder("net")
            stem = b.add("stem", CONV, b.add("input", Input((8, 16, 16))))
            x = b.block("unit1", unit, stem, twice)
            x = b.block("unit2", unit, x, twice)
            x = b.add("join", Add(), x, stem) if outside else x
            check(b.graph(x), memory, {})


def test_a_node_within_a_block_that_is_read_from_outside() -> None:
    b = Builder("net")
    x = b.block("unit", unit, b.add("input", Input((8, 16, 16))), False)
    graph = b.graph(b.add("join", Add(), x, b.named("unit/bn")))
    check(graph, Memory(), {})


def test_shared_weights_and_second_results() -> None:
    b = Builder("net")
    x = b.add("conv", CONV, b.add("input", Input((8, 16, 16))))
    y = b.add("again", CONV, x, tied_to=x)
    pooled = b.add("pool", MaxPool2d((2, 2), (2, 2), return_indices=True), y)
    z = b.add("unpool", MaxUnpool2d((2, 2), (2, 2)), pooled, b.result(pooled, 1))
    check(b.graph(z), Memory(), {})


def test_a_failure_within_a_block_names_the_node() -> None:
    b = Builder("net")
    x = b.block("unit", unit, b.add("input", Input((8, 16, 16))), True)
    graph = b.graph(b.block("last", unit, x, True))
    memory = Memory()
    wrong = {"input": TensorSpec((1, 5, 16, 16))}
    for _ in range(2):
        with pytest.raises(ShapeError, match="net: unit/add"):
            Counted(memory, graph, wrong)
    check(graph, memory, {})


def test_two_blocks_of_one_name_are_refused() -> None:
    b = Builder("net")
    x = b.block("unit", unit, b.add("input", Input((8, 16, 16))), True)
    with pytest.raises(GraphError, match="'unit/conv' is used twice"):
        b.graph(b.block("unit", unit, x, True))
    with pytest.raises(GraphError, match="has no output"):
        b.graph()
