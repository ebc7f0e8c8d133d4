"""Work of a training step against FlopCounterMode: every operator, models of the zoo, modules."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from cnnstat.api import analyze
from cnnstat.count.training import training_work
from cnnstat.errors import CnnstatError
from cnnstat.ir.tensor import TensorSpec
from cnnstat.pytorch.build import forward_graph, make_modules
from tests.cases import CASES, Case
from tests.compat.training import counted, row_of, step_of

MULTIPLYING = [
    case
    for case in CASES
    if any(facts.work and facts.work.macs for facts in case.shaped().facts)
    and getattr(case.op, "sequences", 0) == 0
]


@pytest.mark.parametrize("case", MULTIPLYING, ids=lambda case: case.id)
def test_every_operator_that_multiplies(case: Case) -> None:
    shaped = case.shaped()
    root = make_modules(shaped, device="meta")
    module = fx.GraphModule(root, forward_graph(shaped, form="training")).train()
    inputs = {
        f"x{number}": torch.empty(spec.shape, dtype=getattr(torch, spec.dtype), device="meta")
        for number, spec in enumerate(case.inputs)
    }
    steps = [step for step in training_work(shaped) if step is not None]
    assert len(steps) == len(shaped.nodes)
    assert sum(step.flop_counter for step in steps) == counted(module, inputs).step


@pytest.mark.parametrize(
    "model", ["lenet5", "alexnet-2gpu", "googlenet-aux", "mobilenet", "zfnet-deconv"]
)
def test_models_of_the_zoo(model: str) -> None:
    assert row_of(model)["difference"] == 0


Net = Callable[[dict[str, nn.Module], Tensor], Any]


class Module(nn.Module):
    """Parts by name, and what is done with them."""

    def __init__(self, run: Net, /, frozen: str = "", **parts: nn.Module) -> None:
        super().__init__()
        self.parts = nn.ModuleDict(parts)
        self.run = run
        for name, parameter in self.parts.named_parameters():
            if frozen and name.startswith(frozen):
                parameter.requires_grad_(False)

    def forward(self, x: Tensor) -> Any:
        return self.run(dict(self.parts.items()), x)


def conv(before: int, after: int, **arguments: Any) -> nn.Conv2d:
    return nn.Conv2d(before, after, 3, **arguments)


def in_order(parts: dict[str, nn.Module], x: Tensor) -> Tensor:
    for part in parts.values():
        x = part(x)
    return x


def detached(parts: dict[str, nn.Module], x: Tensor) -> Tensor:
    y = parts["a"](x)
    return parts["c"](parts["b"](y.detach()) + y)  # type: ignore[no-any-return]


def without_gradients(parts: dict[str, nn.Module], x: Tensor) -> Tensor:
    with torch.no_grad():
        x = parts["a"](x)
    return parts["c"](parts["b"](x))  # type: ignore[no-any-return]


def dead_branch(parts: dict[str, nn.Module], x: Tensor) -> Tensor:
    y = parts["a"](x)
    parts["c"](y)
    return parts["b"](y)  # type: ignore[no-any-return]


def twice(parts: dict[str, nn.Module], x: Tensor) -> Tensor:
    return parts["a"](torch.relu(parts["a"](x)))  # type: ignore[no-any-return]


def attention(parts: dict[str, nn.Module], x: Tensor) -> Tensor:
    q, k, v = parts["qkv"](x).unflatten(2, (3, 4, 4)).permute(2, 0, 3, 1, 4)
    y = functional.scaled_dot_product_attention(q, k, v)
    return parts["out"](y.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


def queries(parts: dict[str, nn.Module], x: Tensor) -> Tensor:
    return functional.scaled_dot_product_attention(parts["q"](x), x, x)


def self_attention(parts: dict[str, nn.Module], x: Tensor) -> Any:
    return parts["a"](x, x, x)[0]


def last_step(parts: dict[str, nn.Module], x: Tensor) -> Tensor:
    return parts["out"](parts["rnn"](x)[0][:, -1])  # type: ignore[no-any-return]


def computed_state(parts: dict[str, nn.Module], x: Tensor) -> Any:
    return parts["rnn"](x, parts["state"](x[:, 0])[None])[0]


def computed_weights(parts: dict[str, nn.Module], x: Tensor) -> Tensor:
    weights = parts["weights"](x).mean(0).unflatten(0, (2, 16))
    return functional.linear(parts["a"](x), weights)


def chosen(parts: dict[str, nn.Module], x: Tensor) -> Tensor:
    winners = functional.one_hot(parts["a"](x).argmax(-1), 16)
    return parts["b"](x) * winners  # type: ignore[no-any-return]


def written(parts: dict[str, nn.Module], x: Tensor) -> Tensor:
    y = torch.zeros_like(parts["a"](x))
    y[:, :4] = parts["a"](x)[:, :4]
    return parts["b"](y)  # type: ignore[no-any-return]


def vector(parts: dict[str, nn.Module], x: Tensor) -> Tensor:
    return parts["a"](x) @ parts["b"].weight[0]  # type: ignore[index, no-any-return]


def weight_as_a_number(parts: dict[str, nn.Module], x: Tensor) -> Tensor:
    a = parts["a"].weight
    y = functional.linear(parts["b"](x), a.detach())  # type: ignore[operator]
    return y @ a.detach().t()  # type: ignore[operator]


def detached_in_place(parts: dict[str, nn.Module], x: Tensor) -> Tensor:
    y = parts["a"](x)
    y.detach_()
    return parts["b"](y)  # type: ignore[no-any-return]


def wanted_input(parts: dict[str, nn.Module], x: Tensor) -> Tensor:
    return parts["a"](x.detach().requires_grad_())  # type: ignore[no-any-return]


def frozen_by_the_way(parts: dict[str, nn.Module], x: Tensor) -> Tensor:
    with torch.no_grad():
        doubled = parts["a"].weight * 2  # type: ignore[operator]
    return functional.linear(parts["b"](x), doubled)  # type: ignore[arg-type]


def inverse(parts: dict[str, nn.Module], x: Tensor) -> Tensor:
    return parts["b"](x) @ torch.linalg.inv(parts["a"].weight)  # type: ignore[no-any-return]


def solution(parts: dict[str, nn.Module], x: Tensor) -> Tensor:
    solved: Tensor = torch.linalg.solve(parts["a"].weight, parts["b"](x).t())
    return solved * torch.det(parts["b"].weight)  # type: ignore[arg-type]


def grid(parts: dict[str, nn.Module], x: Tensor) -> Tensor:
    theta = parts["a"](x).unflatten(1, (2, 3))
    return functional.affine_grid(theta, [3, 1, 5, 4], align_corners=False)


def summed_batch(parts: dict[str, nn.Module], x: Tensor) -> Tensor:
    factors = parts["a"](x).unflatten(1, (4, 4))
    return torch.addbmm(parts["a"].bias[:4], factors, factors)  # type: ignore[index]


def over_time(parts: dict[str, nn.Module], x: Tensor) -> Tensor:
    kernel = parts["b"].weight.unflatten(0, (3, 2)).transpose(1, 2)  # type: ignore[operator]
    return torch.conv_tbc(parts["a"](x), kernel, parts["b"].bias[:2])  # type: ignore[index]


MODULES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "frozen": (lambda: Module(in_order, "a", a=conv(3, 8), b=conv(8, 8)), (3, 12, 12)),
    "frozen in the middle": (
        lambda: Module(in_order, "b", a=conv(3, 8), b=conv(8, 8), c=conv(8, 2)),
        (3, 12, 12),
    ),
    "frozen weight, trained bias": (
        lambda: Module(in_order, "a.weight", a=conv(3, 8), b=conv(8, 8)),
        (3, 12, 12),
    ),
    "detached": (
        lambda: Module(detached, a=conv(3, 8), b=conv(8, 8, padding=1), c=conv(8, 2)),
        (3, 12, 12),
    ),
    "no_grad": (
        lambda: Module(without_gradients, a=conv(3, 8), b=conv(8, 8), c=conv(8, 2)),
        (3, 12, 12),
    ),
    "dead branch": (
        lambda: Module(dead_branch, a=conv(3, 8), b=conv(8, 8), c=conv(8, 2)),
        (3, 12, 12),
    ),
    "grouped": (lambda: Module(in_order, a=conv(3, 12, groups=3), b=conv(12, 8)), (3, 9, 9)),
    "depthwise": (
        lambda: Module(in_order, a=conv(3, 8, bias=False), b=conv(8, 8, groups=8)),
        (3, 9, 9),
    ),
    "transposed": (
        lambda: Module(
            in_order, a=nn.ConvTranspose2d(3, 6, 4, 2, 1, groups=3), b=nn.ConvTranspose2d(6, 5, 3)
        ),
        (3, 9, 9),
    ),
    "lines and volumes": (
        lambda: Module(
            in_order,
            a=nn.Conv3d(2, 4, 3, stride=2, dilation=2),
            b=nn.Flatten(2),
            c=nn.Conv1d(4, 8, 3, padding="same", groups=2),
        ),
        (2, 12, 12, 12),
    ),
    "tied": (lambda: Module(twice, a=nn.Linear(16, 16)), (16,)),
    "attention": (lambda: Module(attention, qkv=nn.Linear(16, 48), out=nn.Linear(16, 16)), (5, 16)),
    "queries alone": (lambda: Module(queries, q=nn.Linear(16, 16)), (5, 16)),
    "multi-head attention": (
        lambda: Module(self_attention, a=nn.MultiheadAttention(16, 4, batch_first=True)),
        (5, 16),
    ),
    "transformer": (
        lambda: Module(in_order, a=nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)),
        (5, 16),
    ),
    "lstm": (
        lambda: Module(last_step, rnn=nn.LSTM(8, 16, 2, batch_first=True), out=nn.Linear(16, 3)),
        (6, 8),
    ),
    "lstm both ways": (
        lambda: Module(
            last_step,
            rnn=nn.LSTM(8, 16, batch_first=True, bidirectional=True, proj_size=4),
            out=nn.Linear(8, 3),
        ),
        (6, 8),
    ),
    "frozen layer of a gru": (
        lambda: Module(
            last_step,
            "rnn.weight_ih_l0",
            rnn=nn.GRU(8, 16, 2, batch_first=True),
            out=nn.Linear(16, 3),
        ),
        (6, 8),
    ),
    "state of a gru": (
        lambda: Module(computed_state, rnn=nn.GRU(8, 16, batch_first=True), state=nn.Linear(8, 16)),
        (6, 8),
    ),
    "computed weights": (
        lambda: Module(computed_weights, weights=nn.Linear(16, 32), a=nn.Linear(16, 16)),
        (16,),
    ),
    "weight norm": (
        lambda: Module(in_order, a=nn.utils.parametrizations.weight_norm(nn.Conv1d(4, 8, 3))),
        (4, 20),
    ),
    "argmax": (lambda: Module(chosen, a=nn.Linear(16, 16), b=nn.Linear(16, 16)), (16,)),
    "written in place": (lambda: Module(written, a=conv(3, 8), b=conv(8, 8)), (3, 12, 12)),
    "product with a vector": (
        lambda: Module(vector, a=nn.Linear(16, 16), b=nn.Linear(16, 2)),
        (16,),
    ),
    "detached weight": (
        lambda: Module(weight_as_a_number, a=nn.Linear(16, 16), b=nn.Linear(16, 16)),
        (16,),
    ),
    "detached in place": (
        lambda: Module(detached_in_place, a=nn.Linear(16, 16), b=nn.Linear(16, 4)),
        (16,),
    ),
    "gradient of the input": (lambda: Module(wanted_input, a=nn.Linear(16, 4)), (16,)),
    "weight made without gradients": (
        lambda: Module(frozen_by_the_way, a=nn.Linear(16, 16), b=nn.Linear(16, 16)),
        (16,),
    ),
    "inverse": (lambda: Module(inverse, a=nn.Linear(16, 16), b=nn.Linear(16, 16)), (16,)),
    "solution": (lambda: Module(solution, a=nn.Linear(16, 16), b=nn.Linear(16, 16)), (16,)),
    "affine grid": (lambda: Module(grid, a=nn.Linear(6, 6)), (6,)),
    "sum of products": (lambda: Module(summed_batch, a=nn.Linear(16, 16)), (16,)),
    "convolution over time": (
        lambda: Module(over_time, a=nn.Linear(16, 16), b=nn.Linear(16, 6)),
        (9, 16),
    ),
    "normalised": (
        lambda: Module(in_order, "a", a=conv(3, 8), b=nn.BatchNorm2d(8), c=conv(8, 4)),
        (3, 9, 9),
    ),
}


@pytest.mark.parametrize("name", MODULES)
def test_modules(name: str) -> None:
    make, shape = MODULES[name]
    ours = step_of(make().train(), input={"x": shape}, batch=3)
    x = torch.empty(3, *shape, device="meta")
    theirs = counted(make().to("meta").train(), {"x": x})
    assert ours.flop_counter == theirs.step
    assert theirs.step > theirs.forward > 0


def test_an_embedding_and_its_tied_head() -> None:
    embedding, head = nn.Embedding(50, 16), nn.Linear(16, 50, bias=False)
    head.weight = embedding.weight
    module = nn.Sequential(embedding, nn.Linear(16, 16), head)
    step = step_of(module, input={"input": TensorSpec((7,), "int64")}, batch=2)
    ids = torch.zeros(2, 7, dtype=torch.int64, device="meta")
    assert step.flop_counter == counted(module.to("meta"), {"x": ids}).step
    rows = 2 * 7 * (16 * 16 + 16 * 50)
    assert (step.input_gradient_macs, step.weight_gradient_macs) == (rows, rows)


def test_an_epoch_ends_with_the_images_that_are_left() -> None:
    training = analyze("lenet5", batch=32, mode="training", images=100).report.training
    one = step_of("lenet5").macs
    assert training is not None
    assert training.epoch == (100, 4, 100 * one)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "trainning"}, "unknown mode 'trainning': did you mean training?"),
        ({"images": 10}, "images: only training has epochs; add --mode training"),
        ({"mode": "training", "images": 0}, "images must be 1 to 10^18, got 0"),
    ],
)
def test_bad_input(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(CnnstatError) as error:
        analyze("lenet5", **arguments)
    assert str(error.value) == message
