"""Every row of a sweep is what ``summary --format json`` says of that model, to the unit."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from cnnstat.api.sweeping import SweepResult, sweep
from cnnstat.render.summary import TOTALS
from tests.cli.commandline import Cnnstat

FIGURES = tuple(key for key in TOTALS if key != "peak_layer")
COLUMNS = ",".join(FIGURES)

SPACES: dict[str, tuple[str, dict[str, str], int]] = {
    "WRN": (
        "wrn-{depth}-{width}",
        {"depth": "range(10,59,6)", "width": "range(1,17)", "input": "32,48,64", "batch": "1,8"},
        80,
    ),
    "ResNet CIFAR": (
        "resnet{depth}-cifar",
        {
            "depth": "range(8,111,6)",
            "classes": "10,100",
            "input": "32,64",
            "dtype": "float16,float32",
        },
        70,
    ),
    "DenseNet-BC": (
        "densenet-bc{depth}-{growth}-cifar",
        {"depth": "range(10,101,6)", "growth": "range(4,41)", "input": "32,64"},
        70,
    ),
    "MobileNet": (
        "mobilenet-{alpha}",
        {"alpha": "range(0.25,2.01,0.125)", "input": "range(96,321,32)"},
        80,
    ),
}
"""Reference, values and how many points are drawn: 300 in all."""


def check(result: SweepResult, cnnstat: Cnnstat, arguments: bool = False) -> None:
    """Compare each row with the summary of its model."""
    assert result.rows
    for row in result.rows:
        assert row["status"] == "complete"
        shape = row["input"]
        assert isinstance(shape, list)
        options = ["--input", "x".join(map(str, shape)), "--batch", str(row["batch"])]
        options += ["--dtype", str(row["dtype"])]
        if "classes" in row:
            options += ["--classes", str(row["classes"])]
        if arguments:
            options += ["--args", json.dumps(row["parameters"])]
        summary = cnnstat("summary", str(row["model"]), *options, "-f", "json")
        assert summary.code == 0, summary.err
        totals = json.loads(summary.out)["totals"]
        assert {key: row[key] for key in FIGURES} == {key: totals[key] for key in FIGURES}


@pytest.mark.parametrize("family", SPACES)
def test_drawn_points_of_a_family(family: str, cnnstat: Cnnstat) -> None:
    reference, values, count = SPACES[family]
    result = sweep(reference, values, columns=COLUMNS, sample=count, seed=len(family))
    assert result.counts.evaluated == len(result.rows) == count
    check(result, cnnstat)


def test_a_spec_file(cnnstat: Cnnstat) -> None:
    values = {"width": "16,24", "depth": "range(1,5)", "input": "64,96"}
    result = sweep("samples/scaled.yaml", values, columns=COLUMNS)
    assert len(result.rows) == 2 * 4 * 2
    check(result, cnnstat, arguments=True)


def test_a_python_module(cnnstat: Cnnstat) -> None:
    pytest.importorskip("torch")
    result = sweep(
        "samples/small_net.py:SmallNet", {"width": "8,12", "input": "32,40"}, columns=COLUMNS
    )
    assert len(result.rows) == 2 * 2
    check(result, cnnstat, arguments=True)


def by_model(rows: tuple[Mapping[str, object], ...]) -> dict[object, object]:
    return {row["model"]: row["training_bytes"] for row in rows}


def test_training_memory_is_that_of_the_command(cnnstat: Cnnstat) -> None:
    result = sweep(
        "wrn-{depth}-{width}",
        {"depth": "10,16", "width": "1,2", "batch": "4"},
        mode="training",
        optimizer="adam",
        columns="training_bytes,saved_bytes,gradient_bytes,optimizer_bytes",
    )
    for row in result.rows:
        command = ("memory", str(row["model"]), "--mode", "training", "--optimizer", "adam")
        totals = json.loads(cnnstat(*command, "--batch", "4", "-f", "json").out)["totals"]
        assert row["training_bytes"] == totals["total_bytes"]
        for key in ("saved_bytes", "gradient_bytes", "optimizer_bytes"):
            assert row[key] == totals[key]


def test_by_hand() -> None:
    """WRN-10-1: 3->16, three units of 16, 32, 64 maps, two projections, 64 -> 10."""
    rows = sweep("wrn-{depth}-{width}", {"depth": [10], "width": [1]}).rows
    units = 2 * 9 * 16 * 16 + 9 * (16 * 32 + 32 * 32) + 9 * (32 * 64 + 64 * 64)
    shortcuts = 16 * 32 + 32 * 64
    norms = 2 * (16 + 16 + 16 + 32 + 32 + 64 + 64)
    assert rows[0]["params"] == 9 * 3 * 16 + units + shortcuts + norms + 64 * 10 + 10


def test_the_spec_file_is_read_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "input: [3, 8, 8]\nparameters: {width: 4, out: $(2*width)}\n"
        "layers:\n  - {Conv2d: {out_channels: $out, kernel: 3}}\n"
    )
    rows = sweep(str(path), {"width": "4,5"}, columns="weights").rows
    assert [row["weights"] for row in rows] == [3 * 8 * 9, 3 * 10 * 9]
