"""``export``: files that other commands take, and what is refused in one line."""

import builtins
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commandline import Cnnstat

SPEC = """
input: 3x16x16
layers:
- {Conv2d: [8, 3, 1, 1]}
- {GroupNorm: 2}
- {Nonlinearity: SiLU}
- {Interpolate: {output_size: 20, mode: bicubic}}
- {Reduce: {kind: mean, axes: [2]}, name: rows}
- {Recurrent: {kind: LSTM, hidden: 6, directions: 2}, name: lstm}
- {RMSNorm: 1, from: lstm}
"""


def test_onnx_file_of_a_spec_is_taken_by_the_other_commands(
    cnnstat: Cnnstat, tmp_path: Path
) -> None:
    spec, path = tmp_path / "net.yaml", tmp_path / "net.onnx"
    spec.write_text(SPEC)
    assert cnnstat("export", str(spec), "-o", str(path)) == (0, "", "")
    totals = [
        json.loads(cnnstat("summary", str(file), "--format", "json").out)["totals"]
        for file in (spec, path)
    ]
    assert totals[0]["params"] == (3 * 9 + 1) * 8 + 2 * 8 + 2 * 24 * (20 + 6 + 2) + 12
    assert [totals[1][key] for key in ("params", "macs", "buffers")] == [
        totals[0][key] for key in ("params", "macs", "buffers")
    ]
    assert [each.name for each in tmp_path.iterdir() if each.suffix == ".part"] == []


SAMPLE = str(Path(__file__).parents[2] / "samples" / "tiny.onnx")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((SAMPLE, "-o", "FILE"), "tiny.onnx: an ONNX or Keras file can be exported to yaml"),
        (("lenet5", "--to", "onnx"), "an ONNX file is binary: name a file with -o"),
        (("lenet5", "-o", "FILE", "--opset", "3"), "opset 3: PyTorch writes the opsets 18 to 23"),
        (("lenet5", "--to", "yaml", "--opset", "18"), "--opset is for ONNX files, not for yaml"),
        (("lenet5", "-o", "/nowhere/net.onnx"), "cannot write /nowhere/net.onnx: there is no"),
        (("lenet5", "-o", "net.onxx"), "unknown export format 'onxx': did you mean onnx?"),
    ],
)
def test_bad_options_are_refused_before_anything_is_written(
    arguments: tuple[str, ...], said: str, cnnstat: Cnnstat, tmp_path: Path
) -> None:
    path = tmp_path / "net.onnx"
    code, out, err = cnnstat("export", *[str(path) if a == "FILE" else a for a in arguments])
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_without_the_exporter_the_extra_is_named(
    cnnstat: Cnnstat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "onnxscript"]:
        monkeypatch.delitem(sys.modules, name)
    real = builtins.__import__

    def without(name: str, *arguments: Any, **named: Any) -> Any:
        if name.partition(".")[0] == "onnxscript":
            raise ModuleNotFoundError(f"No module named {name!r}")
        return real(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    code, _, err = cnnstat("export", "lenet5", "-o", str(tmp_path / "net.onnx"))
    assert code == 2
    assert "this needs onnxscript, which is not installed" in err
    assert "pip install onnx onnxscript (the extra 'onnx' of cnnstat)" in err


def test_module_that_pytorch_cannot_export_leaves_the_old_file(
    cnnstat: Cnnstat, tmp_path: Path
) -> None:
    (tmp_path / "net.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def forward(self, x):\n"
        "        return x if x.sum() > 0 else -x\n"
    )
    path = tmp_path / "net.onnx"
    path.write_bytes(b"old")
    code, out, err = cnnstat("export", f"{tmp_path}/net.py:Net", "-i", "4", "-o", str(path))
    assert (code, out) == (3, "")
    assert "net.py:Net cannot be written to ONNX: GuardOnDataDependentSymNode: Could not" in err
    assert err.count("\n") == 1
    assert path.read_bytes() == b"old"


LAZY = """
from torch import nn


def net():
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.LazyLinear(5))
"""


def test_lazy_module_has_the_shapes_of_the_input(cnnstat: Cnnstat, tmp_path: Path) -> None:
    (tmp_path / "lazy.py").write_text(LAZY)
    path = tmp_path / "net.onnx"
    export = ("export", f"{tmp_path}/lazy.py:net", "-o", str(path), "-i")
    assert cnnstat(*export, "3x6x7") == (0, "", "")
    totals = json.loads(cnnstat("summary", str(path), "--format", "json").out)["totals"]
    assert totals["params"] == (3 * 9 + 1) * 8 + (8 * 4 * 5 + 1) * 5
    path.unlink()
    code, out, err = cnnstat(*export, "4x6x7")
    assert (code, out, err.count("\n"), path.exists()) == (3, "", 1, False)
    assert "lazy.py:net: 0 (Conv2d) cannot take 1x4x6x7" in err


def test_fixed_batch_is_said(cnnstat: Cnnstat, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def forward(self, x):\n"
        "        return x.reshape(1, 2, 6)\n"
    )
    path = tmp_path / "net.onnx"
    code, _, err = cnnstat("export", f"{tmp_path}/net.py:Net", "-i", "3x2x2", "-o", str(path))
    assert code == 0
    assert "its batch is fixed in the file, since it cannot be free" in err
    assert path.stat().st_size > 0
