"""Weights of ONNX files that are quantised or computed, and arguments that are none."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from cnnstat import api
from tests.importers.onnx_models import X, model, node, saved, scalar, weight

IMAGE = X((1, 3, 8, 8))


def whole(*shape: int, dtype: str = "int8") -> Any:
    return (np.arange(int(np.prod(shape))) % 5).astype(dtype).reshape(shape)


SCALES = {"s": scalar(0.1), "z": np.asarray(0, np.uint8), "zw": np.asarray(0, np.int8)}


def analyzed(folder: Path, nodes: list[Any], stored: dict[str, Any], x: X = IMAGE) -> Any:
    return api.analyze(saved(model(nodes, {"x": x}, ["y"], {**SCALES, **stored}), folder))


def test_a_quantised_convolution(tmp_path: Path) -> None:
    nodes = [
        node("QuantizeLinear", "x,s,z", "q"),
        node("QLinearConv", "q,s,z,w,s,zw,s,z,b", "c", pads=[1] * 4),
        node("DequantizeLinear", "c,s,z", "y"),
    ]
    stored = {"w": whole(16, 3, 3, 3), "b": whole(16, dtype="int32")}
    report = analyzed(tmp_path, nodes, stored)
    assert report.totals.params == 16 * 27 + 16
    assert report.totals.param_bytes == 16 * 27 * 1 + 16 * 4
    assert report.totals.macs == 8 * 8 * 16 * 27
    assert report.status == "complete"


@pytest.mark.parametrize("scales", [1, 16])
def test_a_kernel_behind_its_dequantisation(scales: int, tmp_path: Path) -> None:
    nodes = [
        node("DequantizeLinear", "w,sw,zs", "wd", axis=0),
        node("Conv", "x,wd", "y", pads=[1] * 4),
    ]
    shape = () if scales == 1 else (scales,)
    stored = {"w": whole(16, 3, 3, 3), "sw": np.full(shape, 0.1, np.float32)}
    stored["zs"] = np.zeros(shape, np.int8)
    report = analyzed(tmp_path, nodes, stored)
    assert report.totals.params == 16 * 27
    assert report.totals.param_bytes == 16 * 27
    assert report.totals.macs == 8 * 8 * 16 * 27


def test_integer_products(tmp_path: Path) -> None:
    nodes = [
        node("DynamicQuantizeLinear", "x", "q,qs,qz"),
        node("ConvInteger", "q,w,qz", "c"),
        node("Cast", "c", "d", to=TensorProto.UINT8),
        node("Flatten", "d", "f"),
        node("MatMulInteger", "f,m", "y"),
    ]
    stored = {"w": whole(2, 3, 3, 3, dtype="uint8"), "m": whole(72, 10)}
    report = analyzed(tmp_path, nodes, stored)
    assert report.totals.params == 2 * 27 + 72 * 10
    assert report.totals.macs == 6 * 6 * 2 * 27 + 72 * 10
    assert report.report.layers[-1].output.dtype == "int32"


def test_a_product_of_quantised_matrices(tmp_path: Path) -> None:
    nodes = [node("QuantizeLinear", "x,s,z", "q"), node("QLinearMatMul", "q,s,z,m,s,zw,s,z", "y")]
    report = analyzed(tmp_path, nodes, {"m": whole(64, 10)}, X((2, 64)))
    assert report.totals.params == 64 * 10
    assert report.totals.macs == 2 * 64 * 10


def test_a_quantised_table_of_embeddings(tmp_path: Path) -> None:
    nodes = [node("Gather", "t,x", "g"), node("DequantizeLinear", "g,s,zw", "y")]
    report = analyzed(tmp_path, nodes, {"t": whole(50, 8)}, X((1, 7), "int64"))
    assert report.totals.params == 50 * 8


def test_quantised_weights_of_an_unknown_operator(tmp_path: Path) -> None:
    foreign = helper.make_node("QGemm", ["x", "s", "z", "w"], ["y"], domain="com.microsoft")
    proto = model([foreign], {"x": X((1, 4))}, ["y"], {**SCALES, "w": whole(4, 6)},
                  domains={"com.microsoft": 1})  # fmt: skip
    report = api.analyze(saved(proto, tmp_path))
    assert report.totals.params == 4 * 6
    assert report.status == "partial"


@pytest.mark.parametrize("opset", [9, 11, 17])
def test_scales_of_a_resampling_are_no_parameters(opset: int, tmp_path: Path) -> None:
    numbers = np.asarray([1, 2, 2, 1], np.float32)
    stored = {"s": numbers}
    op_type, names = ("Upsample", "x,s") if opset == 9 else ("Resize", "x,r,s")
    if opset > 9:
        stored["r"] = np.zeros(8, np.float32)
    proto = model([node(op_type, names, "y", mode="nearest")], {"x": X((1, 8, 6, 3))}, ["y"],
                  stored, opset=opset)  # fmt: skip
    report = api.analyze(saved(proto, tmp_path))
    assert report.totals.params == 0
    assert report.report.layers[-1].output.shape == (1, 16, 12, 3)
    assert report.status == "complete"


def test_scales_of_a_resampling_round_in_32_bits(tmp_path: Path) -> None:
    proto = model([node("Resize", "x,,s", "y")], {"x": X((1, 2, 10, 10))}, ["y"],
                  {"s": np.asarray([1, 1, 0.7, 0.7], np.float32)})  # fmt: skip
    assert api.analyze(saved(proto, tmp_path)).report.layers[-1].output.shape == (1, 2, 7, 7)


def test_an_extent_that_is_computed_is_the_declared_one(tmp_path: Path) -> None:
    proto = model([node("Tile", "x,k", "y")], {"x": X((1, 4)), "k": X((2,), "int64")}, ["y"])
    proto.graph.output[0].type.tensor_type.shape.dim.add().dim_value = 1
    proto.graph.output[0].type.tensor_type.shape.dim.add().dim_value = 8
    report = api.analyze(saved(proto, tmp_path))
    assert report.report.layers[-1].output.shape == (1, 8)
    assert report.status == "complete"


def test_a_resampling_of_the_batch_is_unknown_work_of_a_known_shape(tmp_path: Path) -> None:
    proto = model([node("Resize", "x,,s", "y")], {"x": X((1, 2, 4, 4))}, ["y"],
                  {"s": np.asarray([3, 2, 1, 1], np.float32)})  # fmt: skip
    report = api.analyze(saved(proto, tmp_path))
    assert report.totals.params == 0
    assert report.report.layers[-1].output.shape == (3, 4, 4, 4)
    assert report.status == "partial"


@pytest.mark.parametrize("computed", [True, False])
def test_kernels_of_a_transposed_convolution_that_are_no_initializers(
    computed: bool, tmp_path: Path
) -> None:
    nodes = [node("ConvTranspose", "x,k", "y", strides=[2, 2])]
    stored = {}
    inputs = {"x": X((1, 3, 5, 5)), "k": X((3, 4, 2, 2))}
    if computed:
        nodes.insert(0, node("Cast", "w", "k", to=TensorProto.FLOAT))
        stored = {"w": weight(3, 4, 2, 2).astype(np.float16)}
        del inputs["k"]
    report = api.analyze(saved(model(nodes, inputs, ["y"], stored), tmp_path))
    assert report.report.layers[-1].output.shape == (1, 4, 10, 10)
    assert report.totals.macs == 5 * 5 * 3 * 4 * 2 * 2
    assert report.totals.params == (3 * 4 * 2 * 2 if computed else 0)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_a_normalisation_over_the_last_axes(axis: int, tmp_path: Path) -> None:
    shape = (2, 3, 4)[axis:]
    nodes = [node("LayerNormalization", "x,w", "y,mean", axis=axis)]
    proto = model(nodes, {"x": X((2, 3, 4))}, ["y", "mean"], {"w": weight(*shape)})
    report = api.analyze(saved(proto, tmp_path))
    assert report.totals.params == int(np.prod(shape))
    assert report.status == "complete"
    mean = report.shaped.spec(report.shaped.graph.outputs[1]).shape
    assert mean == (*(2, 3, 4)[:axis], *[1] * len(shape))


@pytest.mark.parametrize("read", [True, False])
def test_a_dropout_with_a_mask(read: bool, tmp_path: Path) -> None:
    outputs = ["y", "mask"] if read else ["y"]
    proto = model([node("Dropout", "x", "y,mask")], {"x": IMAGE}, outputs)
    report = api.analyze(saved(proto, tmp_path))
    assert report.status == "complete"
    assert report.totals.flops == 0
    specs = [report.shaped.spec(value) for value in report.shaped.graph.outputs]
    assert [spec.shape for spec in specs] == [(1, 3, 8, 8)] * len(outputs)


@pytest.mark.parametrize("opset", [9, 11, 13])
def test_a_softmax_over_all_axes_from_one_on(opset: int, tmp_path: Path) -> None:
    proto = model([node("Softmax", "x", "y", axis=1)], {"x": X((2, 3, 4, 5))}, ["y"], opset=opset)
    report = api.analyze(saved(proto, tmp_path))
    assert report.status == "complete"
    assert report.shaped.spec(report.shaped.graph.outputs[0]).shape == (2, 3, 4, 5)
    softmax = next(each for each in report.shaped.facts if each.work and each.work.exponentials)
    assert softmax.outputs[0].shape == ((2, 3 * 4 * 5) if opset < 13 else (2, 3, 4, 5))


@pytest.mark.parametrize("op_type", ["MaxPool", "AveragePool", "LpPool"])
def test_a_last_window_that_would_start_in_the_padding_is_none(
    op_type: str, tmp_path: Path
) -> None:
    pool = node(op_type, "x", "y", kernel_shape=[2, 2], strides=[2, 2], pads=[1] * 4, ceil_mode=1)
    report = api.analyze(saved(model([pool], {"x": X((1, 1, 5, 5))}, ["y"], opset=20), tmp_path))
    assert report.shaped.spec(report.shaped.graph.outputs[0]).shape == (1, 1, 3, 3)


@pytest.mark.parametrize(
    ("attributes", "out"),
    [
        ({"auto_pad": "SAME_UPPER", "output_padding": [1, 1]}, 6),
        ({"auto_pad": "SAME_LOWER"}, 6),
        ({"output_shape": [9, 9]}, 9),
        ({"output_shape": [5, 5]}, 5),
    ],
)
def test_extents_of_a_transposed_convolution(
    attributes: dict[str, Any], out: int, tmp_path: Path
) -> None:
    nodes = [node("ConvTranspose", "x,w", "y", strides=[2, 2], **attributes)]
    proto = model(nodes, {"x": X((1, 2, 3, 3))}, ["y"], {"w": weight(2, 1, 3, 3)})
    report = api.analyze(saved(proto, tmp_path))
    assert report.shaped.spec(report.shaped.graph.outputs[0]).shape == (1, 1, out, out)
