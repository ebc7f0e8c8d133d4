"""A saved ``summary --format json`` as a report: its figures and rows, without a graph.

Whatever reads the graph raises ``UsageError``, so that a saved result serves wherever its figures
suffice. ``savedfile.py`` reads and checks the file.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, NamedTuple

from cnnstat.count.conventions import PAPER, Convention
from cnnstat.count.figures import Figures
from cnnstat.count.layer import Layer
from cnnstat.count.receptive import ReceptiveField
from cnnstat.count.report import Note, Report, Totals
from cnnstat.errors import UsageError
from cnnstat.ir.graph import ShapedGraph
from cnnstat.ir.tensor import TensorSpec

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
    convention: str
    totals: Totals
    figures: Figures
    rows: tuple[Row, ...]
    notes: tuple[Note, ...] = ()
    lacking: str = ""


class SavedLayer(Layer):
    """A row of a saved result."""

    row: Row

    @property
    def path(self) -> str:
        """The module that the row lies in."""
        return self.row.path

    @property
    def type(self) -> str:
        """The operator's name; ``Module`` for a grouped row."""
        return self.row.type

    @property
    def detail(self) -> str:
        """The hyper-parameters, and what acts on the output."""
        return self.row.detail

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Specs that enter the row; the dtype is that of the model's input."""
        return self.row.inputs

    @property
    def output(self) -> TensorSpec:
        """Spec of what leaves the row, likewise saved."""
        return self.row.output

    @property
    def counts_all_weights(self) -> bool:
        """Whether the parameters are all that the row has."""
        return self.row.counts_all_weights

    @property
    def has_all_shapes(self) -> bool:
        """Whether the bytes are all that the row has."""
        return self.row.has_all_shapes

    @property
    def receptive_field(self) -> ReceptiveField | None:
        """The input elements that one element of the output reads."""
        return self.row.receptive_field

    @property
    def formulas(self) -> dict[str, str]:
        """Figures as products."""
        return self.row.formulas


class SavedReport(Report):
    """The report of a saved result; whatever reads its graph raises ``UsageError``."""

    saved: Saved

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
    def name(self) -> str:
        """Name of the model's graph."""
        return self.saved.name

    @property
    def status(self) -> Status:
        """``partial`` when any operator had no rule."""
        return self.saved.status

    @property
    def params_status(self) -> Status:
        """``partial`` when some weights were not counted."""
        return self.saved.params_status

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
