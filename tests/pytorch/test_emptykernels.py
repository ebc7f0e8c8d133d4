"""Functions on empty tensors against the same functions on the CPU: layouts, dtypes, storages."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from cnnstat.pytorch.emptykernels import CORRECTIONS, KNOWN
from tests.pytorch.empty_calls import CALLS, BothWays, Call
from tests.pytorch.test_rehearsal import MODULES

LAYOUTS = (torch.contiguous_format, torch.channels_last)
BEYOND = {"mkldnn_rnn_layer"}
"""Known in inference alone: ``test_an_lstm_is_known_in_inference_alone`` runs it."""


def run(mode: BothWays, call: Call, x: Tensor) -> None:
    """Run a call and its backward pass."""
    with mode:
        leaves = [leaf for leaf in tree_leaves(call(x)) if isinstance(leaf, Tensor)]
        learned = [leaf for leaf in leaves if leaf.requires_grad]
        if learned:
            torch.autograd.backward(learned, [torch.ones_like(leaf) for leaf in learned])


@pytest.fixture(scope="module")
def both_ways() -> BothWays:
    """Return the mode under which everything has run, in both layouts and under autocast."""
    mode = BothWays()
    for calls in CALLS.values():
        for call in calls:
            for layout in LAYOUTS:
                x = torch.randn(2, 8, 6, 6).contiguous(memory_format=layout)
                run(mode, call, x.requires_grad_())
    for make in MODULES.values():
        for lower in (False, True):
            module: Any = make()
            with torch.autocast("cpu", torch.bfloat16, enabled=lower):
                run(mode, module.train(), torch.randn(2, 3, 32, 32))
                with torch.no_grad():
                    run(mode, module.eval(), torch.randn(2, 3, 32, 32))
    return mode


def test_known_functions_are_laid_out_as_on_the_cpu(both_ways: BothWays) -> None:
    assert both_ways.different == {}


def test_every_known_function_has_run(both_ways: BothWays) -> None:
    assert KNOWN - both_ways.alike == BEYOND
    assert set(CORRECTIONS) <= KNOWN
