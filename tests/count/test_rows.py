"""Rows of a report: what they say of the shape that leaves them."""

import pytest

from cnnstat.count.report import analyze
from cnnstat.ir.builder import Builder
from cnnstat.ir.shapes import infer_shapes
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ops import Input, View


@pytest.mark.parametrize(
    ("moved", "shown"),
    [((2, 12), (12,)), ((3, 2, 4), (3, 2, 4)), ((24,), (24,)), ((2, 3, 2, 2), (3, 2, 2))],
)
def test_the_first_axis_is_left_out_where_it_is_the_batch(
    moved: tuple[int, ...], shown: tuple[int, ...]
) -> None:
    net = Builder("net")
    x = net.add("input", Input((3, 4)))
    graph = net.graph(net.add("moved", View("permute", (TensorSpec(moved),)), x))
    report = analyze(infer_shapes(graph, {"input": TensorSpec((2, 3, 4))}))
    assert report.layers[-1].output_without_batch == shown
