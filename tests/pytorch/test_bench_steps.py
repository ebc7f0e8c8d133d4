"""Steps, clocks and reference rates, against a clock that the test moves."""

import gc
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from itertools import pairwise
from math import log

import pytest
import torch
from torch import nn
from torch.nn import functional

from cnnstat import api
from cnnstat.count.report import Report
from cnnstat.pytorch import clock, steps
from cnnstat.pytorch.build import build_module
from cnnstat.pytorch.clock import Samples, block_length, cuda_block, sample
from cnnstat.pytorch.steps import (
    AUXILIARY_WEIGHT,
    LEARNING_RATE,
    captured,
    inference_step,
    objective_for,
    probability_cross_entropy,
    random_inputs,
    training_step,
)

CPU = torch.device("cpu")
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


class FakeClock:
    """Time that passes only when a step says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self.steps = 0

    def __call__(self) -> float:
        return self.now

    def step(self, *durations: float) -> Callable[[], None]:
        """Return a step that takes these seconds one after another, the last again and again."""

        def step() -> None:
            self.now += durations[min(self.steps, len(durations) - 1)]
            self.steps += 1

        return step


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    fake_clock = FakeClock()
    monkeypatch.setattr(clock, "perf_counter", fake_clock)
    return fake_clock


def test_samples_begin_when_the_warm_up_has_settled(fake: FakeClock) -> None:
    # 30 s of compilation, four slow steps, then 0.125 s each: windows of 5 agree after 4 + 6 + 4.
    step = fake.step(30.0, 4.0, 3.0, 2.0, 1.0, 0.125)
    timing = sample(step, CPU, min_time=0.0, max_time=1e6)
    assert timing.durations == (0.125,) * 10
    # Before the first sample: the first step, and steps until medians of 5 and 5 are equal.
    assert timing.warmup == 1 + 12


def test_sampling_goes_on_for_the_minimum_time(fake: FakeClock) -> None:
    timing = sample(fake.step(0.125), CPU, min_time=3.0, max_time=100.0)
    assert len(timing.durations) == 24  # 24 x 0.125 s
    assert timing.warmup == 1 + 10  # two windows of five


def test_the_maximum_time_ends_warm_up_and_sampling(fake: FakeClock) -> None:
    timing = sample(fake.step(1.0), CPU, min_time=0.5, max_time=4.0)
    assert timing == Samples((1.0,) * 4, warmup=1 + 1)  # a quarter of 4 s to warm up


def test_blocks_of_cuda_steps_take_a_tenth_of_a_second() -> None:
    assert block_length(0.01) == 10
    assert block_length(5.0) == 1
    assert block_length(0.0) == 500


class FakeEvent:
    """A CUDA event on the fake clock's time."""

    clock: FakeClock

    def __init__(self, *, enable_timing: bool) -> None:
        assert enable_timing
        self.at = -1.0

    def record(self) -> None:
        self.at = self.clock.now

    def elapsed_time(self, end: "FakeEvent") -> float:
        return 1e3 * (end.at - self.at)


def test_a_cuda_block_has_an_event_between_steps_and_one_synchronisation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = FakeClock()
    waits: list[torch.device] = []
    monkeypatch.setattr(FakeEvent, "clock", fake, raising=False)
    monkeypatch.setattr(torch.cuda, "Event", FakeEvent)
    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())
    monkeypatch.setattr(torch.cuda, "synchronize", waits.append)
    times = cuda_block(fake.step(0.25, 0.5, 0.125), torch.device("cuda:0"), 3)
    assert times == [0.25, 0.5, 0.125]
    assert waits == [torch.device("cuda:0")]


def test_cuda_samples_come_in_blocks(fake: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[int] = []

    def block(step: Callable[[], None], device: torch.device, length: int) -> list[float]:
        lengths.append(length)
        for _ in range(length):
            step()
        return [0.03125] * length

    monkeypatch.setattr(clock, "synchronize", lambda device: None)
    monkeypatch.setattr(clock, "cuda_block", block)
    timing = sample(fake.step(0.03125), torch.device("cuda:0"), min_time=0.25, max_time=9.0)
    assert lengths == [3] * 4  # 0.1 s / 0.03125 s; at least 10 samples and 0.25 s
    assert len(timing.durations) == 12


def test_the_largest_product_that_is_quick_enough(
    fake: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 256 rows in 1/64 s would be 8 x that for 512, and 1 s for 1024: too long.
    def product(rows: int, device: torch.device, dtype: torch.dtype) -> Callable[[], None]:
        return fake.step((rows / 256) ** 3 / 64)

    monkeypatch.setattr(clock, "_product", product)
    rate = clock.product_rate(CPU, torch.float32)
    assert rate == clock.Product(512, 512**3 / 0.125)


def test_a_copy_reads_and_writes_every_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "COPY_BYTES", {"cpu": 4096})
    monkeypatch.setattr(clock, "sample", lambda step, device, **_: Samples((0.5, 0.25, 1.0), 1))
    assert clock.copy_rate(CPU) == clock.Copy(4096, 2 * 4096 / 0.25)


def test_inputs_are_random_seeded_and_of_the_format() -> None:
    shaped = api.analyze("lenet5", batch=3).shaped
    (first,) = random_inputs(shaped, CPU, torch.bfloat16, seed=5)
    (again,) = random_inputs(shaped, CPU, torch.bfloat16, seed=5, channels_last=True)
    (other,) = random_inputs(shaped, CPU, torch.bfloat16, seed=6)
    assert (first.shape, first.dtype) == ((3, 1, 32, 32), torch.bfloat16)
    assert again.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def _model(name: str, batch: int = 2) -> tuple[nn.Module, tuple[torch.Tensor, ...], Report]:
    report = api.analyze(name, batch=batch).report
    module = build_module(report.shaped.graph, report.inputs)
    return module, random_inputs(report.shaped, CPU, torch.float32, seed=0), report


def test_inference_evaluates_without_gradients() -> None:
    module, inputs, _ = _model("lenet5-modern")
    result = inference_step(module, inputs)()
    assert isinstance(result, torch.Tensor)
    assert result.is_inference()
    assert not module.training


def test_cross_entropy_of_probabilities_is_that_of_the_logits() -> None:
    logits, labels = torch.randn(4, 10), torch.tensor([0, 3, 9, 3])
    loss = probability_cross_entropy(logits.softmax(1), labels)
    torch.testing.assert_close(loss, functional.cross_entropy(logits, labels))
    impossible = probability_cross_entropy(torch.tensor([[1.0, 0.0]]), torch.tensor([1]))
    assert impossible.item() == pytest.approx(-log(torch.finfo(torch.float32).tiny))


def test_a_training_step_is_forward_loss_backward_and_momentum_sgd() -> None:
    module, inputs, report = _model("lenet5-modern")
    objective = objective_for(report.shaped, CPU, seed=1)
    by_hand = {name: value.detach().clone() for name, value in module.named_parameters()}
    step = training_step(module, inputs, objective)
    velocity = {name: torch.zeros_like(value) for name, value in by_hand.items()}
    for _ in range(2):
        step()
        assert module.training
        for name, parameter in module.named_parameters():
            assert parameter.grad is not None
            velocity[name] = 0.9 * velocity[name] + parameter.grad
            by_hand[name] = by_hand[name] - LEARNING_RATE * velocity[name]
            torch.testing.assert_close(parameter.detach(), by_hand[name])


def test_auxiliary_heads_count_less() -> None:
    report = api.analyze("googlenet-aux", batch=2)
    objective = objective_for(report.shaped, CPU, seed=1)
    even = torch.full((2, 1000), 1 / 1000)
    loss = objective((even, even.clone(), even.clone()))
    assert loss.item() == pytest.approx(log(1000) * (1 + 2 * AUXILIARY_WEIGHT))
    sure = torch.full((2, 1000), 1.0)
    assert objective((sure, even, even.clone())).item() == pytest.approx(
        2 * AUXILIARY_WEIGHT * log(1000)
    )


def test_outputs_that_are_no_scores_get_their_mean_square() -> None:
    report = api.analyze("inception-naive")
    objective = objective_for(report.shaped, CPU, seed=1)
    assert objective(torch.full((1, 2, 3, 3), 4.0)).item() == 16.0
    assert objective({"scores": [torch.full((1, 2, 3, 3), 4.0)]}).item() == 16.0


class FakeStream:
    """A CUDA stream on which nothing runs."""

    def __init__(self, device: object = None) -> None:
        pass

    def wait_stream(self, other: "FakeStream") -> None:
        assert isinstance(other, FakeStream)


class FakeGraph:
    """A CUDA graph that counts its replays."""

    replays = 0

    def replay(self) -> None:
        self.replays += 1


def test_a_replay_holds_what_its_graph_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    captures: list[tuple[FakeGraph, object]] = []

    def capture(graph: FakeGraph, *, stream: object) -> object:
        captures.append((graph, stream))
        return nullcontext()

    resets: list[torch.device] = []
    monkeypatch.setattr(steps, "reset_peak_memory", resets.append)
    for name, value in {
        "Stream": FakeStream,
        "CUDAGraph": FakeGraph,
        "graph": capture,
        "current_stream": lambda device: FakeStream(),
        "stream": lambda stream: nullcontext(),
        "device": lambda device: nullcontext(),
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    steps.side_stream.cache_clear()
    labels = torch.ones(3)
    alive = weakref.ref(labels)
    device = torch.device("cuda:1")
    replay = captured(partial(torch.neg, labels), device)
    del labels
    replay()
    gc.collect()
    assert alive() is not None
    assert [graph.replays for graph, _ in captures] == [1]
    assert captures[0][1] is steps.side_stream(device)
    assert resets == [device]
    del replay
    gc.collect()
    assert alive() is None
    steps.side_stream.cache_clear()


@pytest.mark.cuda
@needs_cuda
def test_a_captured_step_computes_what_the_step_does() -> None:
    device = torch.device("cuda:0")
    x = torch.ones(8, device=device)

    def step() -> None:
        x.mul_(2.0)

    replay = captured(step, device)
    before = x.clone()
    replay()
    torch.cuda.synchronize()
    assert torch.equal(x, 2 * before)


@pytest.mark.cuda
@needs_cuda
def test_events_measure_a_pause_of_the_device() -> None:
    device = torch.device("cuda:0")
    pause: Callable[[int], None] = torch.cuda._sleep
    times = cuda_block(lambda: pause(10_000_000), device, 4)
    assert all(seconds > 1e-3 for seconds in times)
    assert all(abs(b - a) < a for a, b in pairwise(times))
