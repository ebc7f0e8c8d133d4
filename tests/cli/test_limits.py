"""``--limit``: what does not meet one is a line on standard error, and exit code 1."""

import json
from pathlib import Path

import pytest

from tests.cli.commandline import Cnnstat

VGG16_PARAMS = 138_357_544
UNKNOWN = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)

    def forward(self, image):
        return torch.linalg.matrix_exp(self.conv(image))
"""


@pytest.fixture
def partial(tmp_path: Path) -> str:
    """A module with 8 * 30 * 30 * 27 = 194,400 multiply-accumulates, and work that is unknown."""
    (tmp_path / "net.py").write_text(UNKNOWN, encoding="utf-8")
    return f"{tmp_path / 'net.py'}:Net"


def test_a_model_within_its_limits(cnnstat: Cnnstat) -> None:
    plain = cnnstat("summary", "mobilenet")
    within = cnnstat("summary", "mobilenet", "--limit", "params < 5M", "--limit", "macs < 600M")
    assert within == plain
    assert within.code == 0


def test_each_limit_that_is_exceeded_is_a_line(cnnstat: Cnnstat) -> None:
    limits = ("--limit", "params < 5M", "--limit", "depth < 20", "--limit", "macs < 600M")
    result = cnnstat("summary", "vgg16", *limits)
    assert result.code == 1
    assert result.out == cnnstat("summary", "vgg16").out
    assert result.err.splitlines() == [
        f"cnnstat: vgg16: params (={VGG16_PARAMS:,}) does not meet the limit 'params < 5M'",
        "cnnstat: vgg16: macs (=15,470,264,320) does not meet the limit 'macs < 600M'",
    ]


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        (f"params == {VGG16_PARAMS}", 0),
        (f"params < {VGG16_PARAMS}", 1),
        ("params < 5M or macs < 16G", 0),
        ("not params < 5M", 0),
        ("macs / params < 111", 1),  # 15,470,264,320 / 138,357,544 = 111.8
        ("param_bytes <= 528MiB", 0),  # 4 * 138,357,544 bytes are 527.8 MiB
        ("param_bytes <= 528MB", 1),
        ("receptive_field > 200", 0),  # 212
        ("counted < 16G", 0),
    ],
)
def test_the_grammar_is_that_of_a_sweep(cnnstat: Cnnstat, limit: str, code: int) -> None:
    assert cnnstat("summary", "vgg16", "--limit", limit).code == code


def test_the_convention_counts(cnnstat: Cnnstat) -> None:
    # 2 FLOPs per multiply-accumulate: 2 * 15,470,264,320
    limit = ("--limit", "counted <= 30_940_528_640".replace("_", ""))
    assert cnnstat("summary", "vgg16", "--convention", "torch", *limit).code == 0
    assert cnnstat("summary", "vgg16", "--convention", "flops", *limit).code == 1


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("summary", "vgg16", "--limit", "parms < 5M"), "did you mean params"),
        (("summary", "vgg16", "--limit", "median_ms < 5"), "unknown figure 'median_ms'"),
        (("memory", "vgg16", "--limit", "total_byte < 5M"), "did you mean total_bytes"),
        (("compare", "vgg16", "--limit", "params_ratio < 2"), "needs --baseline MODEL or --diff"),
        (("bench", "--from", "no.json", "--limit", "slowdown < 2"), "needs --baseline FILE"),
        (("summary", "vgg16", "--limit", "params"), "makes no comparison"),
        (("summary", "vgg16", "--limit", ""), "condition ''"),
        (("summary", "vgg16", "--limit", "params < 5MM"), "unknown unit 'MM'"),
        (("compare", "vgg16", "--limit", "params < 'a'"), "joins"),
    ],
)
def test_a_bad_limit(cnnstat: Cnnstat, args: tuple[str, ...], said: str) -> None:
    result = cnnstat(*args)
    assert result.code == 2
    assert said in result.err
    assert result.err.count("\n") == 1


def test_a_lower_bound_cannot_be_said_to_meet_a_limit(cnnstat: Cnnstat, partial: str) -> None:
    below = cnnstat("summary", partial, "-i", "32", "--limit", "macs < 600M")
    assert below.code == 1
    assert "macs (>=194,400) cannot be shown to meet the limit 'macs < 600M'" in below.err
    assert "operators without a rule" in below.err
    above = cnnstat("summary", partial, "-i", "32", "--limit", "macs < 194400")
    assert "macs (>=194,400) does not meet the limit" in above.err
    assert cnnstat("summary", partial, "-i", "32", "--limit", "macs >= 194400").code == 0
    # parameters are known: 8 * 27 + 8
    assert cnnstat("summary", partial, "-i", "32", "--limit", "params == 224").code == 0


def test_memory_of_a_partial_model(cnnstat: Cnnstat, partial: str) -> None:
    fits = cnnstat("memory", partial, "-i", "32", "--fit", "1GiB")
    assert fits.code == 1
    assert "may not fit into 1 GiB" in fits.err
    total = cnnstat("memory", partial, "-i", "32", "--limit", "total_bytes < 1GiB")
    assert "cannot be shown to meet" in total.err
    assert cnnstat("memory", partial, "-i", "32", "--limit", "param_bytes == 896").code == 0


def test_a_batch_that_does_not_fit(cnnstat: Cnnstat) -> None:
    args = ("memory", "resnet50", "--mode", "training", "--fit", "2GiB", "-f", "json")
    largest = json.loads(cnnstat(*args).out)["fits"][0]["batch"]
    assert cnnstat(*args, "--batch", str(largest)).code == 0
    over = cnnstat(*args, "--batch", str(largest + 1))
    assert over.code == 1
    total = json.loads(over.out)["totals"]["total_bytes"]
    assert over.err == (
        f"cnnstat: resnet50: batch {largest + 1} needs {total:,} bytes and does not fit into "
        f"2 GiB ({2 * 1024**3:,} bytes)\n"
    )


def test_every_compared_model_has_to_meet_a_limit(cnnstat: Cnnstat) -> None:
    result = cnnstat("compare", "vgg16", "resnet50", "alexnet", "--limit", "params < 50M")
    assert result.code == 1
    assert [line.split(":")[1] for line in result.err.splitlines()] == [" vgg16", " alexnet"]


def test_a_diff_limits_the_second_model(cnnstat: Cnnstat) -> None:
    # 4,089,184,256 / 3,857,973,248 = 1.0599
    args = ("compare", "resnet50", "resnet50-v1.5", "--diff", "--limit")
    assert cnnstat(*args, "macs_ratio < 1.06 and params_ratio == 1").code == 0
    result = cnnstat(*args, "macs_ratio < 1.05")
    assert result.code == 1
    assert result.err.startswith("cnnstat: resnet50-v1.5: macs_ratio (=1.05993)")
    assert cnnstat(*args, "macs > 4G").code == 0


def test_a_slowdown_of_a_saved_result(cnnstat: Cnnstat, tmp_path: Path) -> None:
    saved = "samples/bench/cpu-1-thread.json"
    content = json.loads(Path(saved).read_text(encoding="utf-8"))
    first = content["runs"][0]
    first["median_ms"] *= 1.25
    lost = content["runs"].pop()
    slower = tmp_path / "slower.json"
    slower.write_text(json.dumps(content), encoding="utf-8")
    args = ("--limit", "slowdown < 1.1")
    result = cnnstat("bench", "--from", str(slower), "--baseline", saved, *args)
    assert result.code == 1
    assert result.err.count("\n") == 1
    assert f"{first['model']} float32" in result.err
    assert "slowdown (=1.25) does not meet the limit 'slowdown < 1.1'" in result.err
    unknown = cnnstat("bench", "--from", saved, "--baseline", str(slower), *args)
    assert unknown.code == 1
    assert f"{lost['model']} float32 batch {lost['batch']}" in unknown.err
    assert "slowdown (=?) cannot be shown to meet" in unknown.err
    assert cnnstat("bench", "--from", saved, "--baseline", saved, *args).code == 0


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("1 < 2", "limit '1 < 2' names no figure: write one as 'params < 5M'"),
        ("params < 5MB", "params counts no bytes: write 5M, not 5MB"),
        ("macs/params < 5 and depth < 1KiB", "macs, params, depth counts no bytes"),
        ("parms < 5", "unknown figure 'parms': did you mean params"),
    ],
)
def test_limits_that_mean_nothing(cnnstat: Cnnstat, limit: str, message: str) -> None:
    result = cnnstat("summary", "lenet5", "--limit", limit)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


def test_figures_of_training_and_traffic(cnnstat: Cnnstat) -> None:
    macs, conv1 = 325_680, 28 * 28 * 6 * 25  # the first layer passes nothing back
    known = json.loads(cnnstat("summary", "lenet5", "--mode", "training", "-f", "json").out)
    totals = known["totals"]
    step = f"training_macs == {totals['training_macs']}"
    traffic = f"traffic_bytes <= {totals['traffic_bytes']}"
    met = cnnstat("summary", "lenet5", "--mode", "training", "--limit", step, "--limit", traffic)
    assert met.code == 0
    assert 2 * macs < totals["training_macs"] <= 3 * macs - conv1
    without = cnnstat("summary", "lenet5", "--limit", step)
    assert without.code == 1
    assert without.err.endswith("only training has it; add --mode training\n")


def test_every_total_of_the_json_can_be_limited(cnnstat: Cnnstat) -> None:
    result = cnnstat("summary", "lenet5", "--mode", "training", "-f", "json")
    totals = json.loads(result.out)["totals"]
    numbers = {key: value for key, value in totals.items() if isinstance(value, int)}
    limits = [word for key in numbers for word in ("--limit", f"{key} == {numbers[key]}")]
    assert cnnstat("summary", "lenet5", "--mode", "training", *limits).code == 0


def test_a_result_without_runs_meets_no_limit(cnnstat: Cnnstat, tmp_path: Path) -> None:
    saved = json.loads(Path("samples/bench/cpu-1-thread.json").read_text(encoding="utf-8"))
    path = tmp_path / "none.json"
    path.write_text(json.dumps({**saved, "runs": []}))
    result = cnnstat("bench", "--from", str(path), "--limit", "median_ms < 1")
    assert result.code == 1
    assert result.err == "cnnstat: no run: nothing meets the limit 'median_ms < 1'\n"


def _bench_file(folder: Path, **changes: object) -> str:
    """Return a saved result of one run with other values."""
    saved = json.loads(Path("samples/bench/cpu-1-thread.json").read_text(encoding="utf-8"))
    path = folder / f"{len(list(folder.iterdir()))}.json"
    path.write_text(json.dumps({**saved, "runs": [{**saved["runs"][0], **changes}]}))
    return str(path)


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({}, 0, ""),
        ({"median_ms": 1.0}, 1, "does not meet the limit 'slowdown < 1.1'"),
        ({"model": "another"}, 1, "the baseline has no time of this run"),
        ({"batch": 2}, 1, "the baseline has no time of this run"),
        ({"median_ms": None, "status": "out of memory"}, 1, "has no time of this run"),
        ({"median_ms": "fast"}, 2, "run 1: median_ms is 'fast'"),
        ({"layers": 5}, 2, "run 1: layers is 5"),
    ],
)
def test_slowdown_to_any_baseline(
    cnnstat: Cnnstat, tmp_path: Path, changes: dict[str, object], code: int, message: str
) -> None:
    new, old = _bench_file(tmp_path), _bench_file(tmp_path, **changes)
    limit = ("--baseline", old, "--limit", "slowdown < 1.1")
    result = cnnstat("bench", "--from", new, *limit)
    assert result.code == code
    assert message in result.err
