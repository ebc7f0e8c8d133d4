"""Text within so many columns of a terminal: prose in lines, names in fewer characters.

Prose is continued and never cut off. Names are paths, and those that differ still differ. The first
that suffices: leave out the folders that all share; cut the folders at the left to as many letters
as tell them from their siblings (``e/b/0/1/attention/query``); leave out the middle; number what
still reads alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Any


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


def shortened(names: Sequence[str], width: int, dots: str = "…") -> list[str]:
    """Return names of at most ``width`` characters, those that fit as they are."""
    longer = list(dict.fromkeys(name for name in names if len(name) > width))
    if not longer or width < 1:
        return list(names)
    fitting = {name for name in names if len(name) <= width}
    for attempt in (_without_common(longer, dots), _initials(names, longer, width)):
        short = [text for _, text in attempt]
        if max(map(len, short)) <= width and _are_distinct(short, fitting):
            return _replaced(names, dict(attempt))
    initials = dict(_initials(names, longer, width))
    middle = {name: _middle(initials[name], width, dots) for name in longer}
    if not _are_distinct(list(middle.values()), fitting):
        middle = dict(_numbered(middle, fitting, width, dots))
    return _replaced(names, middle)


def _replaced(names: Sequence[str], short: dict[str, str]) -> list[str]:
    return [short.get(name, name) for name in names]


def _are_distinct(short: Sequence[str], others: set[str]) -> bool:
    return len(set(short)) == len(short) and others.isdisjoint(short)


def _without_common(names: Sequence[str], dots: str) -> list[tuple[str, str]]:
    """Return names with the folders that all of them share as dots."""
    folders = zip(*[name.split("/")[:-1] for name in names], strict=False)
    shared = len(list(takewhile(lambda level: len(set(level)) == 1, folders)))
    if not shared:
        return [(name, name) for name in names]
    return [(name, "/".join([dots, *name.split("/")[shared:]])) for name in names]


def _initials(names: Sequence[str], longer: Sequence[str], width: int) -> list[tuple[str, str]]:
    """Return long names with their folders cut, from the left, until they fit."""
    siblings: dict[str, Any] = {}
    for name in names:
        level = siblings
        for part in name.split("/"):
            level = level.setdefault(part, {})
    short = []
    for name in longer:
        parts = name.split("/")
        cuts = list(_cut(parts, siblings))
        for end in range(len(parts)):
            text = "/".join([*cuts[:end], *parts[end:]])
            if len(text) <= width:
                break
        short.append((name, text))
    return short


def _cut(parts: Sequence[str], siblings: dict[str, Any]) -> Iterator[str]:
    """Yield each folder in as few letters as no sibling begins with; a number stays whole."""
    level = siblings
    for part in parts:
        others = [each for each in level if each != part]
        ends = (end for end in range(1, len(part)) if not part[:end].isdigit())
        yield next(
            (part[:end] for end in ends if not any(o.startswith(part[:end]) for o in others)), part
        )
        level = level[part]


def _middle(name: str, width: int, dots: str) -> str:
    if len(name) <= width:
        return name
    if width <= 2:
        return name[: width - 1] + dots
    head = (width - 1) // 3
    return f"{name[:head]}{dots}{name[len(name) - (width - 1 - head) :]}"


def _numbered(
    short: dict[str, str], taken: set[str], width: int, dots: str
) -> Iterator[tuple[str, str]]:
    """Yield names with a number in place of their ends where several read alike."""
    alike = Counter(short.values())
    number = 0
    for name, text in short.items():
        if alike[text] == 1 and text not in taken:
            yield name, text
            continue
        number += 1
        mark = f"{dots}{number}"
        yield name, f"{text[: max(width - len(mark), 0)]}{mark}"[:width]
