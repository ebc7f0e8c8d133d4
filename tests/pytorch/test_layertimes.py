"""Layers of a user's own module, timed by the functions that PyTorch calls."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from cnnstat import api
from cnnstat.bench.benchplan import Settings
from cnnstat.bench.measurement import LayerTime, Run
from cnnstat.pytorch import clock, layertimes

QUICK = Settings(device="cpu", threads=1, min_time=0.0, max_time=2.0, layers=True)


@pytest.fixture(autouse=True)
def known_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the device's rates as known: only models are timed."""
    monkeypatch.setattr(clock, "product_rate", lambda device, dtype: clock.Product(1000, 1e9))
    monkeypatch.setattr(clock, "copy_rate", lambda device: clock.Copy(1000, 1e8))


class Branches(nn.Module):
    """Two inputs, a module that runs twice, functions, attention."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.second = nn.Conv2d(1, 4, 3, padding=1)
        self.twice = nn.Conv2d(4, 4, 3, padding=1)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.head = nn.Linear(4, 2)

    def forward(self, image: Tensor, depth: Tensor) -> Tensor:
        """(n, 3, h, w), (n, 1, h, w) -> (n, 2)."""
        x = self.twice(torch.relu(self.twice(self.first(image) + self.second(depth))))
        x = x.flatten(2).transpose(1, 2)
        x = x + self.attention(x, x, x, need_weights=False)[0]
        scores: Tensor = self.head(x.mean(1))
        return scores


def _run(module: nn.Module, shapes: Mapping[str, tuple[int, ...]], settings: Settings) -> Run:
    (run,) = api.bench([module], settings=settings, input=dict(shapes)).runs
    assert run.status == "ok", run.note
    return run


def _rows(run: Run) -> dict[str, LayerTime]:
    return {row.name: row for row in run.layers}


def test_rows_are_those_of_the_summary_and_each_takes_time() -> None:
    shapes = {"image": (3, 8, 8), "depth": (1, 8, 8)}
    module = Branches()
    run = _run(module, shapes, QUICK)
    layers = api.analyze(module, input=shapes).layers
    moving = [layer.name for layer in layers if layer.traffic.total]
    assert [row.name for row in run.layers if row.traffic_bytes] == moving
    assert {"first", "second", "twice", "twice_2", "head"} <= set(moving)
    assert all(row.median_ms > 0 for row in run.layers)
    assert sum(row.share for row in run.layers) == pytest.approx(1)
    assert run.layers_ms == pytest.approx(sum(row.median_ms for row in run.layers))
    assert sum(row.macs for row in run.layers) == run.macs


class Counting:
    """A clock that each reading moves on by half a second."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.5
        return self.now


def test_seconds_belong_to_the_node_whose_function_took_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Flatten()).eval()
    report = api.analyze(module, input=(3, 8, 8)).report
    clock = layertimes.CallClock(module, report.shaped.graph, torch.device("cpu"))
    monkeypatch.setattr(layertimes, "perf_counter", Counting())
    with torch.inference_mode():
        seconds = clock.seconds((torch.zeros(1, 3, 8, 8),))
    named = {report.shaped.nodes[node].name: value for node, value in seconds.items()}
    assert named == {"0": 0.5, "1": 0.5, "2": 0.5, "3": 0.5}


def test_the_slow_layer_has_the_largest_share() -> None:
    module = nn.Sequential(nn.Linear(8, 1500), nn.Linear(1500, 1500), nn.Linear(1500, 8))
    run = _run(module, {"input": (200, 8)}, QUICK)
    rows = _rows(run)
    assert rows["1"].share > max(rows["0"].share, rows["2"].share)


def test_a_module_is_left_as_it_was() -> None:
    module = Branches().eval()
    report = api.analyze(module, input={"image": (3, 8, 8), "depth": (1, 8, 8)}).report
    clock = layertimes.CallClock(module, report.shaped.graph, torch.device("cpu"))
    with pytest.raises(RuntimeError), torch.inference_mode():
        clock.seconds((torch.zeros(1, 9, 8, 8), torch.zeros(1, 1, 8, 8)))
    assert all("_call_impl" not in each.__dict__ for each in module.modules())


class Branching(nn.Module):
    """Runs one of two layers by the values that enter."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        """(n, 4) -> the same."""
        scores: Tensor = self.a(x) if x.sum() > 0 else self.b(x)
        return scores


def test_a_pass_that_takes_another_way_is_timed_as_it_runs() -> None:
    run = _run(Branching(), {"x": (4,)}, QUICK)
    assert run.layers_ms is not None
    assert run.layers_ms > 0


@pytest.fixture
def exported(tmp_path: object) -> str:
    """A file of ``torch.export``."""
    path = f"{tmp_path}/net.pt2"
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 3))
    torch.export.save(torch.export.export(net.eval(), (torch.zeros(1, 3, 8, 8),)), path)
    return path


def test_layers_of_an_exported_program(exported: str) -> None:
    (run,) = api.bench([exported], settings=QUICK).runs
    layers = [layer for layer in api.analyze(exported).layers if layer.traffic.total]
    assert [row.name for row in run.layers] == [layer.name for layer in layers]
    assert all(row.median_ms > 0 for row in run.layers)


class Choice(nn.Module):
    """Runs one of two layers, by a condition that PyTorch's ``cond`` reads."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        chosen: Tensor = torch.cond(x.isfinite().all(), self.first, self.second, (x,))
        return chosen


@pytest.mark.parametrize("layers", [True, False])
def test_a_condition_runs_the_branch_that_it_chooses(layers: bool) -> None:
    run = _run(Choice(), {"x": (8,)}, replace(QUICK, layers=layers))
    assert ("first" in _rows(run)) is layers
    assert "second" not in _rows(run)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_events_on_a_gpu_time_the_same_rows() -> None:
    shapes = {"image": (3, 64, 64), "depth": (1, 64, 64)}
    module = Branches()
    run = _run(module, shapes, replace(QUICK, device="cuda", threads=None))
    there = _run(module, shapes, QUICK)
    assert [row.name for row in run.layers] == [row.name for row in there.layers]
    assert all(row.median_ms > 0 for row in run.layers)
