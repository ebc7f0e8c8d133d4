"""Names of layers and inputs of a data file are data on every command: nothing of them runs."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from tests.cli.commandline import Cnnstat

RUNS = 'x=__import__("os").system("touch pwned")'
QUOTED = 'c" + str(__import__("os").system("touch pwned")) + "'
NAMES = (RUNS, QUOTED, "\x1b]0;title\x07\x1b[31mX", "class", "a\nb", "__class__", "")
COMMANDS = (
    ("summary", "FILE"),
    ("check", "FILE"),
    ("memory", "FILE"),
    ("explain", "FILE"),
    ("graph", "FILE"),
    ("export", "FILE", "-o", "out.yaml"),
)
RUNNING = (
    ("memory", "FILE", "--measure"),
    ("bench", "FILE", "--min-time", "0.001"),
    ("export", "FILE", "-o", "out.onnx"),
)
"""Commands that build the model and take a while."""
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f]")


def spec_file(layer: str, input: str) -> str:
    Path("net.yaml").write_text(
        f"inputs:\n  {json.dumps(input)}: {{shape: [3, 8, 8]}}\n"
        f"layers:\n  - name: {json.dumps(layer)}\n    Conv2d: [4, 3]\n"
    )
    return "net.yaml"


def onnx_file(layer: str, input: str) -> str:
    kind = TensorProto.FLOAT
    weight = helper.make_tensor("w", kind, [4, 3, 3, 3], [0.0] * 108)
    node = helper.make_node("Conv", [input or "x", "w"], ["y"], name=layer, kernel_shape=[3, 3])
    inputs = [helper.make_tensor_value_info(input or "x", kind, [1, 3, 8, 8])]
    outputs = [helper.make_tensor_value_info("y", kind, [1, 4, 6, 6])]
    graph = helper.make_graph([node], "net", inputs, outputs, [weight])
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), "net.onnx")
    return "net.onnx"


CASES = [
    *((command, name, write) for command in COMMANDS for name in NAMES
      for write in (spec_file, onnx_file)),
    *((command, QUOTED, spec_file) for command in RUNNING),
    (RUNNING[0], RUNS, onnx_file),
]  # fmt: skip


@pytest.mark.parametrize(("command", "name", "write"), CASES)
def test_name_is_data(
    command: tuple[str, ...],
    name: str,
    write: Callable[[str, str], str],
    cnnstat: Cnnstat,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for layer, entering in ((name, "x"), ("conv", name)):
        file = write(layer, entering)
        code, out, err = cnnstat(*[file if part == "FILE" else part for part in command])
        assert not Path("pwned").exists()
        assert code in (0, 2, 3)
        assert not RAW.search(out + err)
        assert not code or err.count("\n") == 1


def test_debug_shows_no_name_raw(
    cnnstat: Cnnstat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(
        'input: 3x8x8\nlayers:\n- {name: a, ReLU: {}, from: "\\e]0;t\\a"}\n'
    )
    code, _, err = cnnstat("--debug", "summary", "net.yaml")
    assert code == 3
    assert "Traceback" in err
    assert not RAW.search(err)
