"""``--accuracy FILE``: results of the user, as errors or as accuracies."""

import csv
import io
from pathlib import Path

import pytest

from tests.cli.commandline import Cnnstat


def written(folder: Path, text: str) -> str:
    path = folder / "own.csv"
    path.write_text(text, encoding="utf-8")
    return str(path)


def compared(cnnstat: Cnnstat, *args: str) -> list[dict[str, str]]:
    result = cnnstat("compare", *args, "-f", "csv", "--bare")
    assert (result.code, result.err) == (0, "")
    return list(csv.DictReader(io.StringIO(result.out)))


def test_errors_of_the_user_take_the_place_of_published_ones(
    cnnstat: Cnnstat, tmp_path: Path
) -> None:
    path = written(tmp_path, "model,top1_error,top5_error,source\nvgg-16,25.25,,run 7\n")
    own, published = compared(cnnstat, "vgg16", "resnet50", "--accuracy", path)
    assert (own["top1_error"], own["top5_error"], own["error_source"]) == ("25.25", "", "run 7")
    assert published["top1_error"] == "22.85"
    assert "top1_accuracy" not in own


@pytest.mark.parametrize("head", ["top1_accuracy", "Top-1 accuracy, %", "top1 acc", "top1"])
def test_accuracies_are_shown_as_such(cnnstat: Cnnstat, tmp_path: Path, head: str) -> None:
    path = written(tmp_path, f'model,"{head}"\nvgg16,74.6\n')
    own, published = compared(cnnstat, "vgg16", "resnet50", "--accuracy", path)
    assert own["top1_accuracy"] == "74.6"
    assert published["top1_accuracy"] == "77.15"  # 100 - 22.85
    assert "top1_error" not in own
    table = cnnstat("compare", "vgg16", "--accuracy", path, "-f", "md").out
    assert "Top-1 accuracy, %" in table
    assert "Top-1 %" not in table


def test_models_that_are_not_compared_are_named(cnnstat: Cnnstat, tmp_path: Path) -> None:
    path = written(tmp_path, "model,top1_error\nvgg16,25\nmodel.py:Net,30\n")
    result = cnnstat("compare", "vgg16", "--accuracy", path)
    assert result.code == 0
    assert result.err == f"cnnstat: {path}: not among the models: model.py:Net\n"


def test_columns_without_anything_are_left_out(cnnstat: Cnnstat) -> None:
    (row,) = compared(cnnstat, "resnet50", "--input", "160")  # nothing is published on it
    assert not {key for key in row if "error" in key or "accuracy" in key}
    header = cnnstat("compare", "resnet50", "--input", "160", "-c", "all", "-f", "csv").out
    assert "top1_error,top5_error,top1_accuracy" in header


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no rows"),
        ("top1_error\n3\n", "expected the header"),
        ("model\nvgg16\n", "expected the header"),
        ("model,top1_error,top5_accuracy\n", "expected the header"),
        ("model,top1_error,top1_error\n", "expected the header"),
        ("model,topp1_error\n", "did you mean top1_error"),
        ("model,top1_error\nvgg16\n", "row 2: 1 cells, the header has 2"),
        ("model,top1_error\nvgg16,many\n", "row 2: top1_error is 'many'"),
        ("model,top1_error\nvgg16,101\n", "expected 0 to 100"),
        ("model,top1_error\nvgg16,nan\n", "expected 0 to 100"),
        ("model,top1_error\nvgg16,0.25\n", "expected percent"),
        ("model;top1_error\nvgg16;25\n", "separate them by commas"),
        ("model,top1_error,top5_error\nvgg16,25,26\n", "row 2: the top-5 error is larger"),
        ("model,top1_accuracy,top5_accuracy\nvgg16,75,74\n", "row 2: the top-5 error is larger"),
        ("model,top1_error\nvgg16,25\nVGG-16,26\n", "name each model once"),
        ("model,top1_error\n,25\n", "name each model once"),
        ('model,top1_error\n"vgg16,25\n', "not a CSV file"),
    ],
)
def test_a_bad_file(cnnstat: Cnnstat, tmp_path: Path, text: str, said: str) -> None:
    result = cnnstat("compare", "vgg16", "--accuracy", written(tmp_path, text))
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert said in result.err


def test_a_file_that_cannot_be_read(cnnstat: Cnnstat, tmp_path: Path) -> None:
    assert cnnstat("compare", "vgg16", "--accuracy", str(tmp_path / "no.csv")).code == 2
    (tmp_path / "own.csv").write_bytes(b"\xff\xfe\x00")
    assert cnnstat("compare", "vgg16", "--accuracy", str(tmp_path / "own.csv")).code == 2
    assert cnnstat("compare", "vgg16", "--accuracy", str(tmp_path)).code == 2
