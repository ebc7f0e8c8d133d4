"""The user's module, PyTorch and Python are the same before and after, whatever happens between."""

import random
import threading
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cnnstat import api
from cnnstat.errors import ModelError


class Busy(nn.Module):
    """A module that changes everything that a forward pass can change."""

    history: Tensor

    def __init__(self, *, fails: bool, asks: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5))
        self.head = nn.Linear(4, 2)
        self.register_buffer("history", torch.zeros(3))
        self.calls: list[int] = []
        self.cache: dict[str, Tensor] = {}
        self.plain = torch.ones(2)
        self.fails, self.asks = fails, asks

    def forward(self, x: Tensor) -> Tensor:
        self.calls.append(1)
        self.history += 1
        self.plain += 1
        self.body.train()
        y: Tensor = self.head(self.body(x).mean((2, 3)))
        self.cache["last"] = y
        random.random()
        np.random.rand()
        y = y + torch.rand(2)
        if self.asks:
            y = y * float(y.sum())
        if self.fails:
            raise ValueError("on purpose")
        return y


def state(module: Busy) -> dict[str, Any]:
    """Everything that must stay as it was."""
    return {
        "modes": [each.training for each in module.modules()],
        "tensors": {k: (t.clone(), str(t.device)) for k, t in module.state_dict().items()},
        "identities": [id(t) for t in (*module.parameters(), *module.buffers())],
        "versions": [t._version for t in (*module.parameters(), *module.buffers())],
        "gradients": [p.grad if p.grad is None else p.grad.clone() for p in module.parameters()],
        "trained": [p.requires_grad for p in module.parameters()],
        "hooks": [
            (list(m._forward_hooks), list(m._forward_pre_hooks), list(m._backward_hooks))
            for m in module.modules()
        ],
        "plain": (list(module.calls), dict(module.cache), module.plain.clone()),
        "torch random": torch.get_rng_state(),
        "python random": random.getstate(),
        "numpy random": list(np.random.get_state())[1],
        "global hooks": len(torch.nn.modules.module._global_forward_hooks),
        "fast path": torch.backends.mha.get_fastpath_enabled(),
        "gradient mode": torch.is_grad_enabled(),
        "dtype": torch.get_default_dtype(),
    }


def assert_same(before: Any, after: Any) -> None:
    assert type(before) is type(after)
    if isinstance(before, Tensor | np.ndarray):
        assert (before == after).all()
    elif isinstance(before, dict):
        assert list(before) == list(after)
        for key in before:
            assert_same(before[key], after[key])
    elif isinstance(before, list | tuple):
        assert len(before) == len(after)
        for one, other in zip(before, after, strict=True):
            assert_same(one, other)
    else:
        assert before == after


@pytest.mark.parametrize("fails", [False, True], ids=["returns", "raises"])
@pytest.mark.parametrize("asks", [False, True], ids=["fake", "real"])
@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
def test_nothing_of_the_module_changes(fails: bool, asks: bool, training: bool) -> None:
    module = Busy(fails=fails, asks=asks).train(training)
    module.body[0].requires_grad_(False)
    module.head.register_forward_hook(lambda *arguments: None)
    module.head(torch.ones(1, 4)).sum().backward()
    before = state(module)
    if fails:
        with pytest.raises(ModelError, match="on purpose"):
            api.analyze(module, input=(3, 8, 8))
    else:
        assert api.analyze(module, input=(3, 8, 8)).totals.trainable_params == 4 + 4 + 4 * 2 + 2
    assert_same(before, state(module))


def test_the_comparison_notices_a_change() -> None:
    module = Busy(fails=False, asks=False)
    before = state(module)
    module(torch.ones(1, 3, 8, 8))
    with pytest.raises(AssertionError):
        assert_same(before, state(module))


def test_attributes_that_cannot_be_copied_are_shared() -> None:
    class Locked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lock, self.layer = threading.Lock(), nn.Linear(6, 2)
            self.again = [self.layer]  # the copy's list holds the copy's layer

        def forward(self, x: Tensor) -> Tensor:
            with self.lock:
                y: Tensor = self.again[0](x)
                return y

    report = api.analyze(Locked(), input=(6,))
    assert report.totals.params == 6 * 2 + 2
    assert report.layers[-1].name == "layer"


def test_a_module_that_copies_itself_in_its_own_way() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(6, 2)

        def __deepcopy__(self, memo: dict[int, Any]) -> "Own":
            made = Own.__new__(Own)
            made.__dict__ = deepcopy(self.__dict__, memo)
            return made

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.layer(x)
            return y

    assert api.analyze(nn.Sequential(Own(), nn.ReLU()), input=(6,)).totals.params == 6 * 2 + 2


def test_threads_do_not_see_each_other() -> None:
    """Several threads analyse, one shared module among theirs, while another runs it."""
    head = nn.Sequential(nn.Flatten(), nn.Linear(4 * 36, 2))
    shared = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), head)
    shared.train()
    counts: dict[int, list[int]] = {}
    stop = threading.Event()
    trouble: list[BaseException] = []

    def analyse(width: int) -> None:
        own = nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU(), nn.Conv2d(width, 2, 1))
        try:
            counts[width] = [
                total
                for _ in range(5)
                for total in (
                    api.analyze(own, input=(3, 8, 8)).totals.macs,
                    api.analyze(shared, input=(3, 8, 8)).totals.macs,
                )
            ]
        except BaseException as error:
            trouble.append(error)

    def train() -> None:
        try:
            while not stop.is_set():
                shared(torch.ones(2, 3, 8, 8)).sum().backward()
                assert all(module.training for module in shared.modules())
        except BaseException as error:
            trouble.append(error)

    runner = threading.Thread(target=train)
    threads = [threading.Thread(target=analyse, args=(width,)) for width in (2, 3, 4)]
    runner.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    runner.join()
    assert trouble == []
    of_shared = 36 * 3 * 9 * 4 + 4 * 36 * 2
    for width, totals in counts.items():
        assert totals == [36 * 3 * 9 * width + 36 * width * 2, of_shared] * 5
