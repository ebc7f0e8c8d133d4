"""ONNX files: free extents, shapes that are computed, what is unknown, names."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from cnnstat import api
from cnnstat.errors import UsageError
from cnnstat.ops import Function, Opaque, Parameter
from tests.importers.onnx_models import X, ints, kinds, model, node, saved, weight

IMAGE = X((1, 3, 8, 8))


# -- shapes ---------------------------------------------------------------------------------------


def test_shape_arithmetic_is_folded(tmp_path: Path) -> None:
    nodes = [
        node("Shape", "x", "s"),
        node("Gather", "s,zero", "n"),
        node("Unsqueeze", "n,axis", "n1"),
        node("Concat", "n1,rest", "shape", axis=0),
        node("Reshape", "x,shape", "y", "flat"),
    ]
    stored = {"zero": np.asarray(0), "axis": ints(0), "rest": ints(-1)}
    proto = model(nodes, {"x": X(("n", 3, "h", "w"))}, ["y"], stored)
    report = api.analyze(saved(proto, tmp_path), input=(3, 5, 7), batch=2).report
    assert kinds(report) == ["Input", "Flatten"]
    assert report.shaped.spec(report.shaped.graph.outputs[0]).shape == (2, 3 * 5 * 7)


def test_made_tensors_that_are_too_large_to_fold(tmp_path: Path) -> None:
    nodes = [
        node("ConstantOfShape", "extents", "zeros", "zeros"),
        node("Range", "start,stop,step", "count", "count"),
        node("Add", "x,zeros", "a", "add"),
        node("Mul", "a,count", "y", "mul"),
    ]
    stored = {"extents": ints(300, 300), "start": np.asarray(0.0, np.float32)}
    stored |= {"stop": np.asarray(90_000.0, np.float32), "step": np.asarray(300.0, np.float32)}
    proto = model(nodes, {"x": X((1, 300, 300))}, ["y"], stored)
    report = api.analyze(saved(proto, tmp_path)).report
    assert kinds(report) == ["Input", "Fill", "Add", "Constant", "Mul"]
    assert report.status == "complete"


def test_free_extents_want_an_input(tmp_path: Path) -> None:
    proto = model([node("Relu", "x", "y")], {"x": X(("n", 3, "h", "w"))}, ["y"])
    path = saved(proto, tmp_path)
    with pytest.raises(UsageError, match=r"'x' is nx3xhxw, .*--input 3x224x224"):
        api.analyze(path)
    assert api.analyze(path, input=(5, 7)).input.shape == (1, 3, 5, 7)
    with pytest.raises(UsageError, match="unknown input 'image'"):
        api.analyze(path, input={"image": (3, 5, 7)})


def test_input_without_a_shape(tmp_path: Path) -> None:
    proto = model([node("Relu", "x", "y")], {"x": IMAGE}, ["y"])
    proto.graph.input[0].type.tensor_type.ClearField("shape")
    path = saved(proto, tmp_path)
    with pytest.raises(UsageError, match="does not state the shape of its input 'x'"):
        api.analyze(path)
    assert api.analyze(path, input={"x": (3, 5)}).input.shape == (1, 3, 5)


def test_later_inputs_keep_an_extent_that_is_no_batch(tmp_path: Path) -> None:
    nodes = [node("MatMul", "x,mask", "a"), node("Where", "on,a,a", "y")]
    inputs = {"x": X(("n", 6)), "mask": X((6, 4)), "on": X((), "bool")}
    report = api.analyze(saved(model(nodes, inputs, ["y"]), tmp_path), batch=3)
    assert report.totals.macs == 3 * 6 * 4
    assert report.status == "complete"


def test_a_shape_that_depends_on_values_is_unknown_behind_it_too(tmp_path: Path) -> None:
    nodes = [
        node("NonZero", "x", "where", "nonzero"),
        node("Cast", "where", "real", "cast", to=TensorProto.FLOAT),
        node("MatMul", "real,w", "y", "fc"),
    ]
    report = api.analyze(
        saved(model(nodes, {"x": X((4, 4))}, ["y"], {"w": weight(4, 2)}), tmp_path), batch=4
    )
    assert report.status == "partial"
    assert [type(each.op) for each in report.shaped.nodes[1:4]] == [Function, Opaque, Parameter]
    assert report.totals.params == 4 * 2
    unknown = [note.path for note in report.notes if note.code == "unknown_shape"]
    assert unknown == ["nonzero", "cast", "fc"]


# -- operators without a rule --------------------------------------------------------------------


def test_unknown_operator_is_one_row_that_is_never_zero(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Magic", ["x", "w"], ["m"], "magic", domain="com.example"),
        node("Relu", "m", "y", "relu"),
    ]
    proto = model(nodes, {"x": IMAGE}, ["y"], {"w": weight(7)}, domains={"com.example": 1})
    report = api.analyze(saved(proto, tmp_path))
    assert report.status == "partial"
    assert report.totals.params == 7
    row = next(layer for layer in report.view(expand=True) if layer.name == "magic")
    assert row.type == "Magic"
    assert row.figures.unknown == 1


def test_local_functions_are_written_out(tmp_path: Path) -> None:
    body = [node("Relu", "a", "b"), node("Tanh", "b", "c")]
    opsets = [helper.make_opsetid("", 17)]
    function = helper.make_function("local", "Both", ["a"], ["c"], body, opsets)
    call = helper.make_node("Both", ["x"], ["y"], "both", domain="local")
    proto = model([call], {"x": IMAGE}, ["y"], domains={"local": 1})
    proto.functions.append(function)
    assert kinds(api.analyze(saved(proto, tmp_path)).report) == ["Input", "ReLU", "Tanh"]


def branches() -> tuple[Any, Any]:
    def graph(op_type: str, *more: str) -> Any:
        out = helper.make_tensor_value_info(f"{op_type}_out", TensorProto.FLOAT, None)
        body = [helper.make_node(op_type, ["x", *more], [f"{op_type}_out"], f"in/{op_type}")]
        return helper.make_graph(body, op_type, [], [out])

    return graph("Relu"), graph("Mul", "w")


def test_branch_whose_condition_is_known_is_taken(tmp_path: Path) -> None:
    yes, no = branches()
    nodes = [node("If", "on", "y", "if", then_branch=yes, else_branch=no)]
    stored = {"on": np.asarray(True), "w": weight(8)}
    report = api.analyze(saved(model(nodes, {"x": IMAGE}, ["y"], stored), tmp_path)).report
    assert kinds(report) == ["Input", "ReLU"]


def test_branch_that_is_computed_is_unknown(tmp_path: Path) -> None:
    yes, no = branches()
    nodes = [node("If", "on", "y", "if", then_branch=yes, else_branch=no)]
    inputs = {"x": IMAGE, "on": X((), "bool")}
    report = api.analyze(saved(model(nodes, inputs, ["y"], {"w": weight(8)}), tmp_path))
    assert report.status == "partial"
    assert report.totals.params == 8


# -- names ----------------------------------------------------------------------------------------


def test_names_of_pytorch_become_paths(tmp_path: Path) -> None:
    names = ["conv1/Relu", "relu/Relu", "Relu", "relu/Relu_1"]
    nodes = [
        node("Relu", f"t{i}", f"t{i + 1}", f"/layer1/layer1.0/{name}")
        for i, name in enumerate(names)
    ]
    report = api.analyze(saved(model(nodes, {"t0": IMAGE}, ["t4"]), tmp_path))
    paths = ["conv1", "relu/Relu", "Relu", "relu/Relu_1"]
    assert [each.name for each in report.shaped.nodes] == [
        "t0",
        *(f"layer1/0/{path}" for path in paths),
    ]


def test_nameless_nodes_are_numbered(tmp_path: Path) -> None:
    nodes = [node("Relu", "x", "a"), node("Relu", "a", "b"), node("Relu", "b", "y", "relu_2")]
    report = api.analyze(saved(model(nodes, {"x": IMAGE}, ["y"]), tmp_path))
    assert [each.name for each in report.shaped.nodes] == ["x", "relu", "relu_2", "relu_2_2"]


# -- PyTorch's exporter ---------------------------------------------------------------------------


class Small(nn.Module):
    """A residual block with a gate, attention and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8))
        self.block = nn.Sequential(
            nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.SiLU(), nn.Conv2d(8, 8, 1)
        )
        self.gate = nn.Conv2d(8, 8, 1)
        self.norm = nn.LayerNorm(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.fc = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w) -> (n, 10)."""
        x = self.stem(x)
        x = x + self.block(x) * torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True)))
        tokens = self.norm(x.flatten(2).transpose(1, 2))
        mixed = self.attention(tokens, tokens, tokens, need_weights=False)[0]
        y: torch.Tensor = self.fc(mixed.mean(1))
        return y


@pytest.mark.parametrize(("opset", "free"), [(14, False), (17, True), (18, True)])
def test_exported_by_pytorch(opset: int, free: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Small().eval()
    for parameter in module.parameters():  # the exporter merges tensors that are equal
        nn.init.normal_(parameter)
    path = str(tmp_path / "small.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (torch.zeros(1, 3, 16, 16),),
            path,
            opset_version=opset,
            dynamo=False,
            do_constant_folding=False,
            training=torch.onnx.TrainingMode.PRESERVE,
            input_names=["image"],
            dynamic_axes={"image": {0: "n", 2: "h", 3: "w"}} if free else None,
        )
    report = api.analyze(path, input=(16, 16))
    own = api.analyze(module, input={"x": (3, 16, 16)})
    assert report.status == "complete"
    assert report.totals.params == sum(p.numel() for p in module.parameters())
    assert report.totals.macs == own.totals.macs
    assert report.totals.depth == own.totals.depth
