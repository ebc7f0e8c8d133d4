"""Results that are known without asking PyTorch are those that PyTorch gives, layout included."""

from typing import Any

import pytest
import torch
from torch import Tensor

from cnnstat.pytorch.capture.answers import LIKE_THEIR_INPUT
from cnnstat.pytorch.capture.answers import known_result as known_result_of
from cnnstat.pytorch.capture.calls import Call
from cnnstat.pytorch.watching import Position

MAPS = (2, 3, 4, 5)
CALLS: dict[str, dict[str, Any]] = {
    "batch_norm": {
        "input": MAPS,
        "weight": (3,),
        "bias": (3,),
        "running_mean": (3,),
        "running_var": (3,),
        "training": False,
        "momentum": 0.1,
        "eps": 1e-5,
        "cudnn_enabled": False,
    },
    "layer_norm": {"input": MAPS, "normalized_shape": [4, 5], "weight": (4, 5), "bias": (4, 5)},
    "adaptive_avg_pool1d": {"self": (2, 3, 4), "output_size": [1]},
    "adaptive_avg_pool2d": {"self": MAPS, "output_size": [1, 1]},
    "adaptive_avg_pool3d": {"self": (2, 3, 4, 5, 6), "output_size": [1, 1, 1]},
    "linear": {"input": MAPS, "weight": (6, 5), "bias": (6,)},
    "conv1d": {
        "input": (2, 6, 11),
        "weight": (8, 3, 4),
        "bias": None,
        "stride": [2],
        "padding": [1],
        "dilation": [1],
        "groups": 2,
    },
    "conv2d": {
        "input": MAPS,
        "weight": (6, 3, 3, 2),
        "bias": (6,),
        "stride": [2, 1],
        "padding": [1, 0],
        "dilation": [1, 2],
        "groups": 1,
    },
    "conv3d": {
        "input": (1, 4, 5, 6, 7),
        "weight": (4, 1, 1, 1, 1),
        "bias": None,
        "stride": [2],
        "padding": [0],
        "dilation": [1],
        "groups": 4,
    },
    "max_pool2d": {
        "self": (1, 3, 12, 13),
        "kernel_size": [3, 2],
        "stride": [2],
        "padding": [1, 0],
        "dilation": [1, 2],
        "ceil_mode": True,
    },
    "max_pool1d": {
        "self": (2, 3, 12),
        "kernel_size": [4],
        "stride": [],
        "padding": [2],
        "dilation": [3],
        "ceil_mode": False,
    },
    "max_pool3d": {
        "self": (1, 1, 5, 12, 13),
        "kernel_size": [1, 3, 2],
        "stride": [2, 2, 1],
        "padding": [0, 1, 1],
        "dilation": [1],
        "ceil_mode": True,
    },
    "avg_pool1d": {"self": (1, 1, 12), "kernel_size": [3], "stride": [2], "padding": [0]},
    "avg_pool2d": {"self": (1, 3, 12, 13), "kernel_size": [3], "stride": [], "padding": [1]},
    "avg_pool3d": {"self": (2, 3, 4, 5, 6), "kernel_size": [2], "stride": [], "padding": [1]},
    "add": {"self": MAPS, "other": MAPS},
    "mul": {"self": MAPS, "other": 3},
    "relu_": {"self": MAPS},
}


def known_result(name: str, arguments: dict[str, Any]) -> Tensor | None:
    """Return the answer to a call with these arguments, the others as PyTorch has them."""
    packet = getattr(torch.ops.aten, name)
    overloads = [getattr(packet, each)._schema.arguments for each in packet.overloads()]
    schema = next((e for e in overloads if set(arguments) <= {a.name for a in e}), ())
    usual = {each.name: each.default_value for each in schema}
    call = Call(packet, name, {**usual, **arguments}, "", True, Position("", 0))
    return known_result_of(call)


def on_meta(value: Any) -> Any:
    return torch.empty(value, device="meta") if isinstance(value, tuple) else value


@pytest.mark.parametrize("name", CALLS)
def test_the_answer_is_pytorchs(name: str) -> None:
    arguments = {key: on_meta(value) for key, value in CALLS[name].items()}
    answer = known_result(name, arguments)
    assert answer is not None
    packet = getattr(torch.ops.aten, name)
    expected: Tensor = packet(*arguments.values())
    assert (answer.shape, answer.stride(), answer.dtype, answer.device) == (
        expected.shape,
        expected.stride(),
        expected.dtype,
        expected.device,
    )
    assert (answer is next(iter(arguments.values()))) == name.endswith("_")


@pytest.mark.parametrize("name", sorted(LIKE_THEIR_INPUT))
@pytest.mark.parametrize("layout", [(0, 1, 2, 3), (0, 3, 1, 2)], ids=["plain", "permuted"])
def test_what_is_like_its_input_is_so_in_pytorch(name: str, layout: tuple[int, ...]) -> None:
    x = torch.empty(MAPS, device="meta").permute(layout)
    more: dict[str, list[Any]] = {
        **{key: [x] for key in ("add", "sub", "rsub", "mul", "div")},
        "dropout": [0.5, False],
        "clamp": [0.0],
    }
    tensors = [x, *more.get(name, [])]
    expected: Tensor = getattr(torch.ops.aten, name)(*tensors)
    answer = known_result(name, {"self": x, **{str(i): v for i, v in enumerate(tensors[1:])}})
    assert answer is not None
    assert (answer.shape, answer.stride(), answer.dtype) == (
        expected.shape,
        expected.stride(),
        expected.dtype,
    )


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("add", {"self": MAPS, "other": (5,)}),
        ("linear", {"input": MAPS, "weight": (6, 4), "bias": None}),
        ("linear", {"input": MAPS, "weight": (6, 5), "bias": (5,)}),
        ("batch_norm", {**CALLS["batch_norm"], "running_mean": (4,)}),
        ("layer_norm", {**CALLS["layer_norm"], "normalized_shape": [4, 4]}),
        ("adaptive_avg_pool2d", {"self": MAPS, "output_size": [2, 2]}),
        ("adaptive_avg_pool3d", {"self": MAPS, "output_size": [1, 1, 1]}),
        ("conv2d", {**CALLS["conv2d"], "weight": (6, 2, 3, 2)}),
        ("conv2d", {**CALLS["conv2d"], "weight": (6, 3, 9, 2)}),
        ("conv2d", {**CALLS["conv2d"], "padding": "same"}),
        ("conv_transpose2d", {"input": MAPS}),
        ("max_pool2d", {**CALLS["max_pool2d"], "kernel_size": [16, 2]}),
        ("max_pool1d", {**CALLS["max_pool1d"], "self": (3, 12)}),
        ("max_pool3d", {**CALLS["max_pool3d"], "self": (1, 5, 12, 13)}),
        ("avg_pool2d", {**CALLS["avg_pool2d"], "padding": [2]}),
        ("avg_pool2d", {**CALLS["avg_pool2d"], "self": (3, 12, 13)}),
    ],
)
def test_anything_else_is_left_to_pytorch(name: str, arguments: dict[str, Any]) -> None:
    assert known_result(name, {key: on_meta(value) for key, value in arguments.items()}) is None


def test_other_dtypes_and_layouts_are_left_to_pytorch() -> None:
    x = torch.empty(MAPS, device="meta")
    assert known_result("add", {"self": x, "other": x.half()}) is None
    assert known_result("add", {"self": x.long(), "other": 1.5}) is None
    weight = torch.empty(6, 5, device="meta")
    turned = torch.empty(4, 5, 2, device="meta").permute(0, 2, 1)
    assert known_result("linear", {"input": turned, "weight": weight, "bias": None}) is None
