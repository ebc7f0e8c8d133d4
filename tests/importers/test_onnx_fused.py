"""Operators that an exporter had to split are put together again, and only those."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cnnstat import api
from cnnstat.ops import Attention, GroupNorm, Nonlinearity, RMSNorm
from tests.importers.onnx_models import X, ints, kinds, model, node, saved, scalar, weight

MAPS = X((2, 6, 5, 7))
TOKENS = X((2, 3, 5, 4))


def gelu(half: float = 0.5) -> tuple[list[Any], dict[str, Any]]:
    nodes = [
        node("Div", "x,root", "a"),
        node("Erf", "a", "b"),
        node("Add", "b,one", "c"),
        node("Mul", "x,c", "d"),
        node("Mul", "d,half", "y", "act"),
    ]
    return nodes, {"root": scalar(2**0.5), "one": scalar(1), "half": scalar(half)}


def group_norm(
    scale: Any, *, ones: float = 1, back: Any = None
) -> tuple[list[Any], dict[str, Any]]:
    nodes = [
        node("Reshape", "x,groups", "a"),
        node("InstanceNormalization", "a,ones,zeros", "b"),
        node("Reshape", "b,back", "c"),
        node("Mul", "c,scale", "d"),
        node("Add", "d,shift", "y", "norm"),
    ]
    stored = {"groups": ints(0, 2, -1), "back": ints(2, 6, 5, 7) if back is None else back}
    stored |= {"ones": np.full(2, ones, np.float32), "zeros": np.zeros(2, np.float32)}
    return nodes, stored | {"scale": scale, "shift": scale}


def rms_norm(axes: list[int], scale: Any) -> tuple[list[Any], dict[str, Any]]:
    nodes = [
        node("Mul", "x,x", "a"),
        node("ReduceMean", "a", "b", axes=axes, keepdims=1),
        node("Add", "b,tiny", "c"),
        node("Sqrt", "c", "d"),
        node("Div", "x,d", "e", "norm"),
        node("Mul", "e,scale", "y", "scale"),
    ]
    return nodes, {"tiny": scalar(1e-6), "scale": scale}


def attention(scale: float, axis: int = -1) -> tuple[list[Any], dict[str, Any]]:
    nodes = [
        node("Transpose", "k", "a", perm=[0, 1, 3, 2]),
        node("MatMul", "x,a", "b"),
        node("Mul", "b,scale", "c"),
        node("Where", "mask,c,nothing", "d"),
        node("Softmax", "d", "e", axis=axis),
        node("MatMul", "e,v", "y", "mix"),
    ]
    return nodes, {"scale": scalar(scale), "nothing": scalar(-np.inf)}


def ops_of(parts: tuple[list[Any], dict[str, Any]], inputs: dict[str, X], path: Path) -> list[Any]:
    nodes, stored = parts
    report = api.analyze(saved(model(nodes, inputs, ["y"], stored), path), batch=2)
    return [each.op for each in report.shaped.nodes if not each.op.is_input]


def test_gelu(tmp_path: Path) -> None:
    assert ops_of(gelu(), {"x": MAPS}, tmp_path) == [Nonlinearity("GELU")]
    assert len(ops_of(gelu(half=0.25), {"x": MAPS}, tmp_path)) == 5


def test_gelu_whose_middle_is_read_elsewhere(tmp_path: Path) -> None:
    nodes, stored = gelu()
    proto = model(nodes, {"x": MAPS}, ["y", "c"], stored)
    assert "GELU" not in kinds(api.analyze(saved(proto, tmp_path), batch=2).report)


def test_mish_and_log_sigmoid(tmp_path: Path) -> None:
    mish = [node("Softplus", "x", "a"), node("Tanh", "a", "b"), node("Mul", "x,b", "y")]
    assert ops_of((mish, {}), {"x": MAPS}, tmp_path) == [Nonlinearity("Mish")]
    logarithm = [node("Neg", "x", "a"), node("Softplus", "a", "b"), node("Neg", "b", "y")]
    assert ops_of((logarithm, {}), {"x": MAPS}, tmp_path) == [Nonlinearity("LogSigmoid")]


def test_group_norm(tmp_path: Path) -> None:
    fused = ops_of(group_norm(weight(6, 1, 1)), {"x": MAPS}, tmp_path)
    assert fused == [GroupNorm(2)]


def test_group_norm_whose_scale_is_no_channels(tmp_path: Path) -> None:
    fused = ops_of(group_norm(weight(5, 7)), {"x": MAPS}, tmp_path)
    assert fused[0] == GroupNorm(2, False)
    assert len(fused) == 5


@pytest.mark.parametrize(
    "parts",
    [
        group_norm(weight(6, 1, 1), ones=2),
        group_norm(weight(10, 1, 1), back=ints(2, 10, 3, 7)),
    ],
)
def test_group_norm_that_is_none(parts: tuple[list[Any], dict[str, Any]], tmp_path: Path) -> None:
    assert not any(isinstance(op, GroupNorm) for op in ops_of(parts, {"x": MAPS}, tmp_path))


def test_rms_norm(tmp_path: Path) -> None:
    assert ops_of(rms_norm([-1], weight(7)), {"x": MAPS}, tmp_path) == [RMSNorm(1, True, 1e-6)]
    assert ops_of(rms_norm([-2, -1], weight(5, 7)), {"x": MAPS}, tmp_path) == [
        RMSNorm(2, True, 1e-6)
    ]
    bare = ops_of(rms_norm([-1], weight(1)), {"x": MAPS}, tmp_path)
    assert bare[0] == RMSNorm(1, False, 1e-6)
    assert RMSNorm not in map(type, ops_of(rms_norm([1], weight(7)), {"x": MAPS}, tmp_path))


def test_attention(tmp_path: Path) -> None:
    inputs = {"x": X((2, 3, 9, 4)), "k": TOKENS, "v": TOKENS, "mask": X((9, 5), "bool")}
    report = api.analyze(
        saved(model(attention(0.5)[0], inputs, ["y"], attention(0.5)[1]), tmp_path), batch=2
    )
    assert [node.op for node in report.shaped.nodes][-1] == Attention()
    assert report.totals.macs == 2 * 3 * 9 * 5 * (4 + 4)
    for other in (attention(0.25), attention(0.5, axis=2)):
        assert Attention() not in ops_of(other, inputs, tmp_path)


def test_attention_whose_values_come_later(tmp_path: Path) -> None:
    nodes, stored = attention(0.5)
    nodes = [*nodes[:5], node("Relu", "v", "w"), node("MatMul", "e,w", "y", "mix")]
    inputs = {"x": TOKENS, "k": TOKENS, "v": TOKENS, "mask": X((5, 5), "bool")}
    fused = ops_of((nodes, stored), inputs, tmp_path)
    assert [type(op).__name__ for op in fused][-2:] == ["ReLU", "MatMul"]


@pytest.mark.parametrize("module", [nn.GELU(), nn.GroupNorm(2, 6), nn.Mish(), nn.SiLU()])
def test_exported_by_pytorch(module: nn.Module, tmp_path: Path) -> None:
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    path = str(tmp_path / "op.onnx")
    net = nn.Sequential(nn.Conv2d(3, 6, 3), module, nn.Conv2d(6, 2, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net.eval(),
            (torch.zeros(1, 3, 9, 9),),
            path,
            opset_version=17,
            dynamo=False,
        )
    report, own = api.analyze(path).report, api.analyze(net, input=(3, 9, 9)).report
    assert kinds(report) == kinds(own)
    assert report.totals == own.totals
