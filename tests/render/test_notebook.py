"""Reports and comparisons in a notebook: the same values as on the command line."""

import builtins
import csv
import io
import json
from typing import Any

import pandas
import pytest

from cnnstat import api
from cnnstat.errors import MissingDependencyError
from cnnstat.render.formats import render
from cnnstat.render.notebook import Shown

SHOWN: list[Shown] = [
    api.analyze("lenet5"),
    api.analyze("vgg16", input=(64,), batch=2),
    api.compare("alexnet", "googlenet", baseline="alexnet"),
]


@pytest.mark.parametrize("shown", SHOWN)
def test_a_result_shows_itself_as_html(shown: Shown) -> None:
    html = shown._repr_html_()
    assert html.startswith('<div class="cnnstat">')
    assert html.count("<table>") == 1
    assert "<script" not in html


@pytest.mark.parametrize("shown", SHOWN)
def test_the_forms_are_the_formats_of_the_command_line(shown: Shown) -> None:
    document = shown.document()
    assert shown.to_csv() == render(document, "csv")
    assert shown.to_dict() == json.loads(render(document, "json"))


@pytest.mark.parametrize("shown", SHOWN)
def test_a_data_frame_has_the_columns_and_raw_values(shown: Shown) -> None:
    frame = shown.to_pandas()
    rows = list(csv.reader(io.StringIO(shown.to_csv())))
    assert list(frame.columns) == rows[0]
    assert len(frame) == len(rows) - 1
    for row, values in zip(rows[1:], frame.itertuples(index=False), strict=True):
        for text, value in zip(row, values, strict=True):
            assert text == "" if pandas.isna(value) else str(value) in (text, f"{text}.0")


def test_counts_stay_whole_numbers() -> None:
    frame = SHOWN[0].to_pandas()
    assert str(frame["params"].dtype) == "Int64"
    assert frame["params"].sum() == 60_000


def test_csv_loads_with_one_call() -> None:
    frame = pandas.read_csv(io.StringIO(SHOWN[1].to_csv()))
    assert frame["params"].sum() == api.analyze("vgg16", input=(64,)).totals.params


def test_a_summary_quotes_what_was_published() -> None:
    assert api.analyze("vgg16").to_dict()["published"]
    assert api.analyze("vgg16", input=(64,)).to_dict()["published"] == []


def test_without_pandas_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "pandas":
            raise ImportError(name)
        return load(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingDependencyError, match=r"needs pandas, .*: pip install pandas "):
        SHOWN[0].to_pandas()


def test_a_cell_has_the_columns_that_fit_and_names_the_others() -> None:
    html = api.analyze("resnet50")._repr_html_()
    assert "Not shown: " in html
    assert "(to_csv() has all)" in html
    heading = html[html.index("<thead") : html.index("</thead>")]
    for title in ("Layer", "Output", "Parameters", "MACs"):
        assert title in heading
    assert "Biases" not in heading
