"""The memory of a sweep is bounded, and forgetting changes no figure."""

import pytest

from cnnstat.api.sweeping import sweep
from cnnstat.count import counted
from cnnstat.ir import builder, shapes
from cnnstat.ir.shapes import FactTable, infer_shapes
from cnnstat.zoo.catalog import find

VALUES = {"depth": "10,16,22", "width": "range(1,9)", "input": "32,40"}


def rows() -> list[dict[str, object]]:
    result = sweep("wrn-{depth}-{width}", VALUES, columns="all")
    return [dict(row) for row in result.rows]


def test_small_tables_give_the_same_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = rows()
    monkeypatch.setattr(shapes.FactTable.__init__, "__defaults__", (50,))
    monkeypatch.setattr(counted, "MAX_PARTS", 60)
    monkeypatch.setattr(counted, "MAX_STRUCTURES", 1)
    monkeypatch.setattr(builder, "MAX_BLOCKS", 2)
    assert rows() == expected


def test_a_table_forgets_between_graphs() -> None:
    table = FactTable(10)
    for depth in (20, 26, 32):
        graph = find(f"resnet{depth}-cifar").build(10)
        assert infer_shapes(graph, {}, table).facts == infer_shapes(graph, {}).facts
    assert not table.begin()


def test_equal_operators_of_other_types_are_told_apart() -> None:
    """1, 1.0 and True are equal for Python, not for an operator."""
    from cnnstat.ir.tensor import TensorSpec
    from cnnstat.ops import Dropout

    table = FactTable()
    specs = (TensorSpec((1, 3)),)
    graph = find("lenet5").build(10)
    one, other = Dropout(0), Dropout(0.0)
    assert one == other
    facts = [table.ask(graph, "x", op, specs) for op in (one, other, Dropout(0.0))]
    assert facts[0] is not facts[1]
    assert facts[1] is facts[2]
