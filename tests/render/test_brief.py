"""An ordinary result fits a screen: definitions and sources need ``--verbose``."""

from dataclasses import replace

import pytest

from cnnstat import api
from cnnstat.bench.measurement import LayerTime, Measurement, Run, read_result
from cnnstat.count.layer import Layer
from cnnstat.count.report import Note
from cnnstat.render.bench import bench_document
from cnnstat.render.document import Document, Section, brief_document
from cnnstat.render.formats import Look, render
from cnnstat.render.summary import notes_lines
from cnnstat.zoo.catalog import names

SCREEN = 50


@pytest.mark.parametrize("width", [80, 120])
def test_a_summary_of_40_rows_fits_a_screen(width: int) -> None:
    fitting = 0
    for name in names():
        analysis = api.analyze(name)
        if len(analysis.layers) <= 40:
            text = render(brief_document(analysis.document()), "table", Look(width))
            assert len(text.splitlines()) <= SCREEN, name
            fitting += 1
    assert fitting > 30


@pytest.mark.parametrize("width", [80, 120])
def test_a_comparison_fits_a_screen(width: int) -> None:
    text = render(brief_document(api.compare().document()), "table", Look(width))
    assert len(text.splitlines()) <= SCREEN


SAVED = "samples/bench/cpu-1-thread.json"


def _timed(row: Layer) -> LayerTime:
    times = (12.34, 0.05, 12.34, 1.234, 0.567)
    macs, size = row.macs or 0, row.traffic.total
    return LayerTime(row.name, row.type, row.detail, macs, size, *times, "compute")


def _layered(run: Run, name: str) -> Run:
    rows = [_timed(row) for row in api.analyze(name).layers if row.traffic.total]
    note = "2 of 10 samples lie more than 3 interquartile ranges beyond the quartiles"
    return replace(run, model=name, layers=tuple(rows), layers_ms=123.4, note=note)


@pytest.mark.parametrize("width", [80, 120])
def test_measured_layers_of_40_rows_fit_a_screen(width: int) -> None:
    saved, fitting = read_result(SAVED), 0
    for name in names():
        run = _layered(saved.runs[0], name)
        if 20 <= len(run.layers) <= 40:
            document = bench_document(Measurement(saved.environment, (run,)))
            text = render(brief_document(document), "table", Look(width))
            assert len(text.splitlines()) <= SCREEN, name
            fitting += 1
    assert fitting > 10


@pytest.mark.parametrize("width", [80, 120])
def test_measured_models_with_a_baseline_fit_a_screen(width: int) -> None:
    saved = read_result(SAVED)
    runs = tuple(replace(run, ratio_to_baseline=1.05) for run in saved.runs)
    document = bench_document(replace(saved, runs=runs), baseline="old.json")
    text = render(brief_document(document), "table", Look(width))
    assert len(text.splitlines()) <= SCREEN


def test_brief_lines_stand_before_the_sections_that_stay() -> None:
    sections = (
        Section("Totals", ("a: long",), brief=("a",)),
        Section("Notes", ("n",)),
        Section("Legend", ("l",), brief=()),
    )
    document = Document("t", (), (), {}, sections=sections)
    assert brief_document(document).sections == (Section("", ("a",)), Section("Notes", ("n",)))


def test_equal_notes_are_one_line_with_examples() -> None:
    notes = [Note("no_rule", f"head/nms_{n}", "nms has no work rule") for n in range(9)]
    notes.append(Note("frozen", "", "3 parameters are frozen"))
    assert notes_lines(notes) == (
        "head/nms_0, head/nms_1, head/nms_2 and 6 more: nms has no work rule",
        "3 parameters are frozen",
    )
