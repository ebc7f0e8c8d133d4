"""What an imported call has otherwise than its operator is named, and is not written to ONNX."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  (PyTorch's own name for it)

from cnnstat import api, ops
from cnnstat.count.report import Report
from cnnstat.errors import ModelError
from cnnstat.importers.onnx import arguments
from cnnstat.importers.onnx.table import RULES as ONNX_RULES
from cnnstat.importers.onnx.writing import onnx_blocks
from cnnstat.ir.op import Op
from cnnstat.pytorch.capture.arguments import USUAL
from cnnstat.pytorch.capture.table import RULES
from tests.importers.onnx_models import X, case, ints, saved, weight
from tests.pytorch.capture.modules import Applied, named

MAPS = (6, 8, 8)
TOKENS = (3, 5, 4)


def unkept(report: Report) -> list[str]:
    return [node.unkept for node in report.shaped.nodes if node.unkept]


def refused(report: Report) -> str:
    with pytest.raises(ModelError) as raised:
        onnx_blocks(report.shaped)
    return str(raised.value)


MODULES: tuple[tuple[Callable[..., Any] | nn.Module, str], ...] = (
    (nn.Softplus(2, 30), "threshold=30"),
    (nn.GELU("tanh"), "approximate=tanh"),
    (nn.LogSoftmax(1), "dim=1"),
    (nn.AvgPool2d(2, divisor_override=3), "divisor_override=3"),
    (nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), "align_corners=True"),
    (lambda x: F.interpolate(x, scale_factor=1.3), "scale_factor, which differs"),
    (lambda x: F.interpolate(x, (5, 5), mode="bilinear", antialias=True), "antialias"),
    (lambda x: torch.add(x, x, alpha=2), "alpha=2"),
    (lambda x: torch.div(x, x, rounding_mode="floor"), "rounding_mode=floor"),
    (lambda x: x.var(1, correction=0), "correction=0"),
    (lambda x: torch.linalg.vector_norm(x, 1), "ord=1"),
    (lambda x: x.sum(1, dtype=torch.float64), "dtype=float64"),
    (lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True), "is_causal=True"),
)


@pytest.mark.parametrize(("module", "said"), MODULES, ids=[said for _, said in MODULES])
def test_argument_of_a_module(module: Any, said: str) -> None:
    net = module if isinstance(module, nn.Module) else Applied(module)
    report = api.analyze(net, input=named(MAPS)).report
    assert len(unkept(report)) == 1
    assert unkept(report)[0].startswith(said)
    assert f"cannot be written to ONNX: the graph does not keep its {said}" in refused(report)


@pytest.mark.parametrize(
    "module",
    [
        nn.Softplus(2),
        nn.GELU(),
        nn.LogSoftmax(3),
        nn.AvgPool2d(2),
        nn.Upsample(scale_factor=1.5, mode="bilinear"),
        Applied(lambda x: torch.var(x, 1) + x.std(1)),
        Applied(lambda x: F.scaled_dot_product_attention(x, x, x)),
    ],
)
def test_arguments_that_are_usual(module: nn.Module) -> None:
    report = api.analyze(module, input=named(MAPS)).report
    assert unkept(report) == []
    onnx_blocks(report.shaped)


@pytest.mark.parametrize(
    ("module", "op"),
    [
        (nn.BatchNorm2d(6, eps=1e-3), ops.BatchNorm2d(eps=1e-3)),
        (nn.InstanceNorm2d(6, eps=1e-3), ops.InstanceNorm(eps=1e-3)),
        (nn.GroupNorm(2, 6, eps=1e-3), ops.GroupNorm(2, eps=1e-3)),
        (nn.LayerNorm(8, eps=1e-3), ops.LayerNorm(eps=1e-3)),
        (nn.RMSNorm(8, eps=1e-3), ops.RMSNorm(eps=1e-3)),
        (nn.RMSNorm(8), ops.RMSNorm()),
        (nn.LeakyReLU(), ops.Nonlinearity("LeakyReLU")),
        (nn.LeakyReLU(0.2), ops.Nonlinearity("LeakyReLU", (0.2,))),
        (nn.ELU(2), ops.Nonlinearity("ELU", (2,))),
        (nn.CELU(0.5), ops.Nonlinearity("CELU", (0.5,))),
        (nn.Hardtanh(), ops.Nonlinearity("Hardtanh")),
    ],
)
def test_number_is_kept_on_the_way_to_a_file_and_back(
    module: nn.Module, op: Op, tmp_path: Path
) -> None:
    report = api.analyze(module, input=named(MAPS))
    path = tmp_path / "net.onnx"
    path.write_bytes(b"".join(onnx_blocks(report.shaped)))
    assert [node.op for node in report.shaped.nodes[1:]] == [op]
    assert [node.op for node in api.analyze(str(path)).shaped.nodes[1:]] == [op]


class Remembers(nn.Module):
    """A recurrent layer that begins with zeros, or with what it is told."""

    def __init__(self, *, told: bool, relu: bool = False) -> None:
        super().__init__()
        self.told = told
        self.layer = nn.RNN(4, 3, batch_first=True, nonlinearity="relu" if relu else "tanh")

    def forward(self, x: torch.Tensor) -> Any:
        """(n, 5, 4) -> (n, 5, 3)."""
        return self.layer(x, x[:, :3, :3].transpose(0, 1)[:1] if self.told else None)[0]


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (Remembers(told=False), []),
        (Remembers(told=True), ["hx"]),
        (Remembers(told=False, relu=True), ["nonlinearity"]),
    ],
)
def test_state_of_a_recurrent_layer(module: nn.Module, said: list[str]) -> None:
    assert unkept(api.analyze(module, input=named((5, 4))).report) == said


def test_every_function_has_a_rule() -> None:
    assert set(USUAL) <= set(RULES)
    assert set(arguments.USUAL) <= set(ONNX_RULES)


MAP = X((1, 6, 8, 8))
ROWS = X((5, 2, 4))
SCALES = np.array([1, 1, 1.3, 1.3], np.float32)
CELL = (weight(1, 3, 4), weight(1, 3, 3))
GATES = (weight(1, 9, 4), weight(1, 9, 3))

ONNX = (
    (case("HardSigmoid", "", MAP), "alpha=0.2"),
    (case("Gelu", "", MAP, opset=20, approximate="tanh"), "approximate=tanh"),
    (case("LogSoftmax", "", MAP, axis=1), "axis=1"),
    (case("Gemm", "", X((2, 4)), weight(4, 3), alpha=0.5), "alpha=0.5"),
    (case("CumSum", "", MAP, np.asarray(1), reverse=1), "reverse=1"),
    (case("Mod", "", MAP, MAP, fmod=1), "fmod=1"),
    (case("PRelu", "", MAP, weight(8)), "slopes of 8"),
    (case("RNN", "", ROWS, *CELL, hidden_size=3, activations=["Relu"]), "activations=Relu"),
    (case("RNN", "", ROWS, *CELL, None, ints(3, 5), hidden_size=3), "sequence_lens"),
    (case("GRU", "", ROWS, *GATES, hidden_size=3), "linear_before_reset=0"),
    (case("Resize", "", MAP, None, None, ints(1, 6, 4, 4)), "coordinate_transformation_mode"),
    (case("Resize", "", MAP, None, SCALES, mode="linear"), "scales, which differ"),
)
USUALLY = (
    case("HardSigmoid", "", MAP, alpha=1 / 6),
    case("PRelu", "", MAP, weight(6, 1, 1)),
    case("RNN", "", ROWS, *CELL, hidden_size=3, activations=["Tanh"]),
    case("GRU", "", ROWS, *GATES, hidden_size=3, linear_before_reset=1),
    case("Resize", "", MAP, None, None, ints(1, 6, 4, 4), mode="linear"),
    case("Resize", "", MAP, None, None, ints(1, 6, 4, 4), nearest_mode="round_prefer_ceil"),
)


@pytest.mark.parametrize(("use", "said"), ONNX, ids=[use.id for use, _ in ONNX])
def test_attribute_of_a_file(use: Any, said: str, tmp_path: Path) -> None:
    report = api.analyze(saved(use.proto(), tmp_path), batch=use.inputs[0].shape[0]).report
    assert len(unkept(report)) == 1
    assert unkept(report)[0].startswith(said)
    assert f"cannot be written to ONNX: the graph does not keep its {said}" in refused(report)


@pytest.mark.parametrize("use", USUALLY, ids=lambda use: use.id)
def test_attributes_that_are_usual(use: Any, tmp_path: Path) -> None:
    report = api.analyze(saved(use.proto(), tmp_path), batch=use.inputs[0].shape[0]).report
    assert unkept(report) == []
