"""Work of a training step, as products by hand; every operator that multiplies has a rule."""

from cnnstat.count.gradients import Needs, rules
from cnnstat.count.training import StepWork, training_work
from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import ShapedGraph
from cnnstat.ir.shapes import infer_shapes
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ops import (
    Conv2d,
    DeformConv2d,
    Flatten,
    Function,
    Input,
    Linear,
    Opaque,
    Recurrent,
    ReLU,
)
from tests.cases import CASES

CONV = 8 * 6 * 6 * 3 * 3 * 3
GROUPED = 8 * 4 * 4 * 2 * 3 * 3
FC = 5 * 8 * 4 * 4


def _net() -> ShapedGraph:
    b = Builder("net")
    x = b.add("input", Input((3, 8, 8)))
    x = b.add("conv/relu", ReLU(), b.add("conv", Conv2d(8, (3, 3)), x))
    x = b.add("grouped", Conv2d(8, (3, 3), groups=4), x)
    x = b.add("fc", Linear(5), b.add("flat", Flatten(), x))
    return infer_shapes(b.graph(x), {"input": TensorSpec((1, 3, 8, 8))})


def _by_name(shaped: ShapedGraph, known: dict[str, Needs]) -> dict[str, StepWork | None]:
    work = training_work(shaped, known)
    return {node.name: step for node, step in zip(shaped.nodes, work, strict=True)}


def test_the_backward_pass_has_a_product_for_each_factor_that_needs_a_gradient() -> None:
    steps = _by_name(_net(), {})
    assert steps["conv"] == StepWork(CONV, 0, CONV, 2 * 2 * CONV)
    assert steps["fc"] == StepWork(FC, FC, FC, 2 * 3 * FC)
    assert steps["conv/relu"] == StepWork()


def test_the_counter_of_pytorch_multiplies_by_the_groups_once_more() -> None:
    grouped = _by_name(_net(), {})["grouped"]
    assert grouped == StepWork(GROUPED, GROUPED, GROUPED, 2 * (2 + 4) * GROUPED)


def test_frozen_weights_get_no_gradient_and_nothing_is_passed_back_to_them() -> None:
    frozen = Needs((False,), (False, False))
    steps = _by_name(_net(), {"conv": frozen, "grouped": frozen})
    assert steps["conv"] == StepWork(CONV, 0, 0, 2 * CONV)
    assert steps["grouped"] == StepWork(GROUPED, 0, 0, 2 * GROUPED)
    assert steps["fc"] == StepWork(FC, 0, FC, 2 * 2 * FC)


def test_a_branch_that_does_not_leave_gets_nothing() -> None:
    b = Builder("net")
    x = b.add("a", Linear(4), b.add("input", Input((6,))))
    b.add("dead", Linear(9), x)
    shaped = infer_shapes(b.graph(b.add("b", Linear(2), x)), {})
    steps = _by_name(shaped, {})
    assert steps["dead"] == StepWork(9 * 4, 0, 0, 2 * 9 * 4)
    assert steps["a"] == StepWork(4 * 6, 0, 4 * 6, 2 * 2 * 4 * 6)


def test_the_first_step_of_a_recurrent_layer_passes_nothing_to_its_state() -> None:
    b = Builder("net")
    x = b.add("input", Input((5, 6)))
    shaped = infer_shapes(b.graph(b.add("lstm", Recurrent("LSTM", 7, layers=2), x)), {})
    first, second, state = 5 * 28 * 6, 5 * 28 * 7, 5 * 28 * 7
    forward = first + second + 2 * state
    passed = second + 2 * (state - 28 * 7)
    counted = 2 * (2 * forward + passed)
    assert _by_name(shaped, {})["lstm"] == StepWork(forward, passed, forward, counted)


def test_an_operator_without_a_rule_is_unknown() -> None:
    b = Builder("net")
    x = b.add("input", Input((6,)))
    x = b.add("strange", Opaque("strange", (TensorSpec((1, 6)),)), b.add("a", Linear(6), x))
    assert _by_name(infer_shapes(b.graph(x), {}), {})["strange"] is None


def test_every_operator_that_multiplies_has_a_rule() -> None:
    multiplying = {
        type(node.op)
        for case in CASES
        for node, facts in zip(case.shaped().nodes, case.shaped().facts, strict=True)
        if facts.work and facts.work.macs
    }
    # some functions have a rule, by their kind; a deformable convolution has no case yet
    assert multiplying | {Function, DeformConv2d} == set(rules())
