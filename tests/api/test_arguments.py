"""Arguments of a forward pass from Python: containers, examples, settings."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnnstat import api
from cnnstat.api.inputs import example, split_arguments
from cnnstat.errors import CnnstatError, UsageError
from cnnstat.ir.tensor import TensorSpec


class Fed(nn.Module):
    """Maps and vectors from a dictionary, a list of maps, a number per sample and a switch."""

    def __init__(self) -> None:
        super().__init__()
        self.maps, self.vector = nn.Conv2d(3, 4, 1), nn.Linear(5, 4)

    def forward(
        self, batch: dict[str, Any], scale: Tensor | None = None, *, twice: bool = False
    ) -> Tensor:
        y: Tensor = self.vector(batch["vector"])
        for x in batch["maps"]:
            y = y + self.maps(x).mean((2, 3))
        if scale is not None:
            y = y * scale[:, None]
        return y @ y.T if twice else y


BATCH = {"maps": [(3, 8, 8), (3, 4, 4)], "vector": (5,)}
MACS = 5 * 4 + (64 + 16) * 3 * 4


@pytest.mark.parametrize(
    ("inputs", "macs"),
    [
        ({"batch": BATCH}, 2 * MACS),
        ({"batch": BATCH, "scale": ()}, 2 * MACS),
        ({"batch": BATCH, "twice": True}, 2 * MACS + 2 * 4 * 2),
        (
            {"batch[maps][0]": (3, 8, 8), "batch[maps][1]": (3, 4, 4), "batch[vector]": (5,)},
            2 * MACS,
        ),
        (
            {"batch": {"maps": [torch.zeros(7, 3, 8, 8)], "vector": torch.zeros(7, 5)}},
            7 * (20 + 768),
        ),
    ],
)
def test_every_form_of_input(inputs: dict[str, Any], macs: int) -> None:
    net = Fed()
    analysis = api.analyze(net, input=inputs, batch=2)
    assert analysis.status == "complete"
    assert analysis.totals.macs == macs
    assert api.check(net, input=inputs, batch=2).agree
    assert api.memory(net, input=inputs, batch=2).total_bytes > 0


@pytest.mark.parametrize(
    "value",
    [{"x": "3x8x8"}, {"x": 5}, {}, {"x": (3.0, 8)}, {"x": object()}, {"x": [(3,), {"a": None}]}],
)
def test_what_is_no_input_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(CnnstatError):
        api.analyze(nn.Linear(3, 3), input=value)


def test_a_setting_that_forward_does_not_take_is_refused() -> None:
    with pytest.raises(CnnstatError, match="twcie"):
        api.analyze(Fed(), input={"batch": BATCH, "twcie": True})


def test_places_in_containers_are_part_of_the_name() -> None:
    inputs, constants = split_arguments({"x": [(1,), {"y": TensorSpec((2,), "int64")}], "n": 3})
    assert inputs == {"x[0]": (1,), "x[1][y]": TensorSpec((2,), "int64")}
    assert constants == {"n": 3}


def test_an_example_is_the_call_itself() -> None:
    maps, vector = torch.zeros(2, 3, 8, 8), torch.zeros(2, 5)
    batch = {"maps": [maps], "vector": vector}
    macs = 2 * (5 * 4 + 64 * 3 * 4)
    assert api.analyze(Fed(), example=(batch, torch.ones(2))).totals.macs == macs
    assert (
        api.analyze(Fed(), example={"batch": batch, "twice": True}).totals.macs == macs + 2 * 2 * 4
    )
    assert api.analyze(nn.Linear(3, 4), example=torch.zeros(7, 3)).totals.macs == 7 * 3 * 4


def test_an_example_without_a_tensor_and_one_with_a_shape_are_refused() -> None:
    with pytest.raises(CnnstatError, match="contains no tensor"):
        api.analyze(Fed(), example=({"vector": 5},))
    with pytest.raises(CnnstatError, match="leave out input"):
        api.analyze(nn.Linear(3, 4), example=torch.zeros(7, 3), input=(3,))
    with pytest.raises(CnnstatError, match="only a PyTorch module"):
        api.analyze("lenet5", example=torch.zeros(1, 1, 32, 32))


def test_another_method_leaves_the_module_alone() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return x

        def encode(self, x: Tensor) -> Tensor:
            made: Tensor = self.layer(self.layer(x))
            return made

    module = Twice()
    assert api.analyze(module, input=(4,), forward_method="encode").totals.macs == 2 * 4 * 4
    assert "forward" not in vars(module)
    with pytest.raises(CnnstatError, match="did you mean encode"):
        api.analyze(module, input=(4,), forward_method="encod")


@pytest.mark.parametrize("dtype", ["U1", "V4", "O", "datetime64[s]"])
def test_an_array_of_no_numbers_is_refused(dtype: str) -> None:
    numpy = pytest.importorskip("numpy")
    with pytest.raises(UsageError, match="expected numbers"):
        example(numpy.zeros(3, dtype))
