"""Plain ImageNet nets: the residual twin's layers without its shortcuts."""

import pytest

from cnnstat.api import analyze, load


@pytest.mark.parametrize(("name", "twin"), [("plain18", "resnet18-a"), ("plain34", "resnet34-a")])
def test_as_many_weights_and_macs_as_the_net_with_free_shortcuts(name: str, twin: str) -> None:
    plain, residual = analyze(name).totals, analyze(twin).totals
    assert (plain.params, plain.macs) == (residual.params, residual.macs)
    assert plain.depth == residual.depth == int(name.removeprefix("plain"))
    assert plain.paths == 1
    assert plain.flops < residual.flops


def test_plain34_is_3_6_billion_macs_as_figure_3_prints() -> None:
    assert round(analyze("plain34").totals.macs / 1e9, 1) == 3.6


def test_every_convolution_has_its_activation() -> None:
    nodes = load("plain34").graph.nodes
    counts = {kind: sum(n.op.type_name == kind for n in nodes) for kind in ("Conv2d", "ReLU")}
    assert counts == {"Conv2d": 33, "ReLU": 33}


@pytest.mark.parametrize("name", ["plain20-cifar", "plain56-cifar"])
def test_card_tells_the_degradation(name: str) -> None:
    card = load(name).card
    assert card is not None
    assert any("56-layer" in fact and "20-layer" in fact for fact in card.facts)
