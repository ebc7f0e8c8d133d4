"""Every model of the zoo, operator by operator, against PyTorch's counter and fvcore."""

import pytest

from cnnstat.api import check, load
from cnnstat.zoo.catalog import names

DEEP = 2000
"""Operators from which on a trace takes many seconds: left to ``cnnstat check --all`` in CI."""

QUICK = [name for name in names() if len(load(name).graph.nodes) < DEEP]


@pytest.mark.parametrize("name", QUICK)
def test_shapes_weights_and_counts_agree(name: str) -> None:
    assert check(name).differences == ()


def test_only_repetitions_of_blocks_that_are_checked_here_are_left_out() -> None:
    assert set(names()) - set(QUICK) == {
        "resnet1202-cifar",  # of resnet110-cifar's
        "preresnet1001-cifar",  # of preresnet164-cifar's
        "stochastic-depth-1202-cifar",  # of stochastic-depth-110-cifar's
    }
