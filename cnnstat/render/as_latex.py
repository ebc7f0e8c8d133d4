"""LaTeX: a ``tabular`` for the package booktabs; title and text are comments.

A missing value is a dash. Nothing in a cell is a command of LaTeX, and every cell compiles with
pdfLaTeX, LuaLaTeX and XeLaTeX without a further package. Long text is broken into lines.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from cnnstat.render.as_html import LONG
from cnnstat.render.cells import Grid, grid
from cnnstat.render.document import Cell, Column, Document
from cnnstat.render.formats import Look

MISSING = "--"

SPECIAL = {
    **{character: f"\\{character}" for character in "{}$&%#_"},
    **{character: f"{{{character}}}" for character in "[]*"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "`": r"\textasciigrave{}",
}
"""Characters that LaTeX does not print as they are, or reads as an option after a row's end."""

NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau "
    "upsilon phi chi psi omega Gamma Delta Theta Lambda Pi Sigma Phi Psi Omega leq geq neq approx "
    "infty surd sum cdot"
)
MATH = dict(zip("αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΠΣΦΨΩ≤≥≠≈∞√∑⋅", NAMES.split(), strict=True))
"""Characters that LaTeX has in formulas, by the name of the command."""

WRITTEN = str.maketrans(SPECIAL | {character: f"$\\{name}$" for character, name in MATH.items()})

WITHOUT_T1 = "«»ÐÞðþĄąĐđĘęĦħĮįĸĿŀŉŊŋŦŧŲųſ"
UNSET = re.compile(
    rf"(?:[^\x00-\u017e\u2013\u2014\u2018\u2019\u201c\u201d…†‡•€™←↑→↓]|[{WITHOUT_T1}])+"
)
"""Characters that pdfLaTeX stops at in its default encoding."""

BREAKS = re.compile(r"(?<=[_/.:+=*(\[{)\]}<>|\\])")
"""Places in words of more than ``WORD`` characters where a line of a wide column may end."""
WORD = 16


def render(document: Document, look: Look) -> str:
    """Return title and table; text below the table follows as comments."""
    cells = grid(document)
    blocks = [_comment(line) for line in (document.title, document.subtitle) if line]
    blocks += _table(document, cells)
    for section in document.sections:
        heading = [f"{section.title}:"] if section.title else []
        blocks += map(_comment, (*heading, *section.lines))
    return "\n".join(blocks) + "\n"


def _table(document: Document, cells: Grid) -> list[str]:
    columns = document.columns
    wide = [
        column.kind == "text" and any(len(texts[index]) > LONG for texts in cells.rows)
        for index, column in enumerate(columns)
    ]
    alignment = "".join(
        "p{0.5\\linewidth}" if is_wide else "l" if column.kind == "text" else "r"
        for column, is_wide in zip(columns, wide, strict=True)
    )
    values = [*document.rows, *([] if document.rest is None else [document.rest])]
    body = [
        _line(map(_cell, columns, row, texts, wide))
        for row, texts in zip(values, cells.rows, strict=True)
    ]
    lines = [
        f"\\begin{{tabular}}{{{alignment}}}",
        "\\toprule",
        _line(map(escape, cells.titles)),
        "\\midrule",
        *body,
    ]
    if document.total is not None and cells.total is not None:
        lines += ["\\midrule", _line(map(_cell, columns, document.total, cells.total, wide))]
    return [*lines, "\\bottomrule", "\\end{tabular}"]


def _line(cells: Iterable[str]) -> str:
    return f"{' & '.join(cells)} \\\\"


def _cell(column: Column, value: Cell, text: str, wide: bool) -> str:
    if value is None:
        return MISSING
    if text.startswith(">= "):
        return f"$\\geq$ {escape(text.removeprefix('>= '))}"
    if column.kind == "shape":
        return re.sub(r"(?<=\d)x(?=\d)", r"$\\times$", escape(text))
    return " ".join(map(_breakable, text.split())) if wide else escape(text)


def _breakable(word: str) -> str:
    """Return a word as ``escape`` does; a long one has places where a line may end."""
    if len(word) <= WORD:
        return escape(word)
    parts = BREAKS.split(word)
    return "\\allowbreak{}".join(map(escape, parts)).removesuffix("\\allowbreak{}")


def escape(text: str) -> str:
    """Return text that LaTeX prints as it is, on one line."""
    escaped = unicodedata.normalize("NFC", text).translate(WRITTEN)
    return " ".join(re.sub("-(?=-)", "-{}", UNSET.sub(_codes, escaped)).split())


def _codes(match: re.Match[str]) -> str:
    """Return characters as they are for engines of Unicode, and as codes for pdfLaTeX."""
    codes = " ".join(f"U+{ord(character):04X}" for character in match[0])
    return f"\\ifdefined\\Umathchardef {match[0]}\\else {codes}\\fi{{}}"


def _comment(line: str) -> str:
    return f"% {' '.join(line.split())}"
