"""A YAML document with the line of every value, read safely and within limits.

YAML is composed, never constructed: no tag can run anything. Aliases are counted each time they
are used, so that a document that unfolds without end stops at ``MAX_VALUES``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnnstat.errors import MissingDependencyError, ModelError

if TYPE_CHECKING:
    import yaml

MAX_BYTES = 4_000_000
MAX_VALUES = 500_000
MAX_NESTING = 40

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
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
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
    def __init__(self, file: str, loader: yaml.SafeLoader) -> None:
        self.file = file
        self.loader = loader
        self.values = 0

    def entry(self, node: yaml.Node, nesting: int) -> Entry:
        import yaml

        line = node.start_mark.line + 1
        self.values += 1
        if self.values > MAX_VALUES:
            raise SpecError(self.file, line, f"unfolds to more than {MAX_VALUES:,} values")
        if nesting > MAX_NESTING:
            raise SpecError(self.file, line, f"nested deeper than {MAX_NESTING} levels")
        if isinstance(node, yaml.SequenceNode):
            return Entry([self.entry(child, nesting + 1) for child in node.value], line)
        if isinstance(node, yaml.MappingNode):
            return Entry(self._mapping(node, nesting), line)
        return Entry(self._scalar(node, line), line)

    def _mapping(self, node: yaml.MappingNode, nesting: int) -> dict[str, Entry]:
        import yaml

        found: dict[str, Entry] = {}
        for key, child in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise SpecError(self.file, line, "a key must be a word")
            if key.value in found:
                raise SpecError(self.file, line, f"the key {key.value!r} stands twice")
            found[str(key.value)] = self.entry(child, nesting + 1)
        return found

    def _scalar(self, node: yaml.Node, line: int) -> Scalar:
        value = self.loader.construct_object(node) if node.tag in _TAGS else str(node.value)
        if not isinstance(value, str | int | float | bool | None):
            return str(node.value)
        return value


_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str")}
