"""Rehearsed passes of whole modules against the same modules run, to the byte."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from cnnstat import api
from cnnstat.errors import ModelError, UsageError
from cnnstat.memory.fit import memory
from cnnstat.memory.memory import MemoryPlan, settings
from cnnstat.memory.passes import Settings
from cnnstat.pytorch.measured_memory import UnitGradients
from tests.pytorch.whole_modules import (
    Auxiliary,
    FusedBlock,
    Permuted,
    Pooled,
    Reader,
    ShuffleUnit,
    Squeeze,
    Tokens,
    UpAndDown,
    VisionBlock,
    WindowBlock,
    Words,
    scored,
)

TO_LAST, TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)

MODULES: dict[str, Callable[[], nn.Module]] = {
    "vit": lambda: nn.Sequential(Tokens(32), VisionBlock(32), VisionBlock(32), Pooled(32)),
    "encoder": lambda: nn.Sequential(
        Tokens(32), nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), Pooled(32)
    ),
    "fused_attention": lambda: nn.Sequential(
        Tokens(32), FusedBlock(32, 2), FusedBlock(32, 1), Pooled(32)
    ),
    "swin": lambda: scored(
        Permuted(*TO_LAST), WindowBlock(8, shift=0), WindowBlock(8, shift=2), Permuted(*TO_FIRST)
    ),
    "squeeze": lambda: scored(Squeeze(8), Squeeze(8)),
    "shuffle": lambda: scored(ShuffleUnit(8), ShuffleUnit(8)),
    "up_and_down": lambda: scored(UpAndDown(8)),
    "gru": lambda: Reader(nn.GRU),
    "rnn": lambda: Reader(nn.RNN),
    "words": Words,
    "auxiliary": Auxiliary,
}

CONDITIONS = {
    "inference": settings(),
    "inference-bfloat16": settings(amp="bfloat16"),
    "adam": settings(mode="training", optimizer="adam"),
    "momentum-bfloat16": settings(mode="training", optimizer="momentum", amp="bfloat16"),
}


def rehearsed(module: nn.Module, chosen: Settings) -> tuple[api.Model, MemoryPlan]:
    loaded = api.load(module)
    return loaded, api.memory(loaded, chosen, input=(3, 32, 32), batch=2)


@pytest.mark.parametrize("chosen", CONDITIONS.values(), ids=CONDITIONS.keys())
@pytest.mark.parametrize("name", MODULES)
def test_a_rehearsed_module_takes_what_it_takes(name: str, chosen: Settings) -> None:
    loaded, plan = rehearsed(MODULES[name](), chosen)
    assert (plan.status, plan.unknown) == ("complete", ())
    measured, predicted = api.measured_memory(loaded, plan)
    assert measured == predicted


def test_an_lstm_is_known_in_inference_alone() -> None:
    loaded, plan = rehearsed(Reader(nn.LSTM), CONDITIONS["inference"])
    measured, predicted = api.measured_memory(loaded, plan)
    assert (plan.status, measured) == ("complete", predicted)
    learning = rehearsed(Reader(nn.LSTM), CONDITIONS["adam"])[1]
    assert learning.status == "partial"
    assert learning.unknown == ("mkldnn_rnn_layer", "mkldnn_rnn_layer_backward")


def test_rows_carry_the_whole_of_a_rehearsed_pass() -> None:
    for name in ("vit", "swin", "auxiliary"):
        plan = rehearsed(MODULES[name](), CONDITIONS["adam"])[1]
        rows = [plan.of(layer) for layer in plan.report.layers]
        assert sum(row.saved_bytes for row in rows) == plan.saved_bytes
        assert max(row.live_bytes for row in rows) == plan.forward_peak.bytes
        assert plan.backward_peak is not None
        assert max(row.backward_bytes for row in rows) == plan.backward_peak.bytes
        assert sum(plan.peak.parts.values()) == plan.peak.bytes


def test_a_layer_has_what_it_saves() -> None:
    """Of a plain chain, each layer keeps its input: nothing is put down to another's row."""
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sigmoid(), nn.Flatten(), nn.Linear(3600, 5))
    plan = rehearsed(module, CONDITIONS["adam"])[1]
    by_name = zip(plan.report.shaped.nodes, plan.written.saved, strict=True)
    saved = {node.name: size for node, size in by_name if size}
    assert saved == {"0": 4 * 2 * 3 * 32 * 32, "1": 4 * 2 * 4 * 30 * 30}


def test_gradients_of_a_module_add_up_in_place_when_nobody_watches() -> None:
    """Each sum that tracking writes as a new tensor is an ``add_`` in a run of its own."""
    module = scored(Squeeze(8), Squeeze(8), nn.Conv2d(8, 8, 1))
    plans = [
        rehearsed(module, replace(CONDITIONS["adam"], tracked=tracked))[1]
        for tracked in (False, True)
    ]
    made = [sum(len(s.makes) for s in p.written.tape.steps) for p in plans]
    loss: Any = UnitGradients.apply(module.train()(torch.randn(2, 3, 32, 32)))  # type: ignore[no-untyped-call]
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        loss.backward(loss.new_empty(0))
    counts = {event.key: event.count for event in seen.key_averages()}
    assert made[1] - made[0] == 4  # two readers of each block's input and of its maps
    assert counts.get("aten::add_", 0) == 4


class Grid(nn.Module):
    """A head that refers to plain tensors, no parameters and no buffers, and keeps one of its own.

    So do the heads of detection models; its third branch is not returned.
    """

    def __init__(self) -> None:
        super().__init__()
        self.maps, self.other = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 6, 1)
        self.strides, self.offsets = torch.tensor([8.0, 16.0]), [torch.zeros(1)]
        self.scale = torch.ones(4, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.maps(x) * self.scale.to(x.device)
        torch.tanh(self.other(y))
        if self.offsets[0].shape[0] != y.shape[-1]:
            self.offsets[0] = torch.arange(y.shape[-1], device=x.device).to(x.dtype)
        placed: Tensor = (y + self.offsets[0].view(1, 1, 1, -1)) * self.strides[0]
        return placed


@pytest.mark.parametrize("name", ["inference", "adam"])
def test_plain_tensors_and_a_branch_that_is_not_returned(name: str) -> None:
    loaded, plan = rehearsed(Grid(), CONDITIONS[name])
    assert plan.status == "complete"
    measured, predicted = api.measured_memory(loaded, plan)
    assert measured == predicted
    # the image, the maps for their scale, a row of offsets and the strides: nothing of the branch
    maps = 2 * 4 * 30 * 30
    assert plan.saved_bytes in (0, 4 * (2 * 3 * 32 * 32 + 4 + 2))
    assert plan.backward_peak is None or plan.backward_peak.bytes < 4 * (5 * maps + 6 * 32 * 32)


def test_a_step_without_parameters_has_no_backward_pass() -> None:
    loaded, plan = rehearsed(nn.Sequential(nn.AvgPool2d(2), nn.ReLU()), CONDITIONS["adam"])
    measured, predicted = api.measured_memory(loaded, plan)
    assert measured == predicted
    assert (predicted.saved_bytes, predicted.backward_peak_bytes) == (0, None)


def test_on_cuda_the_state_and_the_inputs_of_a_module_are_known() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    chosen = settings(mode="training", optimizer="momentum", device="cuda")
    plan = api.memory(module, chosen, input=(3, 32, 32), batch=2)
    params = 4 * (4 * 3 * 3 * 3 + 4)
    assert (plan.status, plan.unknown) == ("partial", ("a module's kernels on cuda",))
    assert (plan.param_bytes, plan.gradient_bytes, plan.optimizer_bytes) == (params,) * 3
    assert plan.peak.bytes == 4 * 2 * 3 * 32 * 32


def test_a_module_is_not_cut_into_blocks() -> None:
    chosen = settings(mode="training", checkpoint=True)
    with pytest.raises(UsageError, match=r"cut into blocks; call torch\.utils\.checkpoint"):
        api.memory(nn.Conv2d(3, 4, 3), chosen, input=(3, 8, 8))


class Asking(nn.Module):
    """A module that asks for a value."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if x.sum().item() > 0 else x


def test_what_cannot_be_rehearsed_is_a_lower_bound() -> None:
    random.seed(5)
    before = random.getstate()
    asking = nn.Sequential(nn.Conv2d(3, 4, 3), Asking())
    plan = rehearsed(asking, CONDITIONS["inference"])[1]
    assert plan.status == "complete"  # it runs on real tensors
    narrow = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(3))
    plan = api.memory(narrow, CONDITIONS["adam"], input=(3, 8, 8))
    assert plan.status == "partial"
    assert plan.unknown[0].startswith("ValueError: Expected more than 1 value per channel")
    assert random.getstate() == before


@pytest.mark.filterwarnings("ignore")
def test_gradients_of_a_scripted_module_are_not_known() -> None:
    inner = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    net = nn.Sequential(torch.jit.script(inner), nn.Conv2d(4, 4, 1))
    inference = api.memory(net, Settings(), input=(3, 9, 9))
    assert inference.status == "complete"
    training = api.memory(net, Settings(mode="training"), input=(3, 9, 9))
    assert training.unknown == (
        "TypeError: a scripted module has no gradients without its weights",
    )


def test_the_module_stays_as_it_was() -> None:
    module = MODULES["squeeze"]().eval()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    rehearsed(module, CONDITIONS["adam"])
    assert not any(part.training for part in module.modules())
    assert all(torch.equal(before[name], each) for name, each in module.state_dict().items())
    assert all(parameter.grad is None for parameter in module.parameters())
    assert not any("forward" in vars(part) for part in module.modules())


class Chunked(nn.Module):
    """A module that takes one image after the other: its steps depend on the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.inner(each) for each in x.split(1)])  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("make", [Chunked, lambda: nn.Conv2d(3, 4, 3)])
def test_the_batch_that_fits_a_module_does_and_one_more_does_not(
    make: Callable[[], nn.Module],
) -> None:
    loaded = api.load(make())
    (fit,) = api.fit(loaded, [memory("1MB")], settings(), input=(3, 32, 32), search_input=False)
    assert fit.at_batch is not None
    batch = fit.at_batch.batch
    more = api.memory(loaded, settings(), input=(3, 32, 32), batch=batch + 1)
    assert fit.at_batch.total_bytes <= 10**6 < more.total_bytes


def test_a_module_that_cannot_learn_says_so_in_one_line() -> None:
    narrow = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(3))
    loaded = api.load(narrow)
    plan = api.memory(loaded, CONDITIONS["adam"], input=(3, 8, 8))
    with pytest.raises(ModelError, match="Sequential cannot run: ValueError: Expected more than 1"):
        api.measured_memory(loaded, plan)
