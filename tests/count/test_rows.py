"""Rows of a report: what they say of the shape that leaves them."""

import pytest

from cnnstat.api import analyze as analyze_model
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


def test_reports_rows_and_graphs_print_as_one_line() -> None:
    report = analyze_model("alexnet").report
    assert repr(report) == (
        "<Report alexnet: 12 layers, 62,378,344 parameters, 1,135,256,096 MACs, complete>"
    )
    assert repr(report.layers[1]) == (
        "<Layer conv1: Conv2d 11x11/4 + ReLU + LocalResponseNorm, 1x3x227x227 -> 1x96x55x55, "
        "34,944 parameters, 105,415,200 MACs>"
    )
    assert repr(report.shaped.graph) == "<Graph alexnet: 25 nodes, 1 outputs>"
    assert repr(report.shaped) == "<ShapedGraph alexnet: 25 nodes on 1x3x227x227>"
