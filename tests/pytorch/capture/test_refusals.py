"""An input that a module does not take: the argument, what it got and how to write it."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnnstat import api
from cnnstat.errors import ModelError, UsageError
from cnnstat.ir.tensor import TensorSpec

IMAGE = (3, 8, 8)
TOKENS = TensorSpec((7,), "int64")
MACS = 6 * 6 * 4 * 27  # 6 x 6 positions, 4 channels, 3 * 3 * 3 products each


class Net(nn.Module):
    """A convolution and an embedding, for the forward passes below."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.embed = nn.Embedding(10, 4)


class One(Net):
    def forward(self, x: Tensor) -> Any:
        return self.conv(x)


class Two(Net):
    def forward(self, image: Tensor, tokens: Tensor) -> Any:
        return self.conv(image).mean((2, 3)) + self.embed(tokens).mean(1)


class Keyword(Net):
    def forward(self, x: Tensor, *, mask: Tensor) -> Any:
        return self.conv(x) * mask


class Several(Net):
    def forward(self, x: Tensor, *more: Tensor) -> Any:
        return self.conv(x) + sum(map(self.conv, more))


class Named(Net):
    def forward(self, **named: Tensor) -> Any:
        return self.conv(named["image"])


class Optional(Net):
    def forward(self, image: Tensor | None = None, mask: Any = None, **others: Any) -> Any:
        if image is None:
            raise ValueError("no image")
        return self.conv(image)


class Batch(Net):
    def forward(self, batch: Any) -> Any:
        return self.conv(batch["image"])


class Pair(Net):
    def forward(self, pair: Any) -> Any:
        return self.conv(pair[0]) + self.conv(pair[1])


TAKEN: list[tuple[nn.Module, dict[str, Any], int]] = [
    (One(), {"input": IMAGE}, 1),
    (Several(), {"more": IMAGE, "x": IMAGE}, 2),
    (Several(), {"more": [IMAGE, IMAGE], "x": IMAGE}, 3),
    (Several(), {"more.0": IMAGE, "more.1": IMAGE, "x": IMAGE}, 3),
    (Several(), {"a": IMAGE, "x": IMAGE}, 2),
    (Named(), {"image": IMAGE}, 1),
    (Named(), {"named.image": IMAGE}, 1),
    (Batch(), {"batch.image": IMAGE}, 1),
    (Batch(), {"batch[image]": IMAGE}, 1),
    (Batch(), {"batch": {"image": IMAGE, "0": IMAGE}}, 1),
    (Pair(), {"pair.1": IMAGE, "pair.0": IMAGE}, 2),
]


@pytest.mark.parametrize(("module", "inputs", "times"), TAKEN)
def test_names_of_places(module: nn.Module, inputs: dict[str, Any], times: int) -> None:
    assert api.analyze(module, input=inputs).totals.macs == times * MACS


def test_a_key_that_looks_like_a_number_stays_one() -> None:
    class Levels(Net):
        def forward(self, levels: Any) -> Any:
            return self.conv(levels["0"])

    assert api.analyze(Levels(), input={"levels": {"0": IMAGE}}).totals.macs == MACS


UNKNOWN: list[tuple[nn.Module, dict[str, Any], str]] = [
    (One(), {"imgae": IMAGE}, "unknown input imgae (1x3x8x8): forward takes (x); write --input x="),
    (Two(), {"imgae": IMAGE, "tokens": TOKENS}, "unknown input imgae (1x3x8x8)"),
    (Two(), {"tokens": IMAGE, "imgae": TOKENS}, "write --input image=int64:SHAPE"),
    (Two(), {"imgae": IMAGE, "tokns": TOKENS}, "write --input image=SHAPE"),
    (Two(), {"image": IMAGE, "tokens": TOKENS, "t": ()}, "forward takes (image, tokens)"),
    (Two(), {"image": IMAGE}, "tokens is missing: forward takes (image, tokens) but got image 1x3"),
    (Two(), {"input": IMAGE}, "tokens is missing"),
    (Keyword(), {"x": IMAGE}, "mask is missing"),
    (
        Keyword(),
        {"x": IMAGE, "msk": (1, 1, 1)},
        "unknown input msk (1x1x1x1): forward takes (x, mask)",
    ),
    (Several(), {"y": IMAGE}, "unknown input y"),
    (Optional(), {"image": IMAGE, "maks": (8,)}, "forward does not read it; write --input mask="),
    (Batch(), {"batsch.image": IMAGE}, "write --input batch.image=SHAPE"),
    (Pair(), {"pair.0": IMAGE, "pair.2": IMAGE}, "pair.1 is missing: the places of a list"),
    (Pair(), {"pair.1": IMAGE}, "pair.0 is missing"),
    (Pair(), {"pair": IMAGE, "pair.1": IMAGE}, "pair is one input and cannot hold pair.1"),
    (Pair(), {"pair.1": IMAGE, "pair": IMAGE}, "pair is named in parts as well"),
    (One(), {"x": IMAGE, "deep": True}, "unknown argument 'deep': forward takes (x)"),
    (Two(), {"image": IMAGE, "tokns": 3}, "unknown argument 'tokns'"),
]


@pytest.mark.parametrize(("module", "inputs", "message"), UNKNOWN)
def test_a_wrong_name(module: nn.Module, inputs: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        api.analyze(module, input=inputs)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_example_of_too_many_arguments() -> None:
    with pytest.raises(UsageError, match=r"unknown input argument1 .*: forward takes \(x\)"):
        api.analyze(One(), example=(torch.zeros(1, *IMAGE), torch.zeros(1)))


REFUSED: list[tuple[nn.Module, dict[str, Any], str]] = [
    (One(), {"x": (1, *IMAGE)}, "x 1x1x3x8x8: RuntimeError"),
    (One(), {"x": (1, *IMAGE)}, "without the batch, as in --input x=3x224x224"),
    (One(), {"x": (4, 8, 8)}, "as in --input x=3x224x224"),
    (One(), {"x": TensorSpec(IMAGE, "int64")}, "with x 1x3x8x8 int64"),
    (Two(), {"image": IMAGE, "tokens": (7,)}, "as in --input tokens=int64:64"),
    (Two(), {"image": (3, 8), "tokens": TOKENS}, "as in --input image=3x224x224"),
    (Named(), {"imgae": IMAGE}, "write --input image=SHAPE"),
    (Optional(), {"imgae": IMAGE}, "imgae is none of its named arguments: did you mean image?"),
    (Batch(), {"batch.imgae": IMAGE}, "KeyError: 'image'; write --input batch.image=SHAPE"),
    (Pair(), {"pair.0": IMAGE}, "write a list as --input pair.0=SHAPE"),
    (Pair(), {"pair.a": IMAGE}, "write a list as --input pair.0=SHAPE"),
]


@pytest.mark.parametrize(("module", "inputs", "message"), REFUSED)
def test_a_wrong_shape_or_kind(module: nn.Module, inputs: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError) as caught:
        api.analyze(module, input=inputs)
    assert message in str(caught.value)


def test_a_fault_in_the_module_has_no_hint() -> None:
    class Faulty(Net):
        def forward(self, x: Tensor) -> Any:
            raise TypeError("a fault of its own")

    with pytest.raises(ModelError) as caught:
        api.analyze(Faulty(), input=IMAGE)
    assert str(caught.value).endswith("cannot take input 1x3x8x8: TypeError: a fault of its own")


def test_what_a_hook_adds_is_not_missing() -> None:
    module = Two()
    tokens = torch.zeros(1, 7, dtype=torch.int64, device="meta")

    def add(_: nn.Module, args: Any, kwargs: Any) -> Any:
        return args, {**kwargs, "tokens": tokens}

    module.register_forward_pre_hook(add, with_kwargs=True)
    assert api.analyze(module, input={"image": IMAGE}).totals.macs == MACS
