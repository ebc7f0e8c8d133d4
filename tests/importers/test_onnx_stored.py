"""ONNX files: what is stored, what is shared, and what is fused."""

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from cnnstat import api
from cnnstat.importers.onnx.wire import without_weights
from cnnstat.ops import ScaledTanh, Subsampling
from tests.importers.onnx_models import X, ints, kinds, model, node, saved, scalar, weight

IMAGE = X((1, 3, 8, 8))


@pytest.mark.parametrize("opset", [9, 11, 13, 17, 21])
def test_small_net_by_hand(opset: int, tmp_path: Path) -> None:
    nodes = [
        node("Conv", "x,w,b", "c", "conv", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("BatchNormalization", "c,s,h,m,v", "n", "norm"),
        node("Relu", "n", "r", "relu"),
        node("MaxPool", "r", "p", "pool", kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", "p", "f", "flat"),
        node("Gemm", "f,fw,fb", "y", "fc", transB=1),
    ]
    stored = {"w": weight(4, 3, 3, 3), "b": weight(4), "fw": weight(10, 64), "fb": weight(10)}
    stored |= {name: weight(4) for name in "shmv"}
    proto = model(nodes, {"x": IMAGE}, ["y"], stored, opset=opset)
    report = api.analyze(saved(proto, tmp_path))
    totals = report.totals
    assert totals.weights == 4 * 3 * 9 + 4 + 10 * 64
    assert totals.biases == 4 + 4 + 10
    assert totals.buffers == 4 + 4
    assert totals.macs == 8 * 8 * 4 * 3 * 9 + 10 * 64
    assert totals.depth == 2
    assert [layer.name for layer in report.view()] == ["x", "conv", "pool", "fc"]
    assert report.status == "complete"


def test_shared_weights_are_counted_once(tmp_path: Path) -> None:
    nodes = [node("Conv", "x,w", "a", "first"), node("Conv", "a,w", "y", "second")]
    proto = model(nodes, {"x": IMAGE}, ["y"], {"w": weight(3, 3, 1, 1)})
    report = api.analyze(saved(proto, tmp_path))
    assert report.totals.params == 3 * 3
    assert report.totals.macs == 2 * 64 * 3 * 3
    assert report.shaped.nodes[2].tied_to == 1


def test_weight_that_is_also_data_is_counted_once(tmp_path: Path) -> None:
    nodes = [
        node("Gemm", "x,w", "a", "fc", transB=1),
        node("Transpose", "w", "t", "turn"),
        node("MatMul", "a,t2", "b", "back"),
        node("Identity", "w", "t2", "same"),
        node("Add", "b,row", "y", "sum"),
        node("Gather", "w,i", "row", "row"),
    ]
    nodes = [nodes[0], nodes[3], nodes[5], nodes[2], nodes[4]]
    proto = model(nodes, {"x": X((2, 6))}, ["y"], {"w": weight(6, 6), "i": ints(0)})
    report = api.analyze(saved(proto, tmp_path), batch=2)
    assert report.totals.params == 6 * 6
    assert report.totals.macs == 2 * (2 * 6 * 6)


def test_transposed_weight_is_the_weight(tmp_path: Path) -> None:
    nodes = [
        node("Transpose", "w", "t", "turn", perm=[1, 0]),
        node("MatMul", "x,t", "m", "fc"),
        node("Add", "m,b", "y", "bias"),
    ]
    proto = model(nodes, {"x": X((2, 5, 6))}, ["y"], {"w": weight(4, 6), "b": weight(4)})
    report = api.analyze(saved(proto, tmp_path), batch=2).report
    assert kinds(report) == ["Input", "Linear"]
    assert (report.totals.weights, report.totals.biases) == (4 * 6, 4)
    assert report.totals.macs == 2 * 5 * 4 * 6


def test_product_that_is_read_twice_keeps_its_bias_apart(tmp_path: Path) -> None:
    nodes = [
        node("MatMul", "x,w", "m", "fc"),
        node("Add", "m,b", "a", "bias"),
        node("Mul", "m,a", "y", "gate"),
    ]
    proto = model(nodes, {"x": X((2, 6))}, ["y"], {"w": weight(6, 4), "b": weight(4)})
    report = api.analyze(saved(proto, tmp_path), batch=2).report
    assert kinds(report) == ["Input", "Linear", "Parameter", "Add", "Mul"]
    assert report.totals.params == 6 * 4 + 4


def test_swish_and_subsampling_are_put_together(tmp_path: Path) -> None:
    nodes = [
        node("AveragePool", "x", "p", "s2", kernel_shape=[2, 2], strides=[2, 2]),
        node("Mul", "p,k", "q", "scale"),
        node("Add", "q,b", "r", "shift"),
        node("Sigmoid", "r", "g", "gate"),
        node("Mul", "r,g", "y", "swish"),
    ]
    proto = model(nodes, {"x": IMAGE}, ["y"], {"k": weight(3, 1, 1), "b": weight(3, 1, 1)})
    report = api.analyze(saved(proto, tmp_path)).report
    assert kinds(report) == ["Input", "Subsampling", "SiLU"]
    assert report.shaped.nodes[1].op == Subsampling((2, 2))
    assert (report.totals.weights, report.totals.biases) == (3, 3)


def test_scaled_tanh_is_put_together(tmp_path: Path) -> None:
    nodes = [node("Mul", "s,x", "a"), node("Tanh", "a", "b"), node("Mul", "b,k", "y", "bent")]
    proto = model(nodes, {"x": IMAGE}, ["y"], {"s": scalar(0.5), "k": scalar(2)})
    report = api.analyze(saved(proto, tmp_path))
    assert report.shaped.nodes[1].op == ScaledTanh(2.0, 0.5)
    assert report.shaped.nodes[1].name == "bent"


def test_constants_are_buffers_and_scalars_no_parameters(tmp_path: Path) -> None:
    table = onnx.numpy_helper.from_array(weight(8, 8))
    nodes = [
        helper.make_node("Constant", [], ["t"], "table", value=table),
        node("Add", "x,t", "a", "shift"),
        node("Mul", "a,half", "y", "scale"),
    ]
    proto = model(nodes, {"x": IMAGE}, ["y"], {"half": scalar(0.5)})
    report = api.analyze(saved(proto, tmp_path))
    assert (report.totals.params, report.totals.buffers) == (0, 8 * 8)
    assert [note.code for note in report.notes] == ["scalar_constants"]


def test_unused_weights_are_listed_and_counted(tmp_path: Path) -> None:
    proto = model([node("Relu", "x", "y")], {"x": IMAGE}, ["y"], {"spare": weight(5)})
    report = api.analyze(saved(proto, tmp_path))
    assert report.totals.params == 5
    assert [(note.code, note.path) for note in report.notes] == [("unused_parameter", "spare")]


def test_external_data_is_never_opened(tmp_path: Path) -> None:
    proto = model([node("Gemm", "x,w", "y", "fc", transB=1)], {"x": X((1, 6))}, ["y"],
                  {"w": weight(4, 6)})  # fmt: skip
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../nowhere.bin"
    report = api.analyze(saved(proto, tmp_path))
    assert (report.totals.params, report.totals.macs) == (4 * 6, 4 * 6)


def test_large_weights_are_left_in_the_file(tmp_path: Path) -> None:
    proto = model([node("Gemm", "x,w", "y", "fc", transB=1)], {"x": X((1, 300))}, ["y"],
                  {"w": weight(400, 300)})  # fmt: skip
    path = Path(saved(proto, tmp_path))
    slim = without_weights(memoryview(path.read_bytes()))
    assert path.stat().st_size > 400 * 300 * 4 > 1000 > len(slim)
    assert api.analyze(str(path)).totals.params == 400 * 300
