"""Views in place and unsafe splits cost nothing and leave what was captured before them alone."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from cnnstat import api
from tests.pytorch.capture.modules import Applied

VIEWS_IN_PLACE: dict[str, tuple[Callable[[Tensor], Tensor], tuple[int, ...]]] = {
    "unsqueeze_": (lambda x: x.unsqueeze_(1), (2, 1, 5, 4, 3)),
    "squeeze_": (lambda x: x[:, :1].squeeze_(1), (2, 4, 3)),
    "transpose_": (lambda x: x.transpose_(2, 3), (2, 5, 3, 4)),
    "swapdims_": (lambda x: x.swapdims_(1, 3), (2, 3, 4, 5)),
    "unsafe_chunk": (lambda x: x.unsafe_chunk(5, 1)[4], (2, 1, 4, 3)),
    "unsafe_split": (lambda x: torch.unsafe_split(x, 3, 1)[1], (2, 2, 4, 3)),
}


@pytest.mark.parametrize("name", VIEWS_IN_PLACE)
def test_a_view_in_place_is_a_view(name: str) -> None:
    """A layer keeps the shape that it made, and the view takes no memory."""
    change, shape = VIEWS_IN_PLACE[name]
    report = api.analyze(
        Applied(lambda x: change(x * 2)), input={"argument0": (5, 4, 3)}, batch=2
    ).report
    assert report.status == "complete"
    assert report.shaped.spec(report.shaped.graph.outputs[0]).shape == shape
    assert report.shaped.facts[1].outputs[0].shape == (2, 5, 4, 3)
    assert report.totals.activation_bytes == 2 * (2 * 5 * 4 * 3) * 4


def test_an_input_that_is_viewed_in_place_keeps_its_shape() -> None:
    report = api.analyze(
        Applied(lambda x: x.unsqueeze_(1) * 2), input={"argument0": (5,)}, batch=2
    ).report
    assert report.input.shape == (2, 5)
