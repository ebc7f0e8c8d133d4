"""``cnnstat roofline``, the columns of a bound in ``summary``, and the plot of a model's layers."""

import json
from pathlib import Path

import pytest

from tests.cli.commandline import Cnnstat

RATES = ("--peak", "4TFLOPS", "--bandwidth", "50GB/s")


def test_the_parts_add_up(cnnstat: Cnnstat) -> None:
    status, out, _ = cnnstat("roofline", "resnet18", "--device", "h100-sxm", "-f", "json")
    result = json.loads(out)
    totals, layers = result["totals"], result["layers"]
    assert (status, result["schema"], result["status"]) == (0, "cnnstat.roofline/1", "complete")
    assert totals["bound_ms"] == pytest.approx(sum(layer["bound_ms"] for layer in layers))
    parts = totals["compute_bound_ms"] + totals["memory_bound_ms"]
    assert totals["bound_ms"] == pytest.approx(parts)
    assert sum(layer["share"] for layer in layers) == pytest.approx(1)
    assert result["peak_flops_per_s"] == 66.9e12
    assert result["device"]["source"]


def test_half_the_bytes_and_another_peak_in_float16(cnnstat: Cnnstat) -> None:
    command = ("roofline", "vgg16", "--device", "h100-sxm", "-f", "json")
    whole, half = (json.loads(cnnstat(*command, "--dtype", d)[1]) for d in ("float32", "float16"))
    assert half["peak_flops_per_s"] == 989.4e12
    assert 2 * half["totals"]["traffic_bytes"] == whole["totals"]["traffic_bytes"]


def test_the_largest_bound_first(cnnstat: Cnnstat) -> None:
    out = cnnstat("roofline", "lenet5", *RATES, "--sort", "bound_ms", "--top", "2", "-f", "csv")[1]
    assert [line.split(",")[0] for line in out.splitlines()[1:3]] == ["C5", "F6"]


def test_summary_has_the_same_bound(cnnstat: Cnnstat) -> None:
    rows = cnnstat("summary", "lenet5", *RATES, "-c", "layer,bound_ms", "-f", "csv")[1]
    own = dict(line.split(",") for line in rows.splitlines()[1:])
    result = json.loads(cnnstat("roofline", "lenet5", *RATES, "-f", "json")[1])
    for layer in result["layers"]:
        assert float(own[layer["name"]]) == pytest.approx(layer["bound_ms"])


@pytest.mark.parametrize("view", ["--expand", "--depth=1", ""])
def test_bounds_add_up_in_every_view(cnnstat: Cnnstat, view: str) -> None:
    command = ("summary", "googlenet", *RATES, "-c", "layer,bound_ms", "-f", "csv", view)
    lines = cnnstat(*filter(None, command))[1].splitlines()[1:]
    cells = dict(line.rsplit(",", 1) for line in lines)
    result = json.loads(cnnstat("roofline", "googlenet", *RATES, "-f", "json")[1])
    rows = [float(cell) for name, cell in cells.items() if name != "total"]
    assert sum(rows) == pytest.approx(result["totals"]["bound_ms"])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("roofline lenet5 --device h100", "unknown device 'h100': did you mean h100-sxm"),
        ("roofline lenet5 --peak 4 --bandwidth 50GB/s", "peak '4': expected a number and a unit"),
        ("roofline lenet5 --peak 4TFLOPS", "a bound needs --device NAME"),
        ("roofline lenet5", "a bound needs --device NAME"),
        ("roofline lenet5 --device t4 --dtype bfloat16", "t4: no peak for bfloat16"),
        ("roofline lenet5 --device t4 --sort bound", "unknown column 'bound': did you mean"),
        ("roofline lenet5 --devices samples/devices.toml", "choose one with --device: my-board"),
        ("roofline lenet5 --device x --devices none.toml", "cannot read none.toml"),
        ("summary lenet5 -c layer,bound_ms", "column bound_ms: add --device NAME"),
        ("summary lenet5 --sort bound-ms", "column bound_ms: add --device NAME"),
        ("summary lenet5 -c layer,training_macs", "column training_macs: add --mode training"),
        ("summary lenet5 --images 5", "only training has epochs; add --mode training"),
        ("summary lenet5 --mode train", "unknown mode 'train': did you mean training?"),
        ("plot roofline lenet5 --device h100 -o {tmp}/a.png", "unknown device 'h100'"),
    ],
)
def test_bad_input_is_one_line(cnnstat: Cnnstat, tmp_path: Path, line: str, message: str) -> None:
    status, out, err = cnnstat(*line.format(tmp=tmp_path).split())
    assert (status, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_device_of_a_file(cnnstat: Cnnstat) -> None:
    command = ("roofline", "lenet5", "--device", "my-board", "--devices", "samples/devices.toml")
    status, out, _ = cnnstat(*command)
    assert status == 0
    assert "An accelerator of 4 TOPS" in out


def test_a_dot_a_layer(cnnstat: Cnnstat, tmp_path: Path) -> None:
    path = tmp_path / "roofline.svg"
    assert cnnstat("plot", "roofline", "vgg16", *RATES, "-o", str(path)) == (0, "", "")
    text = path.read_text()
    assert "compute-bound layers: 1" in text
    assert "conv1_2" in text
