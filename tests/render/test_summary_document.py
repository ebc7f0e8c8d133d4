"""The rows of a summary add up to its total row, in every column that adds up and in every view."""

import pytest

from cnnstat import api
from cnnstat.bench.roofline import Peak
from cnnstat.errors import UsageError
from cnnstat.render.columns import LAYER_COLUMNS, chosen
from cnnstat.render.summary import View, summary_document
from cnnstat.zoo.catalog import names

VIEWS = [
    View(columns="all"),
    View(columns="all", expand=True),
    View(columns="all", depth=1),
    View(columns="all", depth=2),
    View(columns="all", expand=True, depth=1),
    View(columns="all", sort="macs", top=3),
    View(columns="all", tree=True, depth=1),
]


@pytest.mark.parametrize("name", names())
def test_rows_add_up(name: str) -> None:
    report = api.analyze(name, convention="fvcore").report
    for view in VIEWS:
        document = summary_document(report, reference=name, view=view)
        rows = [*document.rows, *([document.rest] if document.rest else [])]
        assert document.total is not None
        adding = 0
        for index, total in enumerate(document.total):
            if isinstance(total, int):
                cells = [row[index] for row in rows]
                assert sum(cell for cell in cells if isinstance(cell, int)) == total
                assert all(isinstance(cell, int) for cell in cells)
                adding += 1
            elif isinstance(total, float):
                parts = [row[index] for row in rows]
                assert sum(p for p in parts if isinstance(p, float)) == pytest.approx(total)
        # weights, biases, params, buffers, three kinds of bytes, MACs, FLOPs, counted
        assert adding == 10


def test_a_list_of_columns_replaces_and_a_plus_adds() -> None:
    default = [entry.key for entry in chosen(None, "paper")]
    assert default == [
        *("layer", "operator", "output", "weights", "biases", "params"),
        *("activation_bytes", "macs", "flops"),
    ]
    assert [entry.key for entry in chosen("macs,layer,macs", "paper")] == ["macs", "layer"]
    assert [entry.key for entry in chosen("+jump", "paper")] == [*default, "jump"]
    assert [entry.key for entry in chosen(None, "torch")] == [*default, "counted"]
    free = [entry for entry in LAYER_COLUMNS if not entry.needs]
    assert len(chosen("all", "paper")) == len(free)
    every = chosen("all", "paper", training=True, peak=Peak(1e12, 1e9))
    assert len(every) == len(LAYER_COLUMNS)
    with pytest.raises(UsageError, match="did you mean jump"):
        chosen("+jmp", "paper")


def test_the_counted_column_is_called_after_its_convention() -> None:
    assert chosen(None, "fvcore")[-1].column.title == "fvcore"


def test_sorting_puts_the_largest_first_and_words_in_order() -> None:
    report = api.analyze("lenet5").report
    by_params = summary_document(report, reference="", view=View("layer", sort="params"))
    assert [row[0] for row in by_params.rows][:2] == ["C5", "F6"]
    by_name = summary_document(report, reference="", view=View("layer", sort="layer"))
    assert [row[0] for row in by_name.rows] == sorted(str(row[0]) for row in by_name.rows)


@pytest.mark.parametrize(
    ("columns", "formulas"),
    [
        ("layer,params,macs", ["params_formula", "macs_formula"]),
        ("layer,activation-bytes", ["activation_formula"]),
        ("layer,output", ["params_formula", "activation_formula", "macs_formula"]),
        ("macs_formula,params", ["macs_formula"]),
        ("+jump", ["params_formula", "activation_formula", "macs_formula"]),
    ],
)
def test_formulas_are_shown_whatever_the_columns(columns: str, formulas: list[str]) -> None:
    keys = [entry.key for entry in chosen(columns, "paper", formulas=True)]
    assert [key for key in keys if key.endswith("_formula")] == formulas
