"""The modules that speed is compared with run the same operators on the same shapes."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from cnnstat import api
from cnnstat.pytorch.build import build_module
from tests.speed.handwritten import HANDWRITTEN

FREE = ("view", "detach", "t", "expand", "unsafe_view", "empty_like", "alias")
"""Calls that compute nothing."""

Call = tuple[str, tuple[tuple[int, ...], ...]]


class Calls(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Keeps the operators that PyTorch runs, each with the shapes of its tensors."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.made: list[Call] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        name = func.overloadpacket.__name__
        if name not in FREE:
            tensors = torch.utils._pytree.tree_leaves(args)
            shapes = tuple(tuple(t.shape) for t in tensors if isinstance(t, torch.Tensor))
            self.made.append((name, shapes))
        return func(*args, **(kwargs or {}))


def _calls(module: nn.Module, *, training: bool) -> list[Call]:
    x = torch.empty(2, 3, 224, 224, device="meta")
    module.train(training)
    calls = Calls()
    with calls:
        if training:
            backward: Callable[[], None] = module(x).sum().backward
            backward()
        else:
            with torch.inference_mode():
                module(x)
    return calls.made


def _pair(name: str) -> tuple[nn.Module, nn.Module]:
    report = api.analyze(name)
    built = build_module(report.shaped.graph, report.inputs, device="meta")
    with torch.device("meta"):
        return built, HANDWRITTEN[name]()


@pytest.mark.parametrize("name", HANDWRITTEN)
def test_both_hold_the_same_tensors(name: str) -> None:
    built, handwritten = _pair(name)
    ours, theirs = (
        Counter(tuple(value.shape) for value in module.state_dict().values())
        for module in (built, handwritten)
    )
    assert ours == theirs


@pytest.mark.parametrize("name", HANDWRITTEN)
def test_both_run_the_same_operators_in_inference(name: str) -> None:
    built, handwritten = _pair(name)
    assert _calls(built, training=False) == _calls(handwritten, training=False)


@pytest.mark.parametrize("name", HANDWRITTEN)
def test_both_run_the_same_operators_in_training(name: str) -> None:
    built, handwritten = _pair(name)
    ours, theirs = (Counter(_calls(module, training=True)) for module in (built, handwritten))
    assert ours == theirs
