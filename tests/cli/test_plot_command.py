"""``cnnstat plot`` through the real command line."""

import json
import sys
from pathlib import Path

import pytest

from tests.cli.commandline import Cnnstat

STARTS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


@pytest.mark.parametrize("suffix", STARTS)
@pytest.mark.parametrize(
    "args",
    [
        ["bubble", "alexnet", "resnet50"],
        ["layers", "lenet5"],
        ["memory", "lenet5", "--mode", "training"],
        ["scaling", "resnet18", "-i", "64,96"],
    ],
    ids=lambda args: args[0],
)
def test_a_picture_is_what_its_suffix_says(
    cnnstat: Cnnstat, tmp_path: Path, args: list[str], suffix: str
) -> None:
    path = tmp_path / f"picture.{suffix}"
    assert cnnstat("plot", *args, "-o", str(path)) == (0, "", "")
    assert path.read_bytes().startswith(STARTS[suffix])
    assert list(tmp_path.iterdir()) == [path]


def test_a_model_without_a_rate_is_named(cnnstat: Cnnstat, tmp_path: Path) -> None:
    path = str(tmp_path / "a.svg")
    result = cnnstat("plot", "bubble", "-o", path)
    assert (result.code, result.out) == (0, "")
    assert result.err == "cnnstat: left out, no published top-1 error: googlenet\n"
    result = cnnstat("plot", "bubble", "googlenet", "vgg16", "--top5", "-o", path)
    assert result == (0, "", "")


def test_sizes_that_a_model_cannot_take_are_named(cnnstat: Cnnstat, tmp_path: Path) -> None:
    result = cnnstat("plot", "scaling", "lenet5", "-o", str(tmp_path / "a.png"))
    assert result == (0, "", "cnnstat: left out, lenet5 cannot take: 16x16, 24x24\n")


def test_options_reach_the_picture(cnnstat: Cnnstat, tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    cnnstat("plot", "layers", "resnet50", "--depth", "1", "-i", "128", "-b", "2", "-o", str(path))
    text = path.read_text()
    assert "<!-- resnet50, input 2x3x128x128 -->" in text
    assert "<!-- conv2_1 -->" in text
    assert "1x1_expand" not in text


@pytest.fixture
def result(tmp_path: Path) -> Path:
    run = {
        "model": "resnet18",
        "device": "cpu",
        "dtype": "float32",
        "batch": 1,
        "mode": "inference",
        "input_shape": [1, 3, 224, 224],
        "channels_last": False,
        "compiled": False,
        "cuda_graph": False,
        "tf32": None,
        "threads": 2,
        "macs": 1_814_073_344,
        "flops": None,
        "traffic_bytes": 10**8,
        "macs_per_byte": 18.1,
        "param_bytes": 1,
        "predicted_activation_bytes": 1,
        "gmacs_per_s": 40.0,
    }
    matmul = {"float32": {"rows": 2048, "macs_per_s": 1e11}}
    reference = {"copy": {"block_bytes": 1, "bytes_per_s": 1e10}, "matmul": matmul}
    environment = {
        "device_type": "cpu",
        "device_name": "A processor",
        "threads": 2,
        "reference": reference,
    }
    path = tmp_path / "results.json"
    document = {"schema": "cnnstat.bench/1", "environment": environment, "runs": [run]}
    path.write_text(json.dumps(document))
    return path


def test_a_roofline_of_a_saved_result(cnnstat: Cnnstat, result: Path, tmp_path: Path) -> None:
    path = tmp_path / "roof.svg"
    assert cnnstat("plot", "roofline", str(result), "-o", str(path)) == (0, "", "")
    text = path.read_text()
    assert "<!-- resnet18 -->" in text
    assert "<!-- bound, float32: 100.00 GMACs/s, 10.00 GB/s -->" in text
    assert "<!-- A processor, 2 threads -->" in text


def test_a_result_of_another_schema(cnnstat: Cnnstat, result: Path, tmp_path: Path) -> None:
    result.write_text('{"schema": "cnnstat.summary/1"}')
    outcome = cnnstat("plot", "roofline", str(result), "-o", str(tmp_path / "a.png"))
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert "schema 'cnnstat.summary/1', expected 'cnnstat.bench/1'" in outcome.err


@pytest.mark.parametrize(
    ("args", "parts"),
    [
        ([], ["Missing command"]),
        (["bubbel"], ["unknown plot 'bubbel'", "bubble"]),
        (["bubble"], ["--output"]),
        (["bubble", "vgg17", "-o", "{tmp}/a.png"], ["unknown model 'vgg17'", "vgg16"]),
        (["bubble", "handson-cnn", "-o", "{tmp}/a.png"], ["nothing to plot", "top-1"]),
        (["layers", "vgg16", "-o", "{tmp}/a.jpg"], ["unknown suffix '.jpg'", ".svg, .png, .pdf"]),
        (["layers", "vgg16", "-o", "{tmp}/a"], ["no suffix", ".svg, .png, .pdf"]),
        (["layers", "vgg16", "-o", "{tmp}/none/a.png"], ["cannot write", "no folder"]),
        (["layers", "vgg16", "-o", "{tmp}/folder.png"], ["cannot write", "it is a folder"]),
        (["layers", "vgg16", "--depth", "0", "-o", "{tmp}/a.png"], ["depth must be at least 1"]),
        (["scaling", "vgg16", "-i", "224", "-o", "{tmp}/a.png"], ["two or more input sizes"]),
        (["scaling", "vgg16", "-i", "224,x", "-o", "{tmp}/a.png"], ["input 'x'"]),
        (["roofline", "{tmp}/none.json", "-o", "{tmp}/a.png"], ["cannot read"]),
        (["roofline", "samples/tiny.yaml", "-o", "{tmp}/a.png"], ["not a JSON file"]),
    ],
)
def test_a_mistake_is_one_line(
    cnnstat: Cnnstat, tmp_path: Path, args: list[str], parts: list[str]
) -> None:
    (tmp_path / "folder.png").mkdir()
    outcome = cnnstat("plot", *(arg.replace("{tmp}", str(tmp_path)) for arg in args))
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.count("\n") == 1
    for part in parts:
        assert part in outcome.err
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


@pytest.mark.parametrize("kind", ["bubble", "layers vgg16", "scaling vgg16", "roofline none.json"])
def test_without_matplotlib_the_extra_is_named(
    cnnstat: Cnnstat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    outcome = cnnstat("plot", *kind.split(), "-o", str(tmp_path / "a.png"))
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == (
        "cnnstat: error: this needs matplotlib, which is not installed: "
        "pip install matplotlib (the extra 'plot' of cnnstat)\n"
    )
