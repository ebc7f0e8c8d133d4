"""Inputs as a file declares them, completed by the shapes and the batch that the user gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from cnnstat.errors import UsageError, unknown
from cnnstat.importers.naming import printable
from cnnstat.importers.reference import Imported, Shapes
from cnnstat.ir.tensor import TensorSpec


class FileModel(NamedTuple):
    """The inputs as a file declares them (0 for a free extent), and what makes the graph.

    ``fill`` returns the spec of every input from shapes of some and a batch.
    """

    inputs: Mapping[str, TensorSpec]
    fill: Callable[[Shapes, int], dict[str, TensorSpec]]
    trace: Callable[[Mapping[str, TensorSpec]], Imported]


@dataclass(frozen=True, slots=True)
class Declared:
    """An input as the file declares it; None for an extent that is free, a text if it is named."""

    name: str
    extents: tuple[int | str | None, ...] | None
    dtype: str

    @property
    def spec(self) -> TensorSpec:
        """The spec with 0 for each free extent; (0, 0) for an unknown rank."""
        extents = (None, None) if self.extents is None else self.extents
        return TensorSpec(tuple(e if isinstance(e, int) else 0 for e in extents), self.dtype)

    @property
    def shape_text(self) -> str:
        """The extents as an error message shows them."""
        extents = (printable(str(e or "?")) if e != 0 else "0" for e in self.extents or ())
        return "x".join(extents) or "a scalar"


def entering_specs(
    reference: str,
    inputs: Mapping[str, Declared],
    shapes: Shapes,
    batch: int = 1,
    *,
    usual: Mapping[str, int] = MappingProxyType({}),
) -> dict[str, TensorSpec]:
    """Return the spec of every input: of these shapes, else as the file declares it.

    The first axis is the batch where the file leaves it open. One that it fixes stays as it is,
    unless there is a batch of several: that replaces it where it is the first input's. An axis
    that has a name has the same extent wherever the name stands; ``usual`` are extents by name for
    those that nothing else fills. Raises ``UsageError`` for an open
    extent that nothing fills, for a name that is not an input, and for a shape of another rank.
    """
    for name in shapes:
        if name not in inputs:
            raise unknown("input", name, inputs)
    names: dict[str, int] = {}
    extents = {
        name: _stated(reference, declared, shapes.get(name), names)
        for name, declared in inputs.items()
    }
    leads = [each.extents[0] for each in inputs.values() if each.extents]
    fixed = leads[0] if leads and isinstance(leads[0], int) and batch != 1 else None
    specs: dict[str, TensorSpec] = {}
    for name, declared in inputs.items():
        shape = extents[name]
        if shape and (shape[0] is None or shape[0] == fixed):
            shape[0] = batch
            if declared.extents and isinstance(declared.extents[0], str):
                shape[0] = names.setdefault(declared.extents[0], batch)
        for axis, extent in enumerate(declared.extents or ()):
            if shape[axis] is None and isinstance(extent, str):
                shape[axis] = names.get(extent, usual.get(extent))
        if None in shape:
            raise UsageError(_free(reference, inputs, declared))
        spec = shapes.get(name)
        dtype = spec.dtype if isinstance(spec, TensorSpec) else declared.dtype
        specs[name] = TensorSpec(tuple(extent or 0 for extent in shape), dtype)
    return specs


def _stated(
    reference: str,
    declared: Declared,
    wanted: tuple[int, ...] | TensorSpec | None,
    names: dict[str, int],
) -> list[int | None]:
    """Return the extents that are known of an input; ``names`` collects those of named axes."""
    behind = wanted.shape if isinstance(wanted, TensorSpec) else wanted
    if declared.extents is None:
        return [None, None] if behind is None else [None, *behind]
    if behind is None:
        return [
            names.get(extent) if isinstance(extent, str) else extent for extent in declared.extents
        ]
    if not declared.extents and not behind:
        return []
    axes = list(declared.extents[1:])
    if not declared.extents or len(axes) != len(behind):
        raise UsageError(
            f"{reference}: its input {declared.name!r} is {declared.shape_text}, so "
            f"{'x'.join(map(str, behind))} does not fit: give {len(axes)} extents, without the "
            "first axis"
        )
    for axis, extent in zip(axes, behind, strict=True):
        if isinstance(axis, str):
            names.setdefault(axis, extent)
    lead = declared.extents[0]
    return [lead if isinstance(lead, int) else None, *behind]


def _free(reference: str, inputs: Mapping[str, Declared], declared: Declared) -> str:
    name = printable(declared.name)
    if declared.extents is None:
        return (
            f"{reference}: the file does not state the shape of its input {name!r}: "
            f"give it without the batch, as in --input {name}=3x224x224"
        )
    usual = "x".join(str(e) if isinstance(e, int) else "224" for e in declared.extents[1:])
    several = f"{name}=" if len(inputs) > 1 else ""
    return (
        f"{reference}: its input {name!r} is {declared.shape_text}, whose extents are not all "
        f"fixed: give them, as in --input {several}{usual}"
    )
