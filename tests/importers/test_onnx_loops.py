"""Loops of a file: the work of the body times a known count, else unknown."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from cnnstat import api
from cnnstat.count.report import Report
from tests.importers.onnx_models import X, model, node, saved, weight

FLOAT, INT, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def value(name: str, kind: int, shape: list[int] | None = None) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def body(nodes: list[Any], inputs: list[Any], outputs: list[Any], **stored: Any) -> Any:
    tensors = [numpy_helper.from_array(array, name) for name, array in stored.items()]
    return helper.make_graph(nodes, "body", inputs, outputs, tensors)


def looped(condition: Any, *, rows: bool = False, **stored: Any) -> Any:
    """Return a body that multiplies a state by a matrix and hands it on, and shows it."""
    nodes = [node("MatMul", "state,w", "next", "step"), condition]
    outputs = [value("go_on", BOOL), value("next", FLOAT)]
    if rows:
        nodes.append(node("Relu", "next", "row"))
        outputs.append(value("row", FLOAT))
    inputs = [value("i", INT, []), value("go", BOOL, []), value("state", FLOAT)]
    return body(nodes, inputs, outputs, **stored)


SAME = node("Identity", "go", "go_on")


def read(folder: Path, each: Any, outputs: list[str], **stored: Any) -> Report:
    proto = model([each], {"x": X((2, 4))}, outputs, stored)
    return api.analyze(saved(proto, folder), batch=2).report


@pytest.mark.parametrize("inside", [True, False])
def test_a_loop_is_its_body_times_the_count(inside: bool, tmp_path: Path) -> None:
    weights = {"w": weight(4, 4)}
    inner = looped(SAME, rows=True, **(weights if inside else {}))
    loop = node("Loop", "count,,x", "y,rows", "loop", body=inner)
    outer = {"count": np.asarray(5, np.int64)} | ({} if inside else weights)
    report = read(tmp_path, loop, ["y", "rows"], **outer)
    assert report.status == "complete", report.notes
    assert report.totals.params == 4 * 4
    assert report.totals.macs == 5 * 2 * 4 * 4
    assert report.totals.flops == 5 * (2 * 2 * 4 * 4 + 2 * 4)
    shapes = [report.shaped.spec(each).shape for each in report.shaped.graph.outputs]
    assert shapes == [(2, 4), (5, 2, 4)]


@pytest.mark.parametrize(
    "condition",
    [
        node("Less", "i,limit", "go_on"),
        node("Constant", "", "go_on", value=numpy_helper.from_array(np.asarray(False))),
    ],
)
def test_a_condition_that_is_computed_leaves_the_count_unknown(
    condition: Any, tmp_path: Path
) -> None:
    inner = looped(condition, limit=np.asarray(3, np.int64))
    loop = node("Loop", "count,,x", "y", "loop", body=inner)
    stored = {"count": np.asarray(5, np.int64), "w": weight(4, 4)}
    report = read(tmp_path, loop, ["y"], **stored)
    assert report.status == "partial"
    assert report.totals.params == 4 * 4


def test_a_state_that_grows_is_unknown(tmp_path: Path) -> None:
    grown = [node("Concat", "state,state", "next", "grow", axis=1), SAME]
    inputs = [value("i", INT, []), value("go", BOOL, []), value("state", FLOAT)]
    inner = body(grown, inputs, [value("go_on", BOOL), value("next", FLOAT)])
    loop = node("Loop", "count,,x", "y", "loop", body=inner)
    assert read(tmp_path, loop, ["y"], count=np.asarray(5, np.int64)).status == "partial"


def test_a_huge_count_takes_no_longer(tmp_path: Path) -> None:
    loop = node("Loop", "count,,x", "y", "loop", body=looped(SAME))
    stored = {"count": np.asarray(2**62, np.int64), "w": weight(4, 4)}
    assert read(tmp_path, loop, ["y"], **stored).totals.macs == 2**62 * 2 * 4 * 4


def test_a_scan_walks_an_axis(tmp_path: Path) -> None:
    """A state of 4 and 6 rows of 3: each step adds a product to the state."""
    nodes = [
        node("MatMul", "row,w", "seen", "step"),
        node("Add", "state,seen", "next", "add"),
        node("Tanh", "next", "shown", "show"),
    ]
    inputs = [value("state", FLOAT), value("row", FLOAT)]
    inner = body(nodes, inputs, [value("next", FLOAT), value("shown", FLOAT)])
    scan = node("Scan", "start,x", "last,all", "scan", body=inner, num_scan_inputs=1,
                scan_input_axes=[1])  # fmt: skip
    proto = model([scan], {"x": X((2, 6, 3))}, ["last", "all"],
                  {"start": np.zeros((2, 4), np.float32), "w": weight(3, 4)})  # fmt: skip
    report = api.analyze(saved(proto, tmp_path), batch=2).report
    assert report.status == "complete", report.notes
    assert report.totals.macs == 6 * 2 * 3 * 4
    assert report.totals.flops == 6 * (2 * 2 * 3 * 4 + 2 * 4 + 2 * 4)
    shapes = [report.shaped.spec(each).shape for each in report.shaped.graph.outputs]
    assert shapes == [(2, 4), (6, 2, 4)]


def test_a_loop_of_an_unknown_count_keeps_the_shape_of_its_state(tmp_path: Path) -> None:
    limit = np.asarray(3, np.int64)
    inner = looped(node("Less", "i,limit", "go_on"), rows=True, limit=limit)
    loop = node("Loop", "count,,x", "y,rows", "loop", body=inner)
    stored = {"count": np.asarray(5, np.int64), "w": weight(4, 4)}
    report = read(tmp_path, loop, ["y", "rows"], **stored)
    assert report.status == "partial"
    assert report.shaped.spec(report.shaped.graph.outputs[0]).shape == (2, 4)
    unknown = [note.message for note in report.notes if note.code == "unknown_shape"]
    assert len(unknown) == 1
    assert "rows" in unknown[0]


def test_a_loop_that_never_starts_is_no_work(tmp_path: Path) -> None:
    loop = node("Loop", "count,never,x", "y", "loop", body=looped(SAME))
    stored = {"count": np.asarray(5, np.int64), "never": np.asarray(False), "w": weight(4, 4)}
    report = read(tmp_path, loop, ["y"], **stored)
    assert (report.status, report.totals.macs, report.totals.params) == ("complete", 0, 4 * 4)


def test_a_constant_inside_a_body_is_the_weight_of_its_layer(tmp_path: Path) -> None:
    matrix = node("Constant", "", "w", value=numpy_helper.from_array(weight(4, 4), "w"))
    inner = looped(SAME)
    inner.node.insert(0, matrix)
    loop = node("Loop", "count,,x", "y", "loop", body=inner)
    report = read(tmp_path, loop, ["y"], count=np.asarray(5, np.int64))
    assert (report.totals.params, report.totals.macs) == (4 * 4, 5 * 2 * 4 * 4)
