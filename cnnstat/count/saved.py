"""A saved ``summary --format json`` as a report: its figures and rows, without a graph.

Whatever reads the graph raises ``UsageError``, so that a saved result serves wherever its figures
suffice. ``savedfile.py`` reads and checks the file.
"""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from cnnstat.count.conventions import PAPER, Convention
from cnnstat.count.figures import Figures
from cnnstat.count.layer import Layer
from cnnstat.count.report import Note, Report, Totals
from cnnstat.errors import UsageError
from cnnstat.ir.graph import ShapedGraph
from cnnstat.ir.tensor import TensorSpec

if TYPE_CHECKING:
    from cnnstat.count.receptive.field import ReceptiveField

Status = Literal["complete", "partial"]


class Row(NamedTuple):
    """A saved row: ``counted`` under the convention that the file was written with."""

    name: str
    path: str
    type: str
    detail: str
    inputs: tuple[TensorSpec, ...]
    output: TensorSpec
    figures: Figures
    counts_all_weights: bool
    has_all_shapes: bool
    receptive_field: ReceptiveField | None
    formulas: dict[str, str]


class Saved(NamedTuple):
    """A saved result; ``lacking`` says which rows it does not have, if any."""

    source: str
    name: str
    title: str
    year: int | None
    status: Status
    params_status: Status
    input: TensorSpec
    single: bool
    convention: str
    totals: Totals
    figures: Figures
    rows: tuple[Row, ...]
    notes: tuple[Note, ...] = ()
    lacking: str = ""


def _read(path: str) -> Any:
    """Return a property that reads what was saved."""
    return property(attrgetter(path))


class SavedLayer(Layer):
    """A row of a saved result; the dtype of its specs is that of the model's input."""

    row: Row

    path = _read("row.path")
    type = _read("row.type")
    detail = _read("row.detail")
    inputs = _read("row.inputs")
    output = _read("row.output")
    counts_all_weights = _read("row.counts_all_weights")
    has_all_shapes = _read("row.has_all_shapes")
    receptive_field = _read("row.receptive_field")
    formulas = _read("row.formulas")


class SavedReport(Report):
    """The report of a saved result; whatever reads its graph raises ``UsageError``."""

    saved: Saved

    name = _read("saved.name")
    status = _read("saved.status")
    params_status = _read("saved.params_status")
    single = _read("saved.single")

    def __init__(self, saved: Saved, convention: Convention = PAPER) -> None:
        values = {"saved": saved, "convention": convention, "notes": saved.notes}
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def under(self, convention: Convention) -> SavedReport:
        """Return the same under a convention. Raises ``UsageError`` for one not counted there."""
        if convention.name not in (PAPER.name, self.saved.convention):
            raise UsageError(
                f"{self.saved.source} was counted under {self.saved.convention!r}, not "
                f"{convention.name!r}: write it with --convention {convention.name}"
            )
        return SavedReport(self.saved, convention)

    def without_training(self, mode: str) -> SavedReport:
        """Return the same. Raises ``UsageError`` in training, whose work needs the graph."""
        if mode == "training":
            _ = self.shaped
        return self

    @property
    def shaped(self) -> ShapedGraph:
        """No graph is saved."""
        raise UsageError(
            f"{self.saved.source} is a saved result: it has figures but no graph; "
            "name the model itself"
        )

    @property
    def shapes_status(self) -> Status:
        """``partial`` when the shape of a result was unknown."""
        known = all(row.has_all_shapes for row in self.saved.rows)
        return "complete" if known else "partial"

    @property
    def inputs(self) -> dict[str, TensorSpec]:
        """The first input, which alone is saved."""
        return {"input": self.saved.input}

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The saved rows. Raises ``UsageError`` where some were not saved."""
        if self.saved.lacking:
            raise UsageError(f"{self.saved.source} {self.saved.lacking}")
        return tuple(map(self._layer, self.saved.rows))

    def view(self, *, expand: bool = False, depth: int | None = None) -> tuple[Layer, ...]:
        """Return the saved rows. Raises ``UsageError`` for others, which need the graph."""
        if expand or depth is not None:
            _ = self.shaped
        return self.layers

    def layer(self, name: str) -> Layer | None:
        """Return the saved row of this name; None if there is none."""
        return next((row for row in self.layers if row.name == name), None)

    def _layer(self, row: Row) -> SavedLayer:
        grouped = row.type == "Module"
        layer = SavedLayer(self, row.name, 0, (), self._counted(row.figures), grouped)
        layer.row = row
        return layer

    def _counted(self, figures: Figures) -> Figures:
        """Return figures whose ``counted`` is that of this report's convention."""
        if self.convention.name != PAPER.name:
            return figures
        return figures._replace(counted=figures.work.macs, unknown_counted=figures.unknown)

    @property
    def totals(self) -> Totals:
        """The saved totals."""
        return replace(self.saved.totals, counted=self.totals_figures.counted)

    @property
    def totals_figures(self) -> Figures:
        """The saved totals as sums."""
        return self._counted(self.saved.figures)

    @property
    def last_map(self) -> Layer | None:
        """Unknown: which rows read everything is not saved."""
        return None
