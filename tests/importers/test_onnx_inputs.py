"""Inputs of an ONNX file: extents that it fixes, names of axes, dtypes, scalars, nothing."""

from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto, helper

from cnnstat import api
from cnnstat.api.results import Analysis
from cnnstat.errors import ModelError, UsageError
from tests.importers.onnx_models import X, ints, model, node, saved, weight

RELU = [node("Relu", "x", "y")]


def read(folder: Path, nodes: list[Any], inputs: dict[str, X], stored: Any = None) -> str:
    return saved(model(nodes, inputs, ["y"], stored), folder)


def entering(report: Analysis) -> dict[str, tuple[int, ...]]:
    return {name: spec.shape for name, spec in report.report.inputs.items()}


def test_a_fixed_first_extent_stays(tmp_path: Path) -> None:
    nodes = [node("LSTM", "x,w,r", "y", hidden_size=8)]
    stored = {"w": weight(1, 4 * 8, 4), "r": weight(1, 4 * 8, 8)}
    report = api.analyze(read(tmp_path, nodes, {"x": X((30, 2, 4))}, stored))
    assert entering(report) == {"x": (30, 2, 4)}
    assert report.totals.macs == 30 * 2 * (4 * 8 * 4 + 4 * 8 * 8)


def test_a_batch_of_several_replaces_the_first_inputs_extent(tmp_path: Path) -> None:
    nodes = [node("MatMul", "x,k", "a"), node("Add", "a,z", "y")]
    inputs = {"x": X((2, 6)), "k": X((6, 4)), "z": X((2, 4))}
    report = api.analyze(read(tmp_path, nodes, inputs), batch=5)
    assert entering(report) == {"x": (5, 6), "k": (6, 4), "z": (5, 4)}


def test_an_open_first_extent_is_the_batch(tmp_path: Path) -> None:
    path = read(tmp_path, RELU, {"x": X(("n", 3))})
    assert entering(api.analyze(path)) == {"x": (1, 3)}
    assert entering(api.analyze(path, batch=7)) == {"x": (7, 3)}


def test_a_named_axis_has_one_extent(tmp_path: Path) -> None:
    inputs = {"x": X(("n", "t")), "mask": X(("n", "t")), "late": X(("t", 3))}
    nodes = [node("Add", "x,mask", "a"), node("MatMul", "a,late", "y")]
    path = read(tmp_path, nodes, inputs)
    report = api.analyze(path, input={"x": (9,)}, batch=2)
    assert entering(report) == {"x": (2, 9), "mask": (2, 9), "late": (9, 3)}
    with pytest.raises(UsageError, match="'x' is nxt, whose extents are not all fixed"):
        api.analyze(path)


def test_the_declared_dtype_stays_where_a_shape_is_stated(tmp_path: Path) -> None:
    nodes = [node("Gather", "table,x", "y")]
    path = read(tmp_path, nodes, {"x": X(("n", "t"), "int64")}, {"table": weight(100, 16)})
    report = api.analyze(path, input={"x": (7,)})
    assert report.input == ((1, 7), "int64")
    assert report.totals.activation_bytes == 8 * 7 + 4 * 7 * 16


@pytest.mark.parametrize("shape", [(3, 5), (2, 3, 5, 5)])
def test_a_shape_of_another_rank_is_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    path = read(tmp_path, RELU, {"x": X((1, 3, 5, 5))})
    with pytest.raises(UsageError, match=r"'x' is 1x3x5x5, so .* does not fit: give 3 extents"):
        api.analyze(path, input={"x": shape})


def test_scalars_have_no_batch(tmp_path: Path) -> None:
    nodes = [node("Mul", "x,k", "y")]
    report = api.analyze(read(tmp_path, nodes, {"k": X(()), "x": X((5, 3))}))
    assert entering(report) == {"k": (), "x": (5, 3)}
    assert report.totals.flops == 5 * 3
    assert entering(api.analyze(report.model, input=())) == {"k": (), "x": (5, 3)}
    assert api.analyze(read(tmp_path, RELU, {"x": X(())})).totals.flops == 1


def test_a_file_without_inputs(tmp_path: Path) -> None:
    nodes = [node("Relu", "w", "y")]
    report = api.analyze(read(tmp_path, nodes, {}, {"w": weight(3)}))
    assert report.input.shape == ()
    assert report.totals.params == 3
    assert str(report)


def test_an_extent_of_0_is_empty_and_not_open(tmp_path: Path) -> None:
    report = api.analyze(read(tmp_path, RELU, {"x": X((2, 0, 4))}))
    assert entering(report) == {"x": (2, 0, 4)}
    assert report.totals.flops == 0


def test_an_extent_below_0_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"'x' has an extent of -5"):
        api.analyze(read(tmp_path, RELU, {"x": X((2, -5))}))


def test_a_sequence_enters_with_unknown_shapes(tmp_path: Path) -> None:
    nodes = [node("SequenceAt", "s,zero", "a"), node("Add", "a,x", "y")]
    proto = model(nodes, {"x": X((1, 3))}, ["y"], {"zero": ints(0)})
    kind = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
    sequence = helper.make_sequence_type_proto(kind)
    proto.graph.input.append(helper.make_value_info("s", sequence))
    report = api.analyze(saved(proto, tmp_path))
    assert entering(report) == {"x": (1, 3)}
    assert report.status == "partial"
