"""Writes in place: every tensor that shows the memory has the new value."""

from collections.abc import Callable
from typing import Any

import pytest
from torch import Tensor, nn

from cnnstat import api
from cnnstat.ir.graph import Graph


class Applied(nn.Module):
    def __init__(self, call: Callable[[nn.Linear, Tensor], Any]) -> None:
        super().__init__()
        self.layer, self.norm, self.call = nn.Linear(8, 8), nn.BatchNorm1d(8), call

    def forward(self, x: Tensor) -> Any:
        """(n, 8) -> anything."""
        return self.call(self, x)  # type: ignore[arg-type]


def graph_of(call: Callable[[Any, Tensor], Any]) -> Graph:
    return api.analyze(Applied(call), input={"x": (8,)}, batch=2).shaped.graph


def through_all(m: Any, x: Tensor) -> Tensor:
    y: Tensor = m.layer(x)
    y[:, :].mul_(x)
    return y.tanh()


def through_detached(m: Any, x: Tensor) -> Tensor:
    y: Tensor = m.layer(x)
    y.detach().mul_(x)
    return y.tanh()


def through_data(m: Any, x: Tensor) -> Tensor:
    y: Tensor = m.layer(x)
    y.data.mul_(x)
    return y.tanh()


@pytest.mark.parametrize("call", [through_all, through_detached, through_data])
def test_another_name_of_the_same_elements_has_the_new_value(
    call: Callable[[Any, Tensor], Tensor],
) -> None:
    graph = graph_of(call)
    last = graph.nodes[graph.outputs[0].node]
    assert last.op.type_name == "Tanh"
    assert graph.nodes[last.inputs[0].node].op.type_name == "Mul"


def seen_flat(m: Any, x: Tensor) -> Tensor:
    y = m.layer(x)
    flat: Tensor = y.view(-1)
    y.mul_(x)
    return flat.tanh()


def seen_in_halves(m: Any, x: Tensor) -> Tensor:
    y = m.layer(x)
    a, b = y.chunk(2, 1)
    y.mul_(x)
    out: Tensor = a * b
    return out


def seen_turned(m: Any, x: Tensor) -> Tensor:
    y = m.layer(x)
    turned = y.t()
    y.mul_(x)
    out: Tensor = turned.tanh()
    return out


@pytest.mark.parametrize("call", [seen_flat, seen_in_halves, seen_turned])
def test_an_earlier_view_has_the_new_value(
    call: Callable[[Any, Tensor], Tensor],
) -> None:
    report = api.analyze(Applied(call), input={"x": (8,)}, batch=2)
    graph = report.shaped.graph
    for value in graph.nodes[graph.outputs[0].node].inputs:
        into = graph.nodes[value.node]
        assert into.op.type_name == "Into"
        assert graph.nodes[into.inputs[1].node].op.type_name == "Mul"


def test_a_later_view_needs_nothing() -> None:
    def call(m: Any, x: Tensor) -> Tensor:
        y = m.layer(x)
        y += x
        y *= x
        out: Tensor = y.view(2, -1).relu_()
        return out

    assert "Into" not in {node.op.type_name for node in graph_of(call).nodes}
