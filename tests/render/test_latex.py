"""LaTeX that compiles: names with every kind of character, in the narrowest usual document."""

import shutil
import subprocess
from pathlib import Path

import pytest

from cnnstat.render.document import Column, Document
from cnnstat.render.formats import render

needs_pdflatex = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex here")

NAMES = (
    "a_b & 50% #1 $x$ ~t ^u",
    "back\\slash {brace} [1em] *<>|\"`'",
    "[2pt] at the start of a row",
    "*",
    "--- -- ?` !` ,, << >>",
    "café naïve ß Łódź façade ąęðþ «»",
    "αβγω ΔΣΩ → ≤ ≥ ≠ ∞ √ ²",
    "\u540d\u524d \U0001f642 \u0434\u0430",
    "e\u0301 with a combining accent",
    "\\end{tabular} \\input{x} %",
    "a_long_name_" * 12,
    "x" * 160,
)


def compiled(table: str, folder: Path) -> str:
    """Compile a table in a document of two columns, and return what LaTeX says of it."""
    head = r"\documentclass[twocolumn]{article}\usepackage{booktabs}\begin{document}"
    (folder / "page.tex").write_text(f"{head}\n{table}\n\\end{{document}}\n", encoding="utf-8")
    options = ("-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape")
    done = subprocess.run(
        ["pdflatex", *options, "page.tex"], cwd=folder, capture_output=True, timeout=60, check=False
    )
    said = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, said[said.find("\n!") :][:400]
    assert (folder / "page.pdf").stat().st_size > 0
    return said


def named(names: tuple[str, ...]) -> Document:
    columns = (Column("layer", "50% of_it & #"), Column("n", "N", "count"))
    rows = tuple((name, None if number % 2 else number) for number, name in enumerate(names))
    return Document("t_%$", columns, rows, {"schema": "s"}, total=("total", 30), lower_bound=True)


@needs_pdflatex
@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_any_characters_compiles(name: str, tmp_path: Path) -> None:
    assert "Missing character" not in compiled(render(named((name, name)), "latex"), tmp_path)


@needs_pdflatex
def test_a_compiler_that_stops_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="Undefined control sequence"):
        compiled(r"\nosuchcommand", tmp_path)


@needs_pdflatex
def test_a_table_without_rows_compiles(tmp_path: Path) -> None:
    compiled(render(named(()), "latex"), tmp_path)


def test_long_text_has_a_column_that_breaks_lines_and_short_text_has_none() -> None:
    long = render(named(("a_long_name/" * 6,)), "latex")
    assert r"\begin{tabular}{p{0.5\linewidth}r}" in long
    assert r"a\_\allowbreak{}long\_\allowbreak{}name/\allowbreak{}a" in long
    short = render(named(("a_name/a_name",)), "latex")
    assert r"\begin{tabular}{lr}" in short
    assert r"a\_name/a\_name &" in short


def test_engines_of_unicode_see_the_characters_and_pdflatex_their_codes() -> None:
    assert (r"\ifdefined\Umathchardef " "\u540d\u524d" r"\else U+540D U+524D\fi{}") in render(
        named(("\u540d\u524d",)), "latex"
    )
