"""Models of several inputs: each by name, one value or many; rows equal ``summary``."""

import json
from pathlib import Path
from typing import Any

import pytest

import cnnstat as package
from cnnstat.api.inputs import FullSpec
from cnnstat.errors import UsageError
from cnnstat.ir.tensor import TensorSpec
from cnnstat.render.summary import TOTALS
from tests.cli.commandline import Cnnstat

FIGURES = tuple(key for key in TOTALS if key != "peak_layer")

SPEC = """\
inputs: {image: [3, 8, 8], mask: [1, 8, 8]}
parameters: {width: 4}
layers:
  - {name: a, Conv2d: {out_channels: $width, kernel: 3, bias: false}, from: image}
  - {name: b, Conv2d: {out_channels: $width, kernel: 3, bias: false}, from: mask}
  - {name: sum, Add: , from: [a, b]}
"""

MODULE = """\
from torch import nn

class Conditioned(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3)
        self.table = nn.Embedding(10, width)

    def forward(self, image, label):
        return self.conv(image).mean((2, 3)) + self.table(label)

class Pair(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3)

    def forward(self, x):
        return self.conv(x[0]), self.conv(x[1])
"""


@pytest.fixture
def module(tmp_path: Path) -> str:
    pytest.importorskip("torch")
    path = tmp_path / "nets.py"
    path.write_text(MODULE)
    return str(path)


def summary(cnnstat: Cnnstat, model: str, row: dict[str, Any]) -> dict[str, object]:
    inputs = [f"--input={name}={shape}" for name, shape in row["inputs"].items()]
    arguments = ("--args", json.dumps(row["parameters"]), "--batch", str(row["batch"]))
    result = cnnstat("summary", model, *inputs, *arguments, "-f", "json")
    assert result.code == 0, result.err
    totals = json.loads(result.out)["totals"]
    return {key: totals[key] for key in FIGURES}


def check(cnnstat: Cnnstat, model: str, *args: str, count: int) -> list[dict[str, Any]]:
    result = cnnstat("sweep", model, *args, "--columns", ",".join(FIGURES), "-f", "json")
    assert result.code == 0, result.err
    rows: list[dict[str, Any]] = json.loads(result.out)["models"]
    assert len(rows) == count
    for row in rows:
        assert row["status"] == "complete", row
        assert {key: row[key] for key in FIGURES} == summary(cnnstat, model, row)
    return rows


def test_a_module_of_an_image_and_a_label(module: str, cnnstat: Cnnstat) -> None:
    shapes = ("--input", "image=3x8x8,3x16x12", "--input", "label=int64:")
    rows = check(cnnstat, f"{module}:Conditioned", "width=4,8", *shapes, "-b", "3", count=4)
    assert [row["inputs"] for row in rows[:2]] == [
        {"image": "3x8x8", "label": "int64:"},
        {"image": "3x16x12", "label": "int64:"},
    ]
    assert [row["input"] for row in rows[:2]] == [[3, 8, 8], [3, 16, 12]]
    assert [row["macs"] for row in rows] == [
        3 * 6 * 6 * 27 * 4,
        3 * 14 * 10 * 27 * 4,
        3 * 6 * 6 * 27 * 8,
        3 * 14 * 10 * 27 * 8,
    ]


def test_an_option_is_an_axis(module: str, cnnstat: Cnnstat) -> None:
    model = f"{module}:Conditioned"
    option = cnnstat("sweep", model, "-i", "image=3x8x8,3x9x9", "-i", "label=int64:", "-f", "csv")
    axis = cnnstat("sweep", model, "input.image=3x8x8,3x9x9", "input.label=int64:", "-f", "csv")
    assert (option.code, option.out) == (0, axis.out)


def test_a_list_of_inputs(module: str, cnnstat: Cnnstat) -> None:
    shapes = ("--input", "x[0]=3x8x8,3x16x16", "--input", "x[1]=3x5x5")
    check(cnnstat, f"{module}:Pair", *shapes, count=2)
    large = cnnstat("sweep", f"{module}:Pair", *shapes, "--where", "input.x[0] > 8", "-f", "json")
    assert [row["inputs"]["x[0]"] for row in json.loads(large.out)["models"]] == ["3x16x16"]


def test_an_array_of_a_file(module: str, cnnstat: Cnnstat, tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    numpy.save(tmp_path / "label.npy", numpy.array([3, 1]))
    array = f"label=@{tmp_path / 'label.npy'}"
    check(cnnstat, f"{module}:Conditioned", "-b", "2", "-i", "image=3x8x8", "-i", array, count=1)


def test_a_spec_of_two_inputs(tmp_path: Path, cnnstat: Cnnstat) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(SPEC)
    shapes = ("input.image=3x8x8,3x16x16", "--input", "mask=1x8x8,1x16x16")
    rows = json.loads(cnnstat("sweep", str(path), "width=2", *shapes, "-f", "json").out)["models"]
    assert [row["status"] for row in rows] == ["complete", "failed", "failed", "complete"]
    assert rows[0]["macs"] == 6 * 6 * 9 * (3 + 1) * 2
    assert "6x6" in rows[1]["error"]


def test_names_in_conditions_and_orders(module: str, cnnstat: Cnnstat) -> None:
    model, label = f"{module}:Conditioned", "input.label=int64:"
    mixed = ("sweep", model, "input.image=3x8x8,3x12x12,3x8x6", label)
    assert cnnstat(*mixed, "--where", "input.image <= 12").code == 2  # 3x8x6 has no one side
    same = cnnstat(*mixed, "--where", "input.image == 12", "-f", "json")
    assert [row["input"] for row in json.loads(same.out)["models"]] == [[3, 12, 12]]
    squares = ("sweep", model, "input.image=3x8x8,3x12x12", label)
    largest = cnnstat(*squares, "--sort", "-input.image", "-f", "json")
    assert [row["position"] for row in json.loads(largest.out)["models"]] == [1, 0]


def test_files_have_a_column_of_each_input(module: str, cnnstat: Cnnstat, tmp_path: Path) -> None:
    space = (f"{module}:Conditioned", "input.image=3x8x8,3x12x12", "input.label=int64:")
    csv, part = tmp_path / "space.csv", tmp_path / "half.csv"
    assert cnnstat("sweep", *space, "-o", str(csv)).code == 0
    header, first, second = csv.read_text().splitlines()
    names = header.split(",")
    assert names[2:5] == ["input.image", "input.label", "input"]
    assert second.split(",")[2:5] == ["3x12x12", "int64:", "3x12x12"]
    part.write_text(f"{header}\n{first}\n{second[:9]}")
    assert cnnstat("sweep", *space, "--resume", str(part)).code == 0
    assert part.read_bytes() == csv.read_bytes()


def test_in_python(module: str) -> None:
    model = f"{module}:Conditioned"
    one = package.sweep(
        model, {"width": [4]}, input={"image": (3, 8, 8), "label": TensorSpec((), "int64")}
    )
    assert one.rows[0]["macs"] == 6 * 6 * 27 * 4
    assert one.rows[0]["inputs"] == {"image": "3x8x8", "label": "int64:"}
    shapes: dict[str, Any] = {
        "input.image": [(3, 8, 8), "3x16x16"],
        "input.label": [FullSpec((2,), "int64")],
    }
    many = package.sweep(model, {**shapes, "batch": [2]})
    assert [row["macs"] for row in many.rows] == [2 * 6 * 6 * 27 * 8, 2 * 14 * 14 * 27 * 8]
    assert many.rows[0]["inputs"] == {"image": "3x8x8", "label": "int64:!2"}
    plain = package.sweep("wrn-10-1", {}, input=(3, 40, 40))
    assert plain.rows[0]["input"] == [3, 40, 40]
    with pytest.raises(UsageError, match=r"input\.image is given twice"):
        package.sweep(model, shapes, input={"image": (3, 8, 8)})


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("-i", "image=3x8x8"), "unknown input 'image': choose from input"),
        (("-i", "32", "input=64"), "input is given twice: by --input and by input="),
        (("-i", "input=32", "input=64"), "input is given twice: as input= and by name as"),
        (("-i", "input=3x0x8"), "shape 3x0x8: every extent must be at least 1, got 0"),
        (("-i", "input=in64:3x8x8"), "unknown dtype 'in64': did you mean int64"),
        (("-i", "input=@none.npy"), "cannot read none.npy: No such file or directory"),
        (("-i", "=3x8x8"), "--input '=3x8x8': write several inputs as name=3x224x224"),
        (("-i", "a=8", "-i", "a=9"), "each name once"),
    ],
)
def test_wrong_inputs(args: tuple[str, ...], message: str, cnnstat: Cnnstat) -> None:
    result = cnnstat("sweep", "wrn-10-1", *args)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


def test_the_extent_of_a_vector_is_a_number(tmp_path: Path, cnnstat: Cnnstat) -> None:
    path = tmp_path / "mlp.yaml"
    path.write_text("input: [16]\nlayers:\n  - {Linear: {out_features: 4}}\n")
    result = cnnstat("sweep", str(path), "input=8,16", "--where", "input > 8", "-f", "json")
    assert [row["macs"] for row in json.loads(result.out)["models"]] == [16 * 4]
