"""Models in a quantised type: the names that choose one, and its note."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnstat.errors import UsageError

if TYPE_CHECKING:
    from cnnstat.count.report import Note, Report
    from cnnstat.ir.graph import ShapedGraph

CODE = "quantized"
"""Code of the note on a report in a quantised type."""

NAMES = ("int8", "uint8", "int4")
"""Names of ``--dtype`` that quantise; equal to those of ``count.quantized``, tested."""


def quantized_dtype(dtype: str | None, mode: str = "inference") -> str | None:
    """Return the quantised type that a name chooses; None for any other name.

    Raises ``UsageError`` in training, which needs floating-point numbers.
    """
    name = None if dtype is None else str(dtype).removeprefix("torch.")
    if name not in NAMES:
        return None
    if mode == "training":
        raise UsageError(f"dtype {name}: training needs a floating-point type")
    return name


def check_runs(report: Report, purpose: str) -> None:
    """Raise ``UsageError`` where a quantised report is to be compared with a run of the model."""
    if any(note.code == CODE for note in report.notes):
        raise UsageError(
            f"{report.name}: {purpose} runs in floating point, and a quantised --dtype is for "
            "sizes: leave it out"
        )


def quantized(shaped: ShapedGraph, dtype: str) -> tuple[ShapedGraph, Note]:
    """Return the graph in a quantised type, and the note on it."""
    from cnnstat.count.quantized import QUANTIZED
    from cnnstat.count.quantized import quantized as in_type
    from cnnstat.count.report import Note

    weights, activations = QUANTIZED[dtype]
    message = (
        f"sized as if every floating-point weight were {weights} and every activation "
        f"{activations}, without scales and zero points; operations are those of the model"
    )
    return in_type(shaped, dtype), Note(CODE, "", message)
