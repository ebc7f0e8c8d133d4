"""Work of a training step of calls with a backward pass of their own, and of packed sequences."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.checkpoint import checkpoint

from cnnstat.api import analyze
from tests.compat.training import counted, step_of
from tests.pytorch.test_training import Module, Net, in_order


class Product(torch.autograd.Function):
    """A product with a backward pass of its own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return x @ weight

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        x, weight = ctx.saved_tensors
        return gradient @ weight.t(), x.t() @ gradient


def own_backward(parts: dict[str, nn.Module], x: Tensor) -> Any:
    return Product.apply(parts["a"](x), parts["b"].weight)  # type: ignore[no-untyped-call]


def recomputed(reentrant: bool) -> Net:
    def run(parts: dict[str, nn.Module], x: Tensor) -> Any:
        return checkpoint(parts["b"], parts["a"](x), use_reentrant=reentrant)

    return run


def _note(module: nn.Module) -> str:
    notes = analyze(module, input={"x": (16,)}, mode="training").notes
    (message,) = [note.message for note in notes if note.code == "own_backward"]
    return message


def test_a_backward_pass_of_its_own_is_noted() -> None:
    module = Module(own_backward, a=nn.Linear(16, 16), b=nn.Linear(16, 16))
    step = step_of(module, input={"x": (16,)})
    assert step.flop_counter == counted(module.to("meta"), {"x": _row()}).step
    assert "torch.autograd.Function" in _note(module)


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.parametrize("reentrant", [True, False])
def test_what_is_computed_again_is_noted_and_counted_once(reentrant: bool) -> None:
    a, b = nn.Linear(16, 16), nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 16))
    plain = step_of(Module(in_order, a=a, b=b), input={"x": (16,)})
    module = Module(recomputed(reentrant), a=a, b=b)
    assert step_of(module, input={"x": (16,)}) == plain
    assert "torch.utils.checkpoint" in _note(module)
    again = counted(module.to("meta"), {"x": _row()}).step - plain.flop_counter
    assert again > 0
    assert again % (2 * 16 * 16) == 0


def _row() -> Tensor:
    return torch.empty(1, 16, device="meta")


def packed(lengths: list[int], **arguments: Any) -> nn.Module:
    def run(parts: dict[str, nn.Module], x: Tensor) -> Tensor:
        rows = pack_padded_sequence(parts["a"](x), torch.tensor(lengths), batch_first=True)
        return parts["out"](parts["rnn"](rows)[0].data)  # type: ignore[no-any-return]

    kind = arguments.pop("kind", nn.LSTM)
    wide = arguments.get("proj_size", 16) * (1 + arguments.get("bidirectional", False))
    rnn = kind(8, 16, batch_first=True, **arguments)
    return Module(run, a=nn.Linear(8, 8), rnn=rnn, out=nn.Linear(wide, 3))


PACKED: dict[str, Callable[[], nn.Module]] = {
    "lstm": lambda: packed([6, 4, 2], num_layers=2),
    "gru both ways": lambda: packed([6, 6, 2], kind=nn.GRU, num_layers=2, bidirectional=True),
    "projected both ways": lambda: packed([6, 1, 1], bidirectional=True, proj_size=4),
    "of one length": lambda: packed([6, 6, 6], kind=nn.RNN, bidirectional=True),
}


@pytest.mark.parametrize("name", PACKED)
def test_packed_sequences(name: str) -> None:
    ours = step_of(PACKED[name]().train(), input={"x": (6, 8)}, batch=3)
    theirs = counted(PACKED[name]().train(), {"x": torch.randn(3, 6, 8)})
    assert ours.flop_counter == theirs.step
    assert theirs.step > theirs.forward > 0


def test_an_example_that_asks_for_a_gradient_gets_one() -> None:
    module = nn.Sequential(nn.Linear(8, 4), nn.Linear(4, 2))
    x = torch.randn(3, 8, requires_grad=True)
    wanted, plain = (
        step_of(module, input={"input": x}),
        step_of(module, input={"input": x.detach()}),
    )
    assert wanted.flop_counter == counted(module, {"input": x}).step
    assert wanted.input_gradient_macs - plain.input_gradient_macs == 3 * 8 * 4


def test_a_factorisation_has_no_rule_where_it_passes_a_gradient_back() -> None:
    def run(parts: dict[str, nn.Module], x: Tensor) -> Tensor:
        return x @ torch.linalg.cholesky(parts["a"].weight)  # type: ignore[no-any-return]

    def known(module: nn.Module) -> bool:
        report = analyze(module, input={"x": (16,)}, mode="training").report
        assert report.training is not None
        return report.training.is_complete

    assert not known(Module(run, a=nn.Linear(16, 16)))
    assert known(Module(run, "a", a=nn.Linear(16, 16)))
