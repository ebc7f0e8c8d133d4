"""ONNX files that are none, or mean nothing: one line for the user, never a traceback."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnstat import api
from cnnstat.errors import CnnstatError, ModelError, ShapeError, UsageError
from cnnstat.importers.onnx.wire import WireError, without_weights
from tests.importers.onnx_models import X, model, node, saved

SAMPLE = Path(__file__).parents[2] / "samples" / "tiny.onnx"
IMAGE = X((1, 3, 8, 8))


def test_input_that_does_not_fit_names_the_node() -> None:
    with pytest.raises(ShapeError, match=r"tiny.onnx: .*\(Conv\) cannot take 1x3x28x28: channels"):
        api.analyze(str(SAMPLE), input=(3, 28, 28))


@pytest.mark.parametrize("opset", [1, 6])
def test_opset_too_old(opset: int, tmp_path: Path) -> None:
    proto = model([node("Relu", "x", "y")], {"x": IMAGE}, ["y"], opset=9)
    proto.opset_import[0].version = opset
    with pytest.raises(ModelError, match=f"opset {opset} is too old, 7 and later are read"):
        api.analyze(saved(proto, tmp_path))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"hello, I am no model at all\n", "not a complete ONNX model"),
        (b"\x08\x08", "it has no operators or no opset"),
        (b"\x08" + b"\xff" * 12, "a number that is too long"),
        (b"\x3a\x7f", "within a field that goes on"),
    ],
)
def test_files_that_are_no_models(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=said):
        api.analyze(str(path))


def test_missing_file() -> None:
    with pytest.raises(UsageError, match=r"cannot read nowhere.onnx: No such file"):
        api.analyze("nowhere.onnx")


def test_attributes_that_mean_nothing(tmp_path: Path) -> None:
    nodes = [node("Transpose", "x", "y", "turn", perm=[0, 1, 5, 2])]
    with pytest.raises(ShapeError, match=r"turn \(Transpose\) cannot take 1x3x8x8: perm"):
        api.analyze(saved(model(nodes, {"x": IMAGE}, ["y"]), tmp_path))


def test_graphs_nested_without_end(tmp_path: Path) -> None:
    inner = b"x" * 5000  # long enough to be looked into
    for _ in range(100):  # node (1) / attribute (5) / graph (6)
        for number in (6, 5, 1):
            inner = bytes([number << 3 | 2]) + _length(len(inner)) + inner
    with pytest.raises(WireError, match="nested more than 64 deep"):
        without_weights(memoryview(b"\x3a" + _length(len(inner)) + inner))


def _length(count: int) -> bytes:
    lengths = []
    while count > 0x7F:
        lengths.append(count & 0x7F | 0x80)
        count >>= 7
    return bytes([*lengths, count])


def test_cut_off_anywhere_is_an_error_of_the_user(tmp_path: Path) -> None:
    whole = SAMPLE.read_bytes()
    path = tmp_path / "cut.onnx"
    for end in range(0, len(whole), 97):
        path.write_bytes(whole[:end])
        with pytest.raises(ModelError):
            api.analyze(str(path))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_changed_bytes_never_crash(data: st.DataObject) -> None:
    whole = bytearray(SAMPLE.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "changed.onnx"
        path.write_bytes(whole)
        try:
            api.analyze(str(path))
        except CnnstatError as error:
            assert "\n" not in str(error)  # noqa: PT017 - most changes do no harm
