"""A copy runs, whatever leads back to the module itself: closures, patched forwards, graphs."""

import functools
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnnstat import api
from cnnstat.count.report import Report
from cnnstat.errors import ModelError
from cnnstat.pytorch.capture.copying import filled_copy
from cnnstat.render.check import check_document

PIXEL_MACS = 3 * 9 * 8 + 8 * 9 * 4
"""A 3x3 convolution from 3 to 8 channels, one from 8 to 4."""


class Tapped(nn.Module):
    """A head that reads what a hook stored of the body's output."""

    def __init__(self, hook: Callable[["Tapped"], Callable[..., Any]]) -> None:
        super().__init__()
        self.body, self.head = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 4, 3, padding=1)
        self.store: list[Tensor] = []
        self.body.register_forward_hook(hook(self))

    def forward(self, x: Tensor) -> Tensor:
        self.body(x)
        y: Tensor = self.head(self.store[-1])
        return y

    def keep(self, module: nn.Module, args: Any, output: Tensor) -> None:
        self.store.append(output)


def _append(store: list[Tensor], module: nn.Module, args: Any, output: Tensor) -> None:
    store.append(output)


def _of_weak_reference(net: Tapped) -> Callable[..., Any]:
    reference = weakref.ref(net)

    def hook(module: nn.Module, args: Any, output: Tensor) -> None:
        target = reference()
        assert target is not None
        target.store.append(output)

    return hook


def _of_list(store: list[Tensor]) -> Callable[..., Any]:
    return lambda module, args, output: store.append(output)


def _of_built_in(add: Callable[[Tensor], None]) -> Callable[..., Any]:
    return lambda module, args, output: add(output)


def _with_default(net: Tapped) -> Callable[..., Any]:
    def hook(m: nn.Module, args: Any, output: Tensor, store: list[Tensor] = net.store) -> None:
        store.append(output)

    return hook


class _Keeper:
    def __init__(self, store: list[Tensor]) -> None:
        self.store = store

    def __call__(self, module: nn.Module, args: Any, output: Tensor) -> None:
        self.store.append(output)


HOOKS: dict[str, Callable[[Tapped], Callable[..., Any]]] = {
    "lambda": lambda net: lambda module, args, output: net.store.append(output),
    "list": lambda net: _of_list(net.store),
    "method": lambda net: net.keep,
    "partial": lambda net: functools.partial(_append, net.store),
    "built-in": lambda net: _of_built_in(net.store.append),
    "weak reference": _of_weak_reference,
    "default": _with_default,
    "object": lambda net: _Keeper(net.store),
}


@pytest.mark.parametrize("kind", HOOKS)
def test_a_hook_reaches_the_copy(kind: str) -> None:
    net = Tapped(HOOKS[kind])
    for size in (8, 16):
        totals = api.analyze(net, input=(3, size, size)).totals
        assert totals.macs == size * size * PIXEL_MACS
    assert net.store == []


def net() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())


def patched() -> nn.Module:
    y = net()
    before = y.forward
    y.forward = lambda x: before(x) + 1  # type: ignore[method-assign, no-untyped-call]
    return y


def patched_inside() -> nn.Module:
    y = net()
    norm = y[1]
    before = norm.forward
    norm.forward = functools.wraps(before)(lambda x: before(x) * 2)
    return y


def recursive() -> nn.Module:
    y = net()

    def forward(x: Tensor, *, again: bool = True) -> Any:
        return forward(x, again=False) if again else y[2](y[1](y[0](x)))

    y.forward = forward  # type: ignore[method-assign]
    return y


GLOBAL = net()


def by_global_name() -> nn.Module:
    GLOBAL.forward = lambda x: GLOBAL[2](GLOBAL[1](GLOBAL[0](x)))  # type: ignore[method-assign]
    return GLOBAL


@pytest.mark.parametrize("make", [patched, patched_inside, recursive, by_global_name])
def test_a_patched_forward_runs_in_the_copy(make: Callable[[], nn.Module]) -> None:
    module = make().train()
    norm = next(each for each in module.modules() if isinstance(each, nn.BatchNorm2d))
    report = api.analyze(module, input=(3, 8, 8))
    assert report.totals.params == 3 * 9 * 4 + 4 + 2 * 4
    assert report.totals.macs == 36 * 3 * 9 * 4
    assert norm.num_batches_tracked is not None
    assert int(norm.num_batches_tracked) == 0
    assert module.training


def test_a_function_is_copied_with_what_it_encloses() -> None:
    module = patched()
    copied = filled_copy(module, torch.zeros_like)
    with torch.no_grad():
        module[0].weight.fill_(1)  # type: ignore[index]
        output = copied.eval()(torch.ones(1, 3, 8, 8))
    assert output.abs().max() == 1  # zeros everywhere, and 1 that the patch adds


GENERATED: dict[str, Callable[[nn.Module], nn.Module]] = {
    "fx": torch.fx.symbolic_trace,
    "exported": lambda module: torch.export.export(module, (torch.zeros(1, 3, 8, 8),)).module(),
    "traced": lambda module: torch.jit.trace(module, torch.zeros(1, 3, 8, 8)),  # type: ignore[no-untyped-call]
    "scripted": torch.jit.script,
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("form", GENERATED)
@pytest.mark.parametrize("inside", [False, True], ids=["alone", "inside"])
def test_modules_that_pytorch_generates(form: str, inside: bool) -> None:
    module = GENERATED[form](net().eval())
    if inside:
        module = nn.Sequential(module, nn.Conv2d(4, 2, 1))
    report = api.analyze(module, input=(3, 8, 8))
    head = (4 * 2 + 2, 36 * 4 * 2) if inside else (0, 0)
    assert report.status == "complete"
    assert report.totals.params == 3 * 9 * 4 + 4 + 2 * 4 + head[0]
    assert report.totals.macs == 36 * 3 * 9 * 4 + head[1]


class InAList(nn.Module):
    """Layers that the module does not know of."""

    def __init__(self) -> None:
        super().__init__()
        self.layers, self.kernel = [nn.Conv2d(3, 4, 3)], torch.ones(2, 4, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.conv2d(self.layers[0](x), self.kernel)


def noted(report: Report) -> dict[str, str]:
    return {note.path: note.message for note in report.notes if note.code != "no_rule"}


def test_weights_that_no_parameter_holds_are_noted() -> None:
    report = api.analyze(InAList(), input=(3, 8, 8)).report
    assert report.totals.macs == 36 * (3 * 9 * 4 + 4 * 2)
    assert list(noted(report)) == ["conv2d", "conv2d_2"]
    assert noted(report)["conv2d"].startswith(f"uses {3 * 9 * 4 + 4} weights")
    assert noted(report)["conv2d_2"].startswith(f"uses {4 * 2} weights")
    assert report.params_status == "partial"
    check = api.check(InAList(), input=(3, 8, 8))
    assert check.agree
    assert check_document([check]).title.endswith("but not every weight could be counted")


def test_a_circular_module_is_counted() -> None:
    outer, inner = nn.Sequential(nn.Conv2d(3, 4, 1)), nn.Sequential()
    outer.inner, inner.outer = inner, outer
    outer.forward = lambda x: outer[0](x)  # type: ignore[method-assign]
    assert api.analyze(outer, input=(3, 8, 8)).totals.params == 3 * 4 + 4


STORE: dict[str, Tensor] = {}
SHARED = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def remember(output: Tensor) -> None:
    STORE["output"] = output


class Global(nn.Module):
    """Everything by a global name or on the class: a module, two stores, a function."""

    seen: list[Tensor] = []  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.shared, self.head = SHARED, nn.Conv2d(4, 2, 1)

    def run(self, x: Tensor) -> Tensor:
        y: Tensor = SHARED(x)
        return y

    def forward(self, x: Tensor) -> Any:
        remember(self.run(x))
        self.seen.append(STORE["output"])
        return self.head(self.seen[-1])


@pytest.mark.parametrize("asks", [False, True], ids=["empty", "real"])
def test_global_names_lead_to_the_copy(asks: bool) -> None:
    module = Global().train()
    if asks:
        module.head.register_forward_pre_hook(lambda module, args: float(args[0].sum()) and None)
    for size in (8, 10):
        totals = api.analyze(module, input=(3, size, size)).totals
        assert totals.macs == (size - 2) ** 2 * (3 * 9 * 4 + 4 * 2)
        assert totals.params == 3 * 9 * 4 + 4 + 2 * 4 + 4 * 2 + 2
    norm = SHARED[1]
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.num_batches_tracked is not None
    assert (STORE, Global.seen, int(norm.num_batches_tracked)) == ({}, [], 0)
    assert api.memory(module, input=(3, 8, 8)).total_bytes > 0
    assert (STORE, Global.seen) == ({}, [])


def test_a_module_that_is_too_deep_for_python_is_refused_in_one_line() -> None:
    module: nn.Module = nn.Conv2d(3, 3, 1)
    for _ in range(3000):
        module = nn.Sequential(module)
    with pytest.raises(ModelError, match=r"RecursionError") as raised:
        api.analyze(module, input=(3, 8, 8))
    assert len(str(raised.value)) < 500
