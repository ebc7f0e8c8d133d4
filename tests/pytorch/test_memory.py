"""Predicted memory against PyTorch, to the byte: storages, saved tensors, peaks, the update.

The oracle is PyTorch's own dispatcher: every storage that an operator returns, until it is gone.
"""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from cnnstat import api, ops
from cnnstat.errors import UsageError
from cnnstat.memory.fit import memory
from cnnstat.memory.lowering import LOWERINGS
from cnnstat.memory.memory import plan, settings
from cnnstat.memory.passes import Settings
from cnnstat.pytorch.measured_memory import (
    UnitGradients,
    check_room,
    measure,
    on_cuda,
    own_subject,
    saved_bytes,
    subject,
)
from cnnstat.pytorch.recorder import Tracker

SMALL = ("lenet5", "handson-cnn", "resnet20-cifar", "densenet40-12-cifar", "fractal-block")
"""Measured in every way."""

ONCE = (
    "nin-cifar",
    "resnet18-a",
    "residual-preact",
    "resnext-block",
    "stochastic-depth-110-cifar",
    "googlenet-aux",
    "zfnet-deconv",
)
"""Measured in training alone: with ``SMALL`` they have every operator of the zoo but plain ones."""

CONDITIONS = {
    "inference": settings(),
    "inference-bfloat16": settings(amp="bfloat16"),
    "adam": settings(mode="training", optimizer="adam"),
    "momentum-bfloat16": settings(mode="training", optimizer="momentum", amp="bfloat16"),
    "checkpoint": settings(mode="training", checkpoint=True),
    "checkpoint-bfloat16": settings(mode="training", checkpoint=True, amp="bfloat16"),
}


@pytest.mark.parametrize("chosen", CONDITIONS.values(), ids=CONDITIONS.keys())
@pytest.mark.parametrize("model", SMALL)
def test_predicted_is_measured(model: str, chosen: Settings) -> None:
    compare(model, chosen)


@pytest.mark.parametrize("model", ONCE)
def test_predicted_is_measured_in_training(model: str) -> None:
    compare(model, CONDITIONS["adam"])


def test_unpooling_is_measured_under_autocast() -> None:
    compare("zfnet-deconv", CONDITIONS["momentum-bfloat16"])


def test_every_operator_of_the_zoo_has_kernels() -> None:
    graphs = [api.load(card.name).graph for card, _ in api.zoo()]
    used = {type(node.op) for graph in graphs for node in graph.nodes}
    assert used - set(LOWERINGS) == {ops.Input}


def compare(model: str, chosen: Settings) -> None:
    report = api.analyze(model, batch=2).report
    measured = measure(subject(report.shaped, chosen))
    assert measured == plan(report, replace(chosen, tracked=True)).predicted
    assert measured.peak_live_bytes > 0


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_other_dtypes_are_measured_too(dtype: str) -> None:
    report = api.analyze("resnet20-cifar", batch=2, dtype=dtype).report
    chosen = settings(mode="training", optimizer="momentum")
    measured = measure(subject(report.shaped, chosen))
    assert measured == plan(report, replace(chosen, tracked=True)).predicted


def test_gradients_add_up_in_place_when_nobody_watches() -> None:
    """Each sum that tracking writes as a new tensor is an ``add_`` in a run of its own."""
    report = api.analyze("resnet20-cifar", batch=2).report
    chosen = settings(mode="training")
    plans = [plan(report, replace(chosen, tracked=tracked)) for tracked in (False, True)]
    made = [sum(len(s.makes) for s in p.written.tape.steps) for p in plans]
    sums = made[1] - made[0]
    assert sums == 9  # one at the input of each of the nine blocks

    ready = subject(report.shaped, chosen)
    loss = UnitGradients.apply(*ready.outputs())  # type: ignore[no-untyped-call]
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        loss.backward(loss.new_empty(0))
    counts = {event.key: event.count for event in seen.key_averages()}
    assert counts.get("aten::add_", 0) == sums


def test_a_module_of_the_users_own_is_measured_as_it_is() -> None:
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 5)
    )
    chosen = settings(mode="training")
    report = api.analyze(module, input=(3, 8, 8), batch=2).report
    ready = own_subject(module, report.shaped, chosen)
    # What autograd keeps: the input (2*3*8*8), the ReLU's result (2*4*8*8), each once.
    assert saved_bytes(ready) == 4 * (2 * 3 * 8 * 8 + 2 * 4 * 8 * 8)
    assert plan(report, chosen).saved_bytes == saved_bytes(ready)


def test_the_tracker_sees_a_storage_once_and_lets_it_go() -> None:
    with Tracker() as tracker:
        x = torch.zeros(100)
        view = x.view(10, 10)
        assert tracker.live_bytes == 400
        y = x + 1
        assert tracker.peak_bytes == tracker.live_bytes == 800
        del x, y
        assert tracker.live_bytes == 400
        del view
        assert tracker.live_bytes == 0
    assert tracker.peak_bytes == 800


@pytest.mark.parametrize("name", ["inference", "momentum-bfloat16"])
def test_an_allocator_that_rounds_nothing_says_what_tracking_says(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readings of CUDA's allocator, with a tracker on the CPU in its place, and no workspaces."""
    chosen = CONDITIONS[name]
    report = api.analyze("resnet20-cifar", batch=2)
    ready = subject(report.shaped, chosen)
    allocator = Tracker(ready.owned)
    for tensor in ready.inputs:
        allocator.follow(tensor)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: allocator.live_bytes)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: allocator.peak_bytes)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", allocator.restart)
    with allocator:
        measured = on_cuda(ready)
    expected = measure(subject(report.shaped, chosen))
    assert measured == expected._replace(saved_bytes=None, workspace_bytes=0)


def test_memory_that_runs_out_while_measuring_is_an_error_of_the_users(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("cnnstat.pytorch.measured_memory.measure", fail)
    loaded = api.load("lenet5")
    with pytest.raises(UsageError, match=r"measuring lenet5 ran out of memory: .*smaller batch"):
        api.measured_memory(loaded, api.memory(loaded))


def test_what_does_not_fit_is_not_tried() -> None:
    with pytest.raises(UsageError, match="take a smaller batch"):
        check_room(api.memory("vgg16", settings(mode="training"), batch=10**6))


@pytest.mark.cuda
@pytest.mark.parametrize("batch", [1, 32])
@pytest.mark.parametrize("amp", [None, "float16"])
@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("model", ["alexnet", "vgg16", "resnet50", "googlenet"])
def test_the_allocator_agrees_within_five_percent(
    model: str, mode: str, amp: str | None, batch: int
) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    chosen = settings(mode=mode, amp=amp, device="cuda")
    loaded = api.load(model)
    measured, predicted = api.measured_memory(loaded, api.memory(loaded, chosen, batch=batch))
    peak = max(measured.peak_live_bytes, measured.backward_peak_bytes or 0)
    ours = max(predicted.peak_live_bytes, predicted.backward_peak_bytes or 0)
    state = measured.param_bytes + measured.buffer_bytes
    assert measured.workspace_bytes is not None
    assert state + ours == pytest.approx(state + peak - measured.workspace_bytes, rel=0.05)


@pytest.mark.cuda
@pytest.mark.parametrize("model", ["alexnet", "vgg16", "resnet50", "googlenet", "densenet121"])
def test_the_batch_that_fits_runs_and_one_a_tenth_larger_does_not(model: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    limit = memory("8GiB")
    whole = torch.cuda.get_device_properties(0).total_memory
    chosen = settings(mode="training", optimizer="momentum", device="cuda")
    loaded = api.load(model)
    (fit,) = api.fit(loaded, [limit], chosen, search_input=False)
    assert fit.at_batch is not None
    torch.cuda.set_per_process_memory_fraction(limit.bytes / whole)
    try:
        api.measured_memory(loaded, fit.at_batch)
        larger = api.memory(loaded, chosen, batch=fit.at_batch.batch * 11 // 10 + 1)
        with pytest.raises(UsageError, match="ran out of memory"):
            api.measured_memory(loaded, larger)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
