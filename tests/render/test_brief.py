"""An ordinary result fits a screen: definitions and sources need ``--verbose``."""

import pytest

from cnnstat import api
from cnnstat.count.report import Note
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
