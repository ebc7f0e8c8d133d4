"""``export --to onnx``: the file that other commands take, and what is refused."""

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
