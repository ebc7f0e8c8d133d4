"""``export --to onnx``: the file that other commands take, and what is refused."""

import json
from pathlib import Path

import pytest

from tests.cli.commandline import Cnnstat


def test_writes_a_file_that_the_other_commands_take(cnnstat: Cnnstat, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    assert cnnstat("export", "lenet5", "-o", str(path)) == (0, "", "")
    assert path.stat().st_size > 4 * 60_000
    found = cnnstat("summary", str(path), "--format", "json")
    assert found.code == 0
    assert '"params": 60000' in found.out


def test_leaves_the_weights_out(cnnstat: Cnnstat, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    assert cnnstat("export", "vgg16", "--weights", "none", "-o", str(path)).code == 0
    assert path.stat().st_size < 20_000
    assert '"params": 138357544' in cnnstat("summary", str(path), "--format", "json").out


SPEC = """
input: 3x16x16
layers:
- {Conv2d: [8, 3, 1, 1]}
- {GroupNorm: 2}
- {Nonlinearity: SiLU}
- {Interpolate: {output_size: 20, mode: bicubic}}
- {Reduce: {kind: mean, axes: [2]}, name: rows}
- {View: {kind: transpose, results: [{shape: [1, 20, 8]}]}}
- {Recurrent: {kind: LSTM, hidden: 6, directions: 2}, name: lstm}
- {RMSNorm: 1, from: lstm}
"""


def test_writes_what_a_spec_file_has_beyond_the_zoo(cnnstat: Cnnstat, tmp_path: Path) -> None:
    spec, path = tmp_path / "net.yaml", tmp_path / "net.onnx"
    spec.write_text(SPEC)
    assert cnnstat("export", str(spec), "-o", str(path)) == (0, "", "")
    totals = [
        json.loads(cnnstat("summary", str(file), "--format", "json").out)["totals"]
        for file in (spec, path)
    ]
    assert totals[0]["params"] == (3 * 9 + 1) * 8 + 2 * 8 + 2 * 24 * (8 + 6 + 2) + 12
    assert [totals[1][key] for key in ("params", "macs", "buffers")] == [
        totals[0][key] for key in ("params", "macs", "buffers")
    ]


def test_refuses_what_the_graph_does_not_tell(cnnstat: Cnnstat, tmp_path: Path) -> None:
    spec, path = tmp_path / "net.yaml", tmp_path / "net.onnx"
    spec.write_text("name: net\ninput: 3x8x8\nlayers:\n- {Pointwise: mul, name: scale}\n")
    code, out, err = cnnstat("export", str(spec), "-o", str(path))
    assert (code, out) == (3, "")
    assert "net: scale: the operator Mul cannot be written to ONNX: the number that its" in err
    assert err.count("\n") == 1
    assert not path.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--to", "onnx"), "onnx is no text: name a file with -o"),
        (("--to", "yaml", "--weights", "none"), "--weights is for ONNX files: yaml holds none"),
        (("-o", "x.onnx", "--weights", "nil"), "unknown weights 'nil'"),
    ],
)
def test_refuses(arguments: tuple[str, ...], said: str, cnnstat: Cnnstat) -> None:
    code, out, err = cnnstat("export", "lenet5", *arguments)
    assert (code, out) == (2, "")
    assert said in err


def test_a_file_that_is_no_model(cnnstat: Cnnstat, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"\x08\x08nonsense")
    code, out, err = cnnstat("summary", str(path))
    assert (code, out) == (3, "")
    assert "this is no whole ONNX model" in err
    assert err.count("\n") == 1
