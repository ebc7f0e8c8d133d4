"""``measure`` on small models: every figure from known samples and rates, and what goes wrong."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from cnnstat import api
from cnnstat.bench.benchplan import Job, Settings
from cnnstat.bench.measurement import Measurement, payload, read_payload
from cnnstat.bench.roofline import Mode, Rates, demands, total_bound
from cnnstat.errors import MissingDependencyError, UsageError
from cnnstat.pytorch import bench, clock, layertimes
from cnnstat.pytorch.bench import measure
from cnnstat.pytorch.build import build_module
from cnnstat.pytorch.clock import Samples
from cnnstat.pytorch.steps import Step, random_inputs

CPU = torch.device("cpu")
QUICK = Settings(device="cpu", threads=1, min_time=0.0, max_time=2.0)
SECONDS = (0.5, 0.25, 0.125, 0.5, 0.25)
RATES = Rates(macs_per_s=1e9, bytes_per_s=1e8)


def _job(name: str = "lenet5-modern", *, batch: int = 1, mode: Mode = "inference") -> Job:
    return Job(name, api.analyze(name, batch=batch).report, mode)


@pytest.fixture
def known_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    product = clock.Product(1000, RATES.macs_per_s)
    monkeypatch.setattr(clock, "product_rate", lambda device, dtype: product)
    monkeypatch.setattr(clock, "copy_rate", lambda device: clock.Copy(1000, RATES.bytes_per_s))


@pytest.fixture
def known_samples(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Run every step once, then say that it took ``SECONDS``; return what the steps gave."""
    results: list[object] = []

    def sample(step: Step, device: torch.device, **_: Any) -> Samples:
        results.append(step())
        return Samples(SECONDS, 3)

    monkeypatch.setattr(clock, "sample", sample)
    return results


@pytest.mark.usefixtures("known_rates", "known_samples")
def test_every_figure_of_a_run_follows_from_samples_and_rates() -> None:
    job = _job(batch=4)
    (run,) = measure([job], QUICK).runs
    assert (run.median_ms, run.p25_ms, run.p75_ms, run.min_ms) == (250, 250, 500, 125)
    assert (run.samples, run.warmup) == (5, 3)
    assert run.note == "5 samples within --max-time, fewer than 10"
    assert run.images_per_s == 4 / 0.25
    assert run.macs == job.report.totals.macs
    assert run.gmacs_per_s == pytest.approx(run.macs / 0.25 / 1e9)
    assert run.flops == job.report.totals.flops
    assert run.gflops_per_s == pytest.approx(run.flops / 0.25 / 1e9)
    assert run.share_of_matmul == pytest.approx(run.macs / 0.25 / 1e9)
    assert run.share_of_copy == pytest.approx(run.traffic_bytes / 0.25 / 1e8)
    least = total_bound(demands(job.report, mode="inference"), RATES)
    assert run.bound_ms == pytest.approx(1e3 * least.seconds)
    assert run.share_of_bound == pytest.approx(least.seconds / 0.25)
    assert run.bound_by == least.limit
    assert run.peak_memory_bytes is None
    assert run.param_bytes == job.report.totals.param_bytes


@pytest.mark.usefixtures("known_rates", "known_samples")
def test_training_counts_the_products_of_the_gradients_and_has_no_flops() -> None:
    inference, training = measure([_job(), _job(mode="training")], QUICK).runs
    conv1 = 6 * 28 * 28 * 5 * 5  # one input channel; its input has no gradient
    assert training.macs == 3 * inference.macs - conv1
    assert training.flops is None
    assert training.gflops_per_s is None
    assert training.predicted_activation_bytes > inference.predicted_activation_bytes


@pytest.mark.usefixtures("known_rates")
def test_inference_gives_scores_and_training_a_loss(known_samples: list[object]) -> None:
    measure([_job(batch=2), _job(batch=2, mode="training")], QUICK)
    scores, loss = known_samples
    assert isinstance(scores, torch.Tensor)
    assert isinstance(loss, torch.Tensor)
    assert (scores.shape, loss.shape) == ((2, 10), ())


@pytest.mark.usefixtures("known_rates", "known_samples")
def test_a_result_survives_its_json_form() -> None:
    measurement = measure([_job(), _job(mode="training")], QUICK)
    assert read_payload(payload(measurement), source="here") == measurement
    assert measurement.environment["reference"] == {
        "copy": {"block_bytes": 1000, "bytes_per_s": 1e8},
        "matmul": {"float32": {"rows": 1000, "macs_per_s": 1e9}},
    }


def _runs_with(errors: Iterator[BaseException | None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Make each run's sampling raise the next of ``errors``."""

    def sample(step: Step, device: torch.device, **_: Any) -> Samples:
        error = next(errors)
        if error is not None:
            raise error
        return Samples(SECONDS, 3)

    monkeypatch.setattr(clock, "sample", sample)


@pytest.mark.usefixtures("known_rates")
@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 2 TB"),
        MemoryError(),
    ],
)
def test_a_run_out_of_memory_says_so_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    _runs_with(iter([None, error, None]), monkeypatch)
    measurement = measure([_job(batch=n) for n in (1, 2, 4)], QUICK)
    assert [run.status for run in measurement.runs] == ["ok", "out of memory", "ok"]
    assert [run.batch for run in measurement.runs] == [1, 2, 4]
    assert measurement.runs[1].median_ms is None
    assert measurement.complete


@pytest.mark.usefixtures("known_rates")
def test_a_run_that_pytorch_refuses_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    _runs_with(iter([ValueError("Expected more than 1 value\nper channel"), None]), monkeypatch)
    measurement = measure([_job(), _job(batch=2)], QUICK)
    failed, fine = measurement.runs
    assert (failed.status, failed.note) == ("failed", "Expected more than 1 value")
    assert fine.status == "ok"


@pytest.mark.usefixtures("known_rates")
def test_an_interrupt_keeps_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    _runs_with(iter([None, KeyboardInterrupt()]), monkeypatch)
    threads = torch.get_num_threads()
    settings = Settings(device="cpu", threads=threads + 1)
    measurement = measure([_job(batch=n) for n in (1, 2, 4)], settings)
    assert [run.batch for run in measurement.runs] == [1]
    assert measurement.runs[0].threads == threads + 1
    assert not measurement.complete
    assert torch.get_num_threads() == threads


@pytest.mark.usefixtures("known_rates", "known_samples")
def test_a_module_is_built_once_for_all_its_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []

    def count(graph: Any, inputs: Any, **how: Any) -> nn.Module:
        built.append(graph.name)
        return build_module(graph, inputs, **how)

    monkeypatch.setattr(bench, "build_module", count)
    jobs = [_job(batch=1), _job(batch=2, mode="training"), _job("lenet5"), _job("lenet5")]
    places: list[tuple[int, int, str]] = []
    measure(jobs, QUICK, progress=lambda at, count, job: places.append((at, count, job.label)))
    assert built == ["lenet5-modern", "lenet5"]
    assert places[1] == (1, 4, "lenet5-modern float32 batch 2 training")


@pytest.mark.usefixtures("known_rates", "known_samples")
def test_compilation_is_static_and_anew_for_each_run(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []

    def compiled(module: nn.Module, **how: object) -> nn.Module:
        calls.append(how)
        return module

    monkeypatch.setattr(torch, "compile", compiled)
    monkeypatch.setattr(torch.compiler, "reset", lambda: calls.append("reset"))
    settings = replace(QUICK, compiled=True, channels_last=True)
    measurement = measure([_job(batch=1), _job(batch=2)], settings)
    assert calls == ["reset", {"dynamic": False}] * 2
    assert all(run.compiled and run.channels_last for run in measurement.runs)
    assert measurement.environment["compile"] == "inductor, default mode"


@pytest.mark.parametrize(
    ("settings", "mode", "message"),
    [
        (Settings(device="cpu", threads=0), "inference", "threads must be 1 to 1,024, got 0"),
        (Settings(device="cpu", min_time=3, max_time=2), "inference", "min-time 3 and max-time 2"),
        (Settings(device="cpu", min_time=-1), "inference", "min-time -1"),
        (Settings(device="cpu", min_time=0, max_time=0), "inference", "0 < max-time"),
        (Settings(device="cpu", layers=True), "training", "not with --mode training"),
        (Settings(device="cpu", layers=True, compiled=True), "inference", "one by one"),
        (Settings(device="cpu", cuda_graph=True), "inference", "--cuda-graph needs a CUDA device"),
        (Settings(device="cpu", tf32=True), "inference", "--tf32 needs a CUDA device, not cpu"),
        (Settings(device="tpu"), "inference", "unknown device 'tpu'"),
    ],
)
def test_settings_that_cannot_be_met_are_refused_before_anything_runs(
    settings: Settings, mode: Mode, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        measure([_job(mode=mode)], settings, progress=lambda *_: pytest.fail("something ran"))


def test_layers_are_the_rows_of_the_report_and_add_up() -> None:
    report = api.analyze("lenet5-modern").report
    module = build_module(report.shaped.graph, report.inputs)
    inputs = random_inputs(report.shaped, CPU, torch.float32, seed=0)
    rows = layertimes.layer_times(
        module, inputs, report, RATES, CPU, own=False, min_time=0, max_time=5
    )
    assert [row.name for row in rows] == [row.name for row in report.layers if row.inputs]
    assert [row.macs for row in rows] == [row.macs for row in report.layers if row.inputs]
    assert sum(row.share for row in rows) == pytest.approx(1)
    for row in rows:
        assert row.median_ms > 0
        assert row.gmacs_per_s == pytest.approx(row.macs / row.median_ms / 1e6)
        assert row.bound_ms == pytest.approx(
            1e3 * max(row.macs / RATES.macs_per_s, row.traffic_bytes / RATES.bytes_per_s)
        )
        assert row.share_of_bound == pytest.approx(row.bound_ms / row.median_ms)


def test_the_pass_that_is_timed_by_node_computes_what_the_module_does() -> None:
    from torch import fx

    from cnnstat.pytorch.build import forward_graph

    report = api.analyze("googlenet-aux", input=(3, 224, 224))
    with torch.device("meta"):
        module = build_module(report.shaped.graph, report.inputs, device="meta").eval()
    timed = layertimes.NodeClock(
        fx.GraphModule(module, forward_graph(report.shaped, form="inference")), CPU
    )
    seconds = timed.seconds((torch.empty(1, 3, 224, 224, device="meta"),))
    ran = {
        i for i, node in enumerate(report.shaped.nodes) if node.inputs and not node.training_only
    }
    assert set(seconds) == ran
    assert all(value >= 0 for value in seconds.values())


def test_a_real_measurement_of_a_small_model() -> None:
    measurement = measure([_job()], replace(QUICK, layers=True))
    (run,) = measurement.runs
    assert run.status == "ok"
    assert run.samples >= 10
    assert run.min_ms is not None
    assert run.median_ms is not None
    assert 0 < run.min_ms <= run.median_ms
    assert run.layers_ms == pytest.approx(sum(row.median_ms for row in run.layers))


def test_without_pytorch_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(MissingDependencyError, match="pip install torch fvcore"):
        api.bench(["lenet5"])


@pytest.mark.usefixtures("known_rates", "known_samples")
def test_the_api_measures_every_combination_in_order() -> None:
    measurement: Measurement = api.bench(
        ["lenet5-modern"],
        settings=QUICK,
        batches=(1, 2),
        dtypes=("float32", "bfloat16"),
        modes=("inference", "training"),
    )
    assert [(run.dtype, run.mode, run.batch) for run in measurement.runs] == [
        (dtype, mode, batch)
        for dtype in ("float32", "bfloat16")
        for mode in ("inference", "training")
        for batch in (1, 2)
    ]


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("cuda_graph", [False, True])
@pytest.mark.parametrize("mode", ["inference", "training"])
def test_a_gpu_measures_time_and_peak_memory(mode: Mode, cuda_graph: bool) -> None:
    settings = Settings(device="cuda", cuda_graph=cuda_graph, min_time=0.0, tf32=False)
    (run,) = measure([_job("resnet18", batch=2, mode=mode)], settings).runs
    assert (run.status, run.tf32) == ("ok", False)
    assert run.peak_memory_bytes is not None
    assert run.peak_memory_bytes > run.param_bytes
