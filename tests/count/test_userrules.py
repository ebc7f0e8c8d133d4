"""Rules that are registered: how they are named, what they may return, where they are used."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest

import cnnstat
from cnnstat.count.report import analyze
from cnnstat.count.userrules import RULES, rule_notes, with_rules
from cnnstat.errors import UsageError
from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import ShapedGraph
from cnnstat.ir.shapes import infer_shapes
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.work import Work
from cnnstat.ops import Input, Linear, Opaque


@pytest.fixture(autouse=True)
def _rules() -> Iterator[None]:
    before = dict(RULES)
    yield
    RULES.clear()
    RULES.update(before)


def _net() -> ShapedGraph:
    b = Builder("net")
    x = b.add("fc", Linear(6), b.add("input", Input((4,))))
    return infer_shapes(b.graph(b.add("mix", Opaque("Mix", (TensorSpec((1, 6)),)), x)), {})


def test_a_rule_counts_what_was_unknown() -> None:
    assert analyze(_net()).status == "partial"

    @cnnstat.register("Mix")
    def mix(call: Any) -> int:
        return int(call.inputs[0].numel * call.outputs[0].numel)

    shaped = with_rules(_net())
    report = analyze(shaped)
    assert (report.status, report.totals.macs) == ("complete", 4 * 6 + 6 * 6)
    (note,) = rule_notes(shaped)
    assert note.path == "mix"
    assert "Mix is counted by a rule of cnnstat.register: mix (" in note.message
    assert mix.__name__ == "mix"  # the decorator gives the function back


@pytest.mark.parametrize(
    ("result", "work"),
    [
        (12, Work(macs=12)),
        ({"macs": 3, "additions": 4}, Work(macs=3, additions=4)),
        (Work(comparisons=5), Work(comparisons=5)),
        ({}, Work()),
    ],
)
def test_results_of_a_rule(result: Any, work: Work) -> None:
    cnnstat.register("Mix", lambda call: result)
    assert with_rules(_net()).facts[-1].work == work


@pytest.mark.parametrize(
    "result", [-1, 1.5, None, True, "3", {"mac": 3}, {"macs": -3}, [3], 10**19, {"macs": 10**400}]
)
def test_a_result_that_is_no_work(result: Any) -> None:
    cnnstat.register("Mix", lambda call: result)
    with pytest.raises(
        UsageError, match=r"rule of Mix, <lambda> .*: returned .*; expected a whole"
    ):
        with_rules(_net())


def test_a_rule_that_fails() -> None:
    cnnstat.register("Mix", lambda call: 1 // 0)
    with pytest.raises(UsageError, match=r"rule of Mix, .*: ZeroDivisionError"):
        with_rules(_net())


def test_a_rule_that_exits() -> None:
    cnnstat.register("Mix", lambda call: sys.exit(3))
    with pytest.raises(UsageError, match=r"rule of Mix, .*: SystemExit: 3"):
        with_rules(_net())


def test_a_name_has_one_rule() -> None:
    cnnstat.register("Mix", lambda call: 1)
    with pytest.raises(UsageError, match="register Mix: it already has a rule, <lambda>"):
        cnnstat.register("Mix", lambda call: 2)
    cnnstat.register("Mix", lambda call: 2, replace=True)
    assert with_rules(_net()).facts[-1].work == Work(macs=2)


@pytest.mark.parametrize("arguments", [("", len), (3, len), ("Mix", 3)])
def test_what_cannot_be_registered(arguments: Any) -> None:
    with pytest.raises(UsageError, match="expected"):
        cnnstat.register(*arguments)


def test_what_cnnstat_counts_it_goes_on_counting() -> None:
    cnnstat.register("Linear", lambda call: 10**9)
    assert with_rules(_net()).facts[1].work == Work(macs=4 * 6, bias_adds=6)
