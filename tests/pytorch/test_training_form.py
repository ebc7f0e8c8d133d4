"""Modules that do something else in training mode: targets, auxiliary heads, values."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cnnstat import api
from cnnstat.api.models import with_example
from cnnstat.errors import UsageError
from cnnstat.memory.memory import settings
from cnnstat.memory.passes import Settings


class Detector(nn.Module):
    """Scores of an image; in training mode, its loss against the targets of each image."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.box = nn.Conv2d(3, 4, 3), nn.Linear(4, 6)

    def forward(self, images: list[Tensor], targets: Any = None) -> Any:
        features = self.body(torch.stack(list(images))).mean((2, 3))
        if not self.training:
            return self.box(features)
        assert targets is not None, "targets should not be none when in training mode"
        boxes = torch.cat([each["boxes"] for each in targets])
        if not bool((boxes[:, 2:] > boxes[:, :2]).all()):
            raise ValueError("boxes need a positive extent")
        return {"loss": (self.box(features.repeat(len(boxes), 1))[:, :4] - boxes).abs().sum()}


class Auxiliary(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.head, self.other = nn.Linear(8, 8), nn.Linear(8, 3), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Any:
        y = self.body(x)
        return (self.head(y), self.other(y)) if self.training else self.head(y)


class Strides(nn.Module):
    """Iterates over numbers in a plain tensor, as a detection head does."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3)
        self.strides = torch.tensor([8.0, 16.0])

    def forward(self, x: Tensor) -> Any:
        y = self.layer(x)
        rows = [torch.full((5,), stride) for stride in self.strides]
        return y.sum() * torch.cat(rows)


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Any:
        y = self.layer(x)
        return self.layer(y) if float(y.abs().sum()) > 0 else y


IMAGES = [torch.rand(3, 8, 8)]
BOXES = torch.tensor([[1.0, 1.0, 4.0, 4.0], [2.0, 2.0, 6.0, 7.0]])
EXAMPLE = (IMAGES, [{"boxes": BOXES}])


def analysed(module: nn.Module, mode: str) -> object:
    return api.analyze(module, example=(IMAGES,), mode=mode)


def planned(module: nn.Module, mode: str) -> object:
    full = {"images": [torch.rand(3, 8, 8)]}
    return api.memory(module, settings(mode=mode), input=full)


@pytest.mark.parametrize("run", [analysed, planned])
def test_what_training_needs_is_named(run: Callable[[nn.Module, str], object]) -> None:
    run(Detector(), "inference")
    with pytest.raises(UsageError) as caught:
        run(Detector(), "training")
    assert "in training mode forward needs targets, too" in str(caught.value)
    assert "targets.0.KEY=SHAPE" in str(caught.value)


def test_a_training_step_with_targets() -> None:
    analysis = api.analyze(Detector(), example=EXAMPLE, mode="training")
    forward = 6 * 6 * 4 * 27 + 2 * 4 * 6  # the convolution; two boxes of six numbers
    assert analysis.totals.macs == forward
    assert analysis.report.training is not None
    with FlopCounterMode(display=False) as counter:
        Detector().train()(*EXAMPLE)["loss"].backward()
    assert analysis.report.training.total.flop_counter == counter.get_total_flops()


def test_memory_of_a_training_step_with_targets() -> None:
    model, inputs = with_example(api.load(Detector()), EXAMPLE)
    plan = api.memory(model, Settings(mode="training"), input=inputs)
    measured, predicted = api.measured_memory(model, plan)
    assert plan.status == "complete"
    assert measured == predicted


def test_an_auxiliary_head_runs_in_training_alone() -> None:
    macs = 8 * 8 + 8 * 3
    assert api.analyze(Auxiliary(), input=(8,)).totals.macs == macs
    analysis = api.analyze(Auxiliary(), input=(8,), mode="training")
    assert analysis.totals.macs == macs + 8 * 5
    assert [note.code for note in analysis.report.notes] == ["training_form"]


def test_a_module_that_cannot_train_says_so() -> None:
    module = nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4))  # a batch of one has no variance
    analysis = api.analyze(module, input=(8,), mode="training")
    assert analysis.totals.macs == 8 * 4
    (note,) = [each for each in analysis.report.notes if each.code == "training_form"]
    assert "Expected more than 1 value per channel" in note.message


@pytest.mark.parametrize(("module", "shape"), [(Strides(), (3, 8, 8)), (Branches(), (8,))])
@pytest.mark.parametrize("mode", ["inference", "training"])
def test_memory_of_a_pass_that_reads_values(
    module: nn.Module, shape: tuple[int, ...], mode: str
) -> None:
    model = api.load(module)
    plan = api.memory(model, settings(mode=mode), input=shape)
    assert plan.status == "complete"
    measured, predicted = api.measured_memory(model, plan)
    assert measured == predicted


class LayerDrop(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Any:
        y = self.layer(x)
        return self.layer(y) if not self.training or bool(torch.rand(()) < 0.5) else y


def test_a_random_branch_makes_memory_a_lower_bound() -> None:
    assert api.memory(LayerDrop(), Settings(mode="inference"), input=(8,)).status == "complete"
    plan = api.memory(LayerDrop(), Settings(mode="training"), input=(8,))
    assert plan.status == "partial"
    assert "a random branch such as LayerDrop" in plan.unknown[0]
