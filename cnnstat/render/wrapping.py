"""Text in a terminal: its width, and lines of prose within one, continued and never cut off."""

from __future__ import annotations


def cell_len(text: str) -> int:
    """Return the columns of a terminal that a text takes; wide characters take two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def wrapped(
    line: str, width: int | None, *, indent: int | None = None, in_cell: bool = False
) -> list[str]:
    """Return a line as lines of at most ``width``; a longer word is broken in a table's cell only.

    A continuation starts where the last column of the line starts (after two or more spaces), or
    where the line's own text starts if that column lies beyond half of the width; or at ``indent``.
    """
    if width is None or len(line) <= width:
        return [line]
    import re
    from textwrap import wrap

    start = len(line) - len(line.lstrip())
    columns = [match.end() for match in re.finditer(r"(?<=\S) {2,}", line)]
    if indent is None:
        indent = max((at for at in columns if at <= width // 2), default=start + 2)
    broken = in_cell and any(len(word) > width for word in line.split())
    return wrap(
        line,
        width,
        subsequent_indent=" " * indent,
        break_long_words=broken,
        break_on_hyphens=broken,
        drop_whitespace=True,
    ) or [""]
