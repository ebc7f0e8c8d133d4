"""Branches whose condition is computed: what both agree on holds; weights of both are counted."""

from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto, helper, numpy_helper

from cnnstat import api
from cnnstat.count.report import Report
from tests.importers.onnx_models import X, model, node, saved, weight

BOOL = TensorProto.BOOL


def branch(nodes: list[Any], result: str, **stored: Any) -> Any:
    """Return a graph that reads the tensors around it and makes one result."""
    tensors = [numpy_helper.from_array(array, name) for name, array in stored.items()]
    made = helper.make_tensor_value_info(result, TensorProto.FLOAT, None)
    return helper.make_graph(nodes, result, [], [made], tensors)


def convolved(name: str, channels: int, kernel: int = 3) -> Any:
    stored = {f"w_{name}": weight(channels, 3, kernel, kernel)}
    return branch([node("Conv", f"x,w_{name}", name)], name, **stored)


def constant(name: str, array: Any) -> Any:
    return node("Constant", "", name, value=numpy_helper.from_array(array, name))


def read(folder: Path, then: Any, other: Any, *behind: Any, **stored: Any) -> Report:
    nodes = [
        node("ReduceMax", "x", "top", keepdims=0),
        node("Cast", "top", "choice", to=BOOL),
        node("If", "choice", "made", "choose", then_branch=then, else_branch=other),
        *(behind or [node("Identity", "made", "y")]),
    ]
    return api.analyze(saved(model(nodes, {"x": X((1, 3, 8, 8))}, ["y"], stored), folder)).report


def shape(report: Report) -> tuple[int, ...]:
    (output,) = report.shaped.graph.outputs
    return report.shaped.spec(output).shape


def test_branches_of_the_same_work_are_counted_once(tmp_path: Path) -> None:
    head = node("Conv", "made,w_head", "y")
    report = read(tmp_path, convolved("a", 4), convolved("b", 4), head, w_head=weight(5, 4, 1, 1))
    assert report.status == "complete", report.notes
    assert shape(report) == (1, 5, 6, 6)
    assert report.totals.params == 2 * 4 * 3 * 3 * 3 + 5 * 4
    assert report.totals.macs == 6 * 6 * (4 * 3 * 3 * 3 + 5 * 4)


def test_branches_of_different_work_are_a_lower_bound(tmp_path: Path) -> None:
    more = branch([node("Conv", "x,w_b", "t"), node("Relu", "t", "b")], "b", w_b=weight(4, 3, 3, 3))
    report = read(tmp_path, convolved("a", 4), more)
    assert report.status == "partial"
    assert shape(report) == (1, 4, 6, 6)
    assert report.totals.params == 2 * 4 * 3 * 3 * 3


def test_branches_of_different_shapes_leave_it_unknown(tmp_path: Path) -> None:
    report = read(tmp_path, convolved("a", 4), convolved("b", 5))
    assert report.status == "partial"
    assert {note.code for note in report.notes} >= {"unknown_shape"}
    assert report.totals.params == (4 + 5) * 3 * 3 * 3


def test_constants_inside_branches_are_weights_of_their_layers(tmp_path: Path) -> None:
    def side(name: str) -> Any:
        kernel = constant(f"w_{name}", weight(4, 3, 3, 3))
        return branch([kernel, node("Conv", f"x,w_{name}", name)], name)

    report = read(tmp_path, side("a"), side("b"))
    assert report.totals.params == 2 * 4 * 3 * 3 * 3
    assert report.totals.macs == 6 * 6 * 4 * 3 * 3 * 3


def test_constants_that_branches_choose_between_are_weights(tmp_path: Path) -> None:
    sides = [branch([constant(name, weight(4, 3, 1, 1))], name) for name in ("a", "b")]
    report = read(tmp_path, *sides, node("Conv", "x,made", "y"))
    assert shape(report) == (1, 4, 8, 8)
    assert report.totals.params == 2 * 4 * 3
    assert report.totals.macs == 8 * 8 * 4 * 3


@pytest.mark.parametrize(
    ("operator", "kernel_shape"), [("Conv", [5, 5]), ("ConvTranspose", [3, 1])]
)
def test_a_kernel_of_another_shape_than_its_weights_is_refused(
    operator: str, kernel_shape: list[int], tmp_path: Path
) -> None:
    layer = node(operator, "x,w", "y", "layer", kernel_shape=kernel_shape)
    proto = model([layer], {"x": X((1, 3, 8, 8))}, ["y"], {"w": weight(3, 3, 3, 3)})
    with pytest.raises(
        Exception, match=r"kernel_shape .* must be \(3, 3\), as its weights have it"
    ):
        api.analyze(saved(proto, tmp_path))


def test_a_global_pooling_of_two_axes_is_refused(tmp_path: Path) -> None:
    """It was read as the mean of everything: no axis to pool meant all of them."""
    proto = model([node("GlobalAveragePool", "x", "y", "pool")], {"x": X((2, 3))}, ["y"])
    with pytest.raises(Exception, match="at least 3 axes"):
        api.analyze(saved(proto, tmp_path))


def test_shapes_of_layers_of_unknown_work(tmp_path: Path) -> None:
    """An LSTM with peepholes, 7 steps of 2 sequences, and an unpooling along one axis."""
    stored = {"w": weight(1, 4 * 5, 3), "r": weight(1, 4 * 5, 5), "p": weight(1, 3 * 5)}
    lstm = node("LSTM", "x,w,r,,,,,p", "y,last", "lstm", hidden_size=5)
    proto = model([lstm], {"x": X((7, 2, 3))}, ["y", "last"], stored)
    report = api.analyze(saved(proto, tmp_path)).report
    shapes = [report.shaped.spec(each).shape for each in report.shaped.graph.outputs]
    assert (report.status, shapes) == ("partial", [(7, 1, 2, 5), (1, 2, 5)])
    nodes = [
        node("MaxPool", "x", "a,i", kernel_shape=[2], strides=[2]),
        node("MaxUnpool", "a,i", "y", "unpool", kernel_shape=[2], strides=[2]),
    ]
    report = api.analyze(saved(model(nodes, {"x": X((1, 3, 8))}, ["y"]), tmp_path)).report
    assert (report.status, shape(report)) == ("partial", (1, 3, 8))
