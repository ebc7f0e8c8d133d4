"""A YAML document with the line of every value, read safely and within limits.

YAML is composed, never constructed: no tag can run anything. Aliases are counted each time they
are used, so that a document that unfolds without end stops at ``MAX_VALUES``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cnnstat.errors import MissingDependencyError, ModelError

MAX_BYTES = 4_000_000
MAX_COMPOSED = 100_000
MAX_VALUES = 500_000
MAX_NESTING = 40
MAX_DIGITS = 40

Scalar = str | int | float | bool | None


class SpecError(ModelError):
    """A spec file that describes no model: file, line, value, rule (exit code 3)."""

    def __init__(self, file: str, line: int, message: str) -> None:
        super().__init__(f"{file}:{line}: {message}")
        self.line = line


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of the document.

    A scalar, a list of entries, or a mapping of names to entries; and its line.
    """

    value: Scalar | list[Entry] | dict[str, Entry]
    line: int

    def plain(self) -> object:
        """Return the value without lines, as plain Python objects."""
        if isinstance(self.value, list):
            return [entry.plain() for entry in self.value]
        if isinstance(self.value, dict):
            return {key: entry.plain() for key, entry in self.value.items()}
        return self.value


def parse(text: str, file: str) -> Entry:
    """Return the document's root; raise ``SpecError`` where it is no YAML or beyond the limits."""
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise MissingDependencyError("PyYAML", "yaml") from error

    if len(text) > MAX_BYTES:
        raise SpecError(file, 1, f"{len(text):,} characters; at most {MAX_BYTES:,} are read")

    class Bounded(yaml.SafeLoader):
        """Counts the values that it composes."""

        values = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            self.values += 1
            if self.values > MAX_COMPOSED:
                line = self.line + 1
                raise SpecError(file, line, f"more than {MAX_COMPOSED:,} values")
            return super().compose_node(parent, index)

    try:
        root = yaml.compose(text, Loader=Bounded)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or "no YAML"
        raise SpecError(file, mark.line + 1 if mark else 1, f"not YAML: {what}") from error
    except RecursionError as error:
        raise SpecError(file, 1, f"nested deeper than {MAX_NESTING} levels") from error
    if root is None:
        raise SpecError(file, 1, "the file is empty; it needs at least 'input' and 'layers'")
    return _Reader(file, yaml.SafeLoader("")).entry(root, 0)


class _Reader:
    def __init__(self, file: str, loader: Any) -> None:
        self.file = file
        self.loader = loader
        self.values = 0

    def entry(self, node: Any, nesting: int) -> Entry:
        line = node.start_mark.line + 1
        self.values += 1
        if self.values > MAX_VALUES:
            raise SpecError(self.file, line, f"unfolds to more than {MAX_VALUES:,} values")
        if nesting > MAX_NESTING:
            raise SpecError(self.file, line, f"nested deeper than {MAX_NESTING} levels")
        if node.id == "scalar":
            return Entry(self._scalar(node, line), line)
        if node.id == "sequence":
            return Entry([self.entry(child, nesting + 1) for child in node.value], line)
        entries: dict[str, Entry] = {}
        for key, child in node.value:
            at = key.start_mark.line + 1
            if key.id != "scalar":
                raise SpecError(self.file, at, "a key must be a word")
            if key.value in entries:
                raise SpecError(self.file, at, f"the key {key.value!r} appears twice")
            entries[self._text(key, at)] = self.entry(child, nesting + 1)
        return Entry(entries, line)

    def _scalar(self, node: Any, line: int) -> Scalar:
        text = self._text(node, line)
        if node.tag not in _TAGS:
            return text
        if node.tag in _NUMBERS and len(text) > MAX_DIGITS:
            raise SpecError(self.file, line, f"a number of more than {MAX_DIGITS} characters")
        try:
            value = self.loader.construct_object(node)
        except Exception as error:  # PyYAML raises what its conversions raise
            kind = node.tag.rpartition(":")[2]
            raise SpecError(self.file, line, f"{text[:40]!r} is not a valid {kind}") from error
        return value if isinstance(value, str | int | float | bool | None) else text

    def _text(self, node: Any, line: int) -> str:
        text = str(node.value)
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise SpecError(self.file, line, f"{text[:40]!a} is not Unicode text")
        return text


_NUMBERS = {f"tag:yaml.org,2002:{kind}" for kind in ("int", "float")}
_TAGS = _NUMBERS | {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "str")}
