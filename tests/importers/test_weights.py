"""Files of weights alone: what names tell, and what stays unknown."""

import json
import struct
from pathlib import Path

import pytest

from cnnstat import api
from cnnstat.errors import CnnstatError, ModelError, UsageError

HEADER = {
    "__metadata__": {"format": "pt"},
    "stem.conv.weight": {"dtype": "F32", "shape": [8, 3, 3, 3], "data_offsets": [0, 864]},
    "stem.conv.bias": {"dtype": "F32", "shape": [8], "data_offsets": [864, 896]},
    "stem.bn.running_mean": {"dtype": "F32", "shape": [8], "data_offsets": [896, 928]},
    "stem.bn.num_batches_tracked": {"dtype": "I64", "shape": [], "data_offsets": [928, 936]},
    "table.index": {"dtype": "I64", "shape": [4, 4], "data_offsets": [936, 1064]},
    "scale": {"dtype": "BF16", "shape": [5], "data_offsets": [1064, 1074]},
}


def write(path: Path, header: object) -> str:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    return str(path)


def test_parameters_by_tensor_name(tmp_path: Path) -> None:
    report = api.analyze(write(tmp_path / "net.safetensors", HEADER)).report
    rows = {row.name: (row.weights, row.biases, row.buffers) for row in report.layers}
    assert rows == {
        "stem/conv": (8 * 3 * 3 * 3, 8, 0),
        "stem/bn": (0, 0, 8),
        "table": (0, 0, 4 * 4),
        "scale": (5, 0, 0),
    }
    assert report.totals.param_bytes == 4 * (216 + 8) + 2 * 5
    assert report.status == report.shapes_status == "partial"
    assert all(row.macs is None for row in report.layers)
    assert [note.code for note in report.notes] == ["weights_alone"]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ([], "no object"),
        ({"a": {"dtype": "F99", "shape": [1]}}, "'a' is malformed"),
        ({"a": {"dtype": "F32", "shape": [-1]}}, "'a' is malformed"),
        ({"a": {"dtype": "F32", "shape": [2**40, 2**40]}}, "more elements"),
        ({"a": 5}, "'a' is malformed"),
        ({"a": {"dtype": "F32", "shape": [10**15] * 200_000}}, "200000 axes"),
        ({".".join("a" * 30_000): {"dtype": "F32", "shape": [1]}}, "59999"),
        ({}, "no tensors"),
    ],
)
def test_malformed_headers_are_one_line(header: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=message):
        api.analyze(write(tmp_path / "net.safetensors", header))


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 8, b"\x10" + bytes(7) + b"{", b"\x02" + bytes(9)]
)
def test_other_files_are_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    path.write_bytes(content)
    with pytest.raises(CnnstatError):
        api.load(str(path))


def test_it_takes_no_input(tmp_path: Path) -> None:
    path = write(tmp_path / "net.safetensors", HEADER)
    with pytest.raises(UsageError, match="takes no input"):
        api.analyze(path, input=(3, 8, 8))
