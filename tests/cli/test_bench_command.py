"""``cnnstat bench`` through the real command line, on the processor and small models."""

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from cnnstat.bench.benchplan import Settings
from cnnstat.bench.measurement import Measurement, Run, payload
from cnnstat.pytorch.clock import Copy, Product
from tests.cli.commandline import Cnnstat

QUICK = ("--device", "cpu", "--threads", "1", "--min-time", "0", "--max-time", "2")
HERE: dict[str, object] = {"device_type": "cpu", "device_name": "a processor", "threads": 1}


@pytest.fixture(autouse=True)
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Say that the machine is idle, whatever else runs: a warning would be due."""
    monkeypatch.setattr("os.getloadavg", lambda: (0.0, 0.0, 0.0))


def _run(model: str = "lenet5", *, batch: int = 1, **known: Any) -> Run:
    return Run(
        **{
            **{"model": model, "device": "cpu", "dtype": "float32", "batch": batch},
            **{"mode": "inference", "input_shape": (batch, 1, 32, 32), "channels_last": False},
            **{"compiled": False, "cuda_graph": False, "tf32": None, "threads": 1},
            **{"macs": 300, "flops": 700, "traffic_bytes": 60, "macs_per_byte": 5.0},
            **{"param_bytes": 24, "predicted_activation_bytes": 12, "samples": 10},
            **{"median_ms": 4.0, "images_per_s": 250.0},
            **known,
        }
    )


def _saved(folder: Path, *runs: Run, **environment: object) -> str:
    path = folder / "old.json"
    path.write_text(json.dumps(payload(Measurement({**HERE, **environment}, runs))))
    return str(path)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Answer every measurement at once; return what was asked for and a place for the answer."""
    calls: list[Any] = []

    def measure(jobs: Any, settings: Settings, *, begin: Any, progress: Any) -> Measurement:
        calls.append((jobs, settings))
        begin(HERE)
        for place, job in enumerate(jobs):
            if progress is not None:
                progress(place, len(jobs), job)
        runs = tuple(
            _run(job.model, batch=job.report.input.shape[0], input_shape=job.report.input.shape)
            for job in jobs
        )
        return Measurement(HERE, runs)

    monkeypatch.setattr("cnnstat.pytorch.bench.measure", measure)
    return calls


def test_a_small_model_is_measured_and_shown(cnnstat: Cnnstat) -> None:
    result = cnnstat("bench", "lenet5-modern", *QUICK, "--verbose")
    assert (result.code, result.err) == (0, "")
    assert "Median" in result.out
    assert "lenet5-modern" in result.out
    assert "matrix product float32" in result.out
    assert "threads: 1" in result.out


@pytest.fixture
def known_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the device's rates as known: only models are timed."""
    clock = "cnnstat.pytorch.clock"
    monkeypatch.setattr(f"{clock}.product_rate", lambda device, dtype: Product(1000, 1e9))
    monkeypatch.setattr(f"{clock}.copy_rate", lambda device: Copy(1000, 1e9))


@pytest.mark.usefixtures("known_rates")
def test_the_json_form_holds_the_contract(cnnstat: Cnnstat) -> None:
    code, out, _ = cnnstat(
        *("bench", "lenet5-modern", *QUICK, "--batch", "1,2", "--mode", "inference,training"),
        *("--format", "json"),
    )
    assert code == 0
    document = json.loads(out)
    assert document["schema"] == "cnnstat.bench/1"
    assert document["status"] == "complete"
    assert document["environment"]["device_type"] == "cpu"
    assert [(run["mode"], run["batch"]) for run in document["runs"]] == [
        ("inference", 1),
        ("inference", 2),
        ("training", 1),
        ("training", 2),
    ]
    for run in document["runs"]:
        assert run["status"] == "ok"
        assert run["p25_ms"] <= run["median_ms"] <= run["p75_ms"] <= run["p95_ms"]
        assert run["images_per_s"] == pytest.approx(1e3 * run["batch"] / run["median_ms"])


@pytest.mark.usefixtures("known_rates")
def test_layers_have_a_row_each(cnnstat: Cnnstat) -> None:
    code, out, _ = cnnstat("bench", "lenet5-modern", *QUICK, "--layers", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert [row["layer"] for row in rows][:2] == ["C1", "S2"]
    assert sum(float(row["share"]) for row in rows) == pytest.approx(1)


@pytest.mark.usefixtures("measured")
def test_without_a_model_the_line_up_of_imagenet(cnnstat: Cnnstat, measured: list[Any]) -> None:
    code, out, err = cnnstat("bench", "--device", "cpu", "--format", "csv")
    assert (code, err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out)))
    names = [row["model"] for row in rows]
    assert {"alexnet", "vgg16", "googlenet", "resnet50", "densenet121"} <= set(names)
    jobs, settings = measured[0]
    assert [job.model for job in jobs] == names
    assert len(names) * settings.max_time <= 60  # and as long to build and warm up: two minutes


def test_options_reach_the_measurement(cnnstat: Cnnstat, measured: list[Any]) -> None:
    code, _, _ = cnnstat(
        *("bench", "resnet18", "--device", "cuda:1", "--batch", "1,8", "--dtype", "bfloat16"),
        *("--mode", "training", "--channels-last", "--compile", "--cuda-graph", "--no-tf32"),
        *("--threads", "3", "--min-time", "1", "--max-time", "9", "--input", "96"),
    )
    assert code == 0
    jobs, settings = measured[0]
    assert settings == Settings(
        device="cuda:1",
        channels_last=True,
        compiled=True,
        cuda_graph=True,
        tf32=False,
        threads=3,
        min_time=1,
        max_time=9,
    )
    assert [(job.report.input.shape, job.dtype, job.mode) for job in jobs] == [
        ((1, 3, 96, 96), "bfloat16", "training"),
        ((8, 3, 96, 96), "bfloat16", "training"),
    ]


def test_a_ratio_to_an_earlier_result(
    cnnstat: Cnnstat, measured: list[Any], tmp_path: Path
) -> None:
    old = _saved(tmp_path, _run(median_ms=8.0))
    code, out, err = cnnstat("bench", "lenet5", "--batch", "1,2", "--baseline", old)
    assert (code, err) == (0, "")
    assert "0.5x" in out
    assert "1 of 2 runs are not in the baseline" in out


def test_another_device_is_refused_before_anything_runs_unless_told(
    cnnstat: Cnnstat, measured: list[Any], tmp_path: Path
) -> None:
    old = _saved(tmp_path, _run(median_ms=8.0), device_name="another")
    code, out, err = cnnstat("bench", "lenet5", "--baseline", old)
    assert (code, out) == (2, "")
    assert "measured on another device (device name another, here a processor)" in err
    code, out, _ = cnnstat("bench", "lenet5", "--baseline", old, "--other-device")
    assert code == 0
    assert "0.5x" in out


def test_an_earlier_result_is_shown_without_pytorch(
    cnnstat: Cnnstat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    old = _saved(tmp_path, _run(), _run(batch=8, median_ms=16.0), torch="2.13")
    result = cnnstat("bench", "--from", old, "--format", "md")
    assert (result.code, result.err) == (0, "")
    assert "| lenet5 | 8 | float32 | inference | 16 |" in result.out


def test_an_interrupt_prints_what_is_done_and_exits_130(
    cnnstat: Cnnstat, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(jobs: Any, settings: Settings, **_: Any) -> Measurement:
        return Measurement(HERE, (_run(),), complete=False)

    monkeypatch.setattr("cnnstat.pytorch.bench.measure", measure)
    result = cnnstat("bench", "lenet5", "alexnet", "--device", "cpu")
    assert result.code == 130
    assert "interrupted" in result.out
    assert "250" in result.out


def test_runs_out_of_memory_are_rows_and_an_error_only_where_nothing_ran(
    cnnstat: Cnnstat, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = _run(batch=512, status="out of memory", median_ms=None, images_per_s=None, samples=0)
    runs: tuple[Run, ...] = (_run(), lost)

    def measure(jobs: Any, settings: Settings, **_: Any) -> Measurement:
        return Measurement(HERE, runs)

    monkeypatch.setattr("cnnstat.pytorch.bench.measure", measure)
    result = cnnstat("bench", "lenet5", "--batch", "1,512")
    assert result.code == 0
    assert "out of memory" in result.out
    runs = (lost,)
    result = cnnstat("bench", "lenet5", "--batch", "512")
    assert result.code == 3
    assert "out of memory" in result.out
    assert result.err == "cnnstat: error: no run could be measured; the result says why\n"


@pytest.mark.usefixtures("measured")
def test_progress_goes_to_a_terminal_on_standard_error_alone(
    cnnstat: Cnnstat, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = cnnstat("bench", "lenet5", "--format", "json")
    assert quiet.err == ""
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr("cnnstat.cli.progress.DELAY_S", 0.0)
    shown = cnnstat("bench", "lenet5", "--format", "json")
    assert shown.out == quiet.out
    assert "lenet5 float32 batch 1 inference" in terminal.getvalue()


MISTAKES = [
    (["lenet5", "--device", "tpu"], 2, "unknown device 'tpu'"),
    (["lenet5", "--device", "cuda:99"], 2, "device cuda:99: not on this machine; available:"),
    (["lenet5", "--dtype", "float31"], 2, "unknown dtype 'float31': did you mean float32"),
    (["lenet5", "--dtype", "int8"], 2, "dtype int8: weights and activations need a floating"),
    (["lenet5", "--dtype", "float8_e5m2", "--device", "cpu"], 2, "cpu cannot compute in it"),
    (["lenet5", "--batch", "0"], 2, "batch must be at least 1, got 0"),
    (["lenet5", "--batch", "1,x"], 2, "batch '1,x': expected whole numbers, as in 1,8,32"),
    (["lenet5", "--batch", ""], 2, "batch '': expected one or more values"),
    (["lenet5", "--mode", "trainign"], 2, "unknown mode 'trainign': did you mean training"),
    (["lenet6"], 2, "unknown model 'lenet6': did you mean lenet"),
    (["lenet5", "--input", "3"], 3, "lenet5: C1 (Conv2d 5x5) cannot take 1x1x3x3"),
    (["lenet5", "--device", "cpu", "--cuda-graph"], 2, "--cuda-graph needs a CUDA device"),
    (["lenet5", "--device", "cpu", "--threads", "0"], 2, "threads must be 1 to 1,024, got 0"),
    (["lenet5", "--device", "cpu", "--min-time", "9", "--max-time", "1"], 2, "min-time 9"),
    (["lenet5", "--layers", "--compile"], 2, "not with --compile or --cuda-graph"),
    (["lenet5", "--format", "jsn"], 2, "unknown format 'jsn'"),
    (["lenet5", "--baseline", "no.json"], 2, "cannot read no.json: No such file"),
    (["lenet5", "--from", "no.json"], 2, "--from no.json shows a saved result"),
    (["--from", "no.json"], 2, "cannot read no.json: No such file"),
]


@pytest.mark.parametrize(("args", "code", "message"), MISTAKES, ids=lambda value: str(value))
def test_bad_input_is_one_line(cnnstat: Cnnstat, args: list[str], code: int, message: str) -> None:
    result = cnnstat("bench", *args)
    assert (result.code, result.out) == (code, "")
    assert result.err.startswith("cnnstat: error: ")
    assert result.err.count("\n") == 1
    assert message in result.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no json", "not a JSON file"),
        ("[]", "not a result of 'cnnstat bench --format json'"),
        ('{"schema": "cnnstat.summary/1"}', "expected 'cnnstat.bench/1'"),
        ('{"schema": "cnnstat.bench/1", "runs": []}', "'environment' must be an object"),
    ],
)
def test_a_baseline_that_is_none(cnnstat: Cnnstat, tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "old.json"
    path.write_text(text)
    result = cnnstat("bench", "lenet5", "--baseline", str(path))
    assert (result.code, result.out) == (2, "")
    assert message in result.err


def test_without_pytorch_the_extra_is_named(
    cnnstat: Cnnstat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    result = cnnstat("bench", "lenet5")
    assert (result.code, result.out) == (2, "")
    assert "pip install torch fvcore" in result.err


SAMPLES = Path(__file__).parents[2] / "samples" / "bench"


def test_the_samples_readme_is_what_cnnstat_makes_of_the_results(cnnstat: Cnnstat) -> None:
    results = sorted(SAMPLES.glob("*.json"))
    assert results
    shown = [cnnstat("bench", "--from", str(path), "--verbose", "-f", "md") for path in results]
    assert all((result.code, result.err) == (0, "") for result in shown)
    readme = (SAMPLES / "README.md").read_text(encoding="utf-8")
    assert readme == "\n".join(result.out for result in shown)


def test_a_busy_machine_is_warned_of(cnnstat: Cnnstat, monkeypatch: pytest.MonkeyPatch) -> None:
    args = ("bench", "lenet5", "--min-time", "0.01", "--bare", "-f", "csv")
    assert cnnstat(*args).err == ""
    monkeypatch.setattr("os.getloadavg", lambda: (1000.0, 0.0, 0.0))
    busy = cnnstat(*args)
    assert busy.code == 0
    assert "the load average was 1000.0 on" in busy.err
    assert busy.err.count("\n") == 1


@pytest.mark.usefixtures("known_rates")
def test_layers_of_a_module_of_ones_own_sorted_by_time(cnnstat: Cnnstat) -> None:
    model = ("samples/small_net.py:SmallNet", "--input", "32")
    code, out, _ = cnnstat(
        *("bench", *model, *QUICK, "--layers", "--sort", "median-ms", "--format", "json")
    )
    assert code == 0
    (run,) = json.loads(out)["runs"]
    rows = [row["name"] for row in run["layers"]]
    _, out, _ = cnnstat("summary", *model, "--format", "json")
    layers = {row["name"] for row in json.loads(out)["layers"]}
    assert layers - set(rows) == {"input", "words/weight"}  # nothing runs there
    assert set(rows) < layers
    times = [row["median_ms"] for row in run["layers"]]
    assert times == sorted(times, reverse=True)
    assert run["layers_ms"] == pytest.approx(sum(times))


def test_a_saved_result_sorts_its_runs_or_its_layers(cnnstat: Cnnstat, tmp_path: Path) -> None:
    saved = _saved(tmp_path, _run(median_ms=4.0), _run("alexnet", median_ms=8.0))
    code, out, _ = cnnstat("bench", "--from", saved, "--sort", "median_ms", "--format", "csv")
    assert code == 0
    assert [row["model"] for row in csv.DictReader(io.StringIO(out))] == ["alexnet", "lenet5"]
    code, out, err = cnnstat("bench", "--from", saved, "--sort", "share")
    assert (code, out) == (2, "")
    assert "unknown column 'share'" in err


def test_an_unknown_column_is_refused_before_anything_runs(
    cnnstat: Cnnstat, measured: list[Any]
) -> None:
    code, out, err = cnnstat("bench", "lenet5", "--layers", "--sort", "medain_ms")
    assert (code, out, measured) == (2, "", [])
    assert err == "cnnstat: error: unknown column 'medain_ms': did you mean median_ms?\n"
