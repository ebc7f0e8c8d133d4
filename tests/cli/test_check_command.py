"""``cnnstat check``: agreement, differences, formats and bad input, by the real command line."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cnnstat.ir.op import Specs
from cnnstat.ir.work import Work
from cnnstat.ops import BatchNorm2d, Conv2d
from tests.cli.commandline import Cnnstat


def test_agreement_is_exit_0(cnnstat: Cnnstat) -> None:
    result = cnnstat("check", "lenet5", "alexnet")
    assert (result.code, result.err) == (0, "")
    assert "2 models checked: everything agrees" in result.out
    assert "1,135,256,096" in result.out


def test_json_holds_both_counters_and_what_fvcore_leaves_out(cnnstat: Cnnstat) -> None:
    result = cnnstat("check", "vgg11", "--format", "json")
    payload = json.loads(result.out)
    (model,) = payload["models"]
    assert payload["schema"] == "cnnstat.check/1"
    assert (model["name"], model["agree"], model["differences"]) == ("vgg11", True, [])
    # VGG-11, MACs of its layers: 3x3 kernels on 224, 112, 56, 28 and 14, then three matrices.
    convolutions = 9 * (
        224 * 224 * 3 * 64
        + 112 * 112 * 64 * 128
        + 56 * 56 * (128 * 256 + 256 * 256)
        + 28 * 28 * (256 * 512 + 512 * 512)
        + 14 * 14 * 2 * 512 * 512
    )
    macs = convolutions + 7 * 7 * 512 * 4096 + 4096 * 4096 + 4096 * 1000
    assert model["counters"]["fvcore"]["counted"] == macs
    assert model["counters"]["torch"] == {"computed": 2 * macs, "counted": 2 * macs}
    assert model["counters"]["fvcore"]["left_out"] == {"aten::max_pool2d": 5, "aten::softmax": 1}


def wrong(rule: Callable[[Conv2d, Specs, Specs], Work]) -> Callable[[Conv2d, Specs, Specs], Work]:
    """One MAC too many in the layers with 384 maps."""

    def work(op: Conv2d, inputs: Specs, outputs: Specs) -> Work:
        right = rule(op, inputs, outputs)
        return right._replace(macs=right.macs + (op.out_channels == 384))

    return work


def test_a_wrong_rule_is_exit_1_and_names_the_layers(
    cnnstat: Cnnstat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Conv2d, "work", wrong(Conv2d.work))
    result = cnnstat("check", "alexnet")
    assert result.code == 1
    assert "1 of 1 models differ" in result.out
    # conv3 is 13x13 positions of 384 kernels of 3x3x256: 149,520,384 MACs.
    right = 13 * 13 * 384 * 3 * 3 * 256
    assert (
        f"conv3 (Conv2d): flops: {2 * (right + 1):,} by cnnstat, {2 * right:,} by torch"
        in result.out
    )
    assert f"conv3 (Conv2d): flops: {right + 1:,} by cnnstat, {right:,} by fvcore" in result.out
    assert "conv4 (Conv2d)" in result.out
    assert "conv1 (Conv2d)" not in result.out
    assert "total: flops" in result.out


def test_a_wrong_rule_in_json(cnnstat: Cnnstat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Conv2d, "work", wrong(Conv2d.work))
    result = cnnstat("check", "lenet5", "alexnet", "-f", "json")
    lenet, alexnet = json.loads(result.out)["models"]
    assert result.code == 1
    assert (lenet["agree"], alexnet["agree"]) == (True, False)
    assert {row["name"] for row in alexnet["differences"]} == {"conv3", "conv4", "total"}
    assert {row["quantity"] for row in alexnet["differences"]} == {"flops"}


def test_a_wrong_weight_names_the_layer(cnnstat: Cnnstat, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = BatchNorm2d.weights
    monkeypatch.setattr(BatchNorm2d, "weights", lambda op, inputs: rule(op, inputs)[:2])
    result = cnnstat("check", "resnet18")
    assert result.code == 1
    assert "conv1/bn (BatchNorm2d): params: bias 64, weight 64 by cnnstat" in result.out


OWN = """
import torch
from torch import nn
from torch.nn import functional


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 16, 4, 4)
        self.norm = nn.BatchNorm1d(16)
        self.encoder = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.unused = nn.Linear(2, 3)

    def forward(self, x):
        y = self.first(x).flatten(2)
        y = self.encoder(self.norm(y).transpose(1, 2))
        return self.head(y.mean(1))

    def head(self, y):
        return y


class Asking(Attention):
    def forward(self, x):
        return super().forward(x) if x.sum() < 1e9 else x

    def head(self, y):  # weights of a module that does not run here
        return functional.linear(y, self.encoder.linear2.weight.t())
"""


@pytest.mark.parametrize("name", ["Attention", "Asking"])
def test_a_module_of_ones_own_by_its_sums(cnnstat: Cnnstat, tmp_path: Path, name: str) -> None:
    path = tmp_path / "own.py"
    path.write_text(OWN)
    result = cnnstat("check", f"{path}:{name}", "--input", "3x32x32", "-f", "json")
    (model,) = json.loads(result.out)["models"]
    assert (result.code, model["differences"]) == (0, [])
    # 64 positions: patches of 4x4x3; queries, keys, values and output; two heads; two layers.
    macs = 64 * (48 * 16 + 4 * 16 * 16 + 2 * 64 * 16 + 2 * 16 * 32)
    macs += 16 * 32 if name == "Asking" else 0
    assert model["counters"]["torch"] == {"computed": 2 * macs, "counted": 2 * macs}
    assert model["counters"]["fvcore"]["counted"] is None
    assert "fvcore is not used, because it traces modules with real tensors" in (
        cnnstat("check", f"{path}:{name}", "--input", "3x32x32").out
    )


def test_a_wrong_rule_names_the_module_that_calls(
    cnnstat: Cnnstat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "own.py"
    path.write_text(OWN.replace("16", "384"))
    monkeypatch.setattr(Conv2d, "work", wrong(Conv2d.work))
    result = cnnstat("summary", f"{path}:Attention", "--input", "3x32x32", "--check")
    right = 2 * 64 * 48 * 384
    assert result.code == 1
    assert f"first: flops: {right + 2:,} by cnnstat, {right:,} by torch" in result.out
    assert "total: flops" in result.out
    assert "encoder" not in result.out.partition("Other counters")[2].partition("\n\n")[0]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "name the models to check, or --all"),
        (("lenet5", "--all"), "name the models to check, or --all"),
        (("vgg61",), "unknown model 'vgg61'"),
        (("lenet5", "--format", "yml"), "unknown format 'yml'"),
        (("lenet5", "--batch", "0"), "batch must be at least 1"),
        (("lenet5", "--dtype", "float23"), "unknown dtype 'float23'"),
    ],
)
def test_bad_input_is_exit_2(cnnstat: Cnnstat, args: tuple[str, ...], message: str) -> None:
    result = cnnstat("check", *args)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


def test_an_input_that_does_not_fit_is_exit_3(cnnstat: Cnnstat) -> None:
    result = cnnstat("check", "vgg16", "--input", "10x10")
    assert (result.code, result.out) == (3, "")
    assert "pool4" in result.err


@pytest.mark.parametrize(("module", "what"), [("torch", "PyTorch"), ("fvcore.nn", "fvcore")])
def test_a_missing_library_is_exit_2_and_names_the_extra(
    cnnstat: Cnnstat, monkeypatch: pytest.MonkeyPatch, module: str, what: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    result = cnnstat("check", "lenet5")
    assert (result.code, result.out) == (2, "")
    assert f"this needs {what}, which is not installed: pip install torch fvcore" in (result.err)


CUSTOM = """
import torch
from torch import nn

if not hasattr(torch.ops.cnnstat_check, "odd"):
    torch.library.define("cnnstat_check::odd", "(Tensor x) -> Tensor")
    for key in ("CPU", "Meta"):
        torch.library.impl("cnnstat_check::odd", key)(lambda x: x.clone())


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x):
        return torch.ops.cnnstat_check.odd(self.conv(x))
"""


def test_an_operator_that_nobody_counts_agrees_with_nothing(
    cnnstat: Cnnstat, tmp_path: Path
) -> None:
    path = tmp_path / "custom.py"
    path.write_text(CUSTOM)
    result = cnnstat("check", f"{path}:Net", "--input", "3x8x8")
    assert result.code == 0
    assert "no differences, but 1 operator could not be counted" in result.out
    assert "odd" in result.out
    assert "not counted by cnnstat, so not compared" in result.out
    (model,) = json.loads(cnnstat("check", f"{path}:Net", "-i", "3x8x8", "-f", "json").out)[
        "models"
    ]
    assert (model["agree"], model["status"]) == (True, "partial")
    assert len(model["uncounted"]) == 1
    summary = cnnstat("summary", f"{path}:Net", "--input", "3x8x8", "--check")
    assert "counts agree for 2 operators" in summary.out
