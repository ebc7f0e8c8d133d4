"""Results for a notebook or a script: the figures together with their model.

A result contains the plain record of ``count`` and reads its figures from it; ``render`` shows it
with the documents and formats of the command line, so that the figures are the same everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from cnnstat.api.model import Model
from cnnstat.count.compare import Comparison, Entry
from cnnstat.count.layer import Layer
from cnnstat.count.report import Note, Report, Totals
from cnnstat.ir.graph import ShapedGraph
from cnnstat.ir.tensor import TensorSpec
from cnnstat.render.notebook import Shown
from cnnstat.zoo.card import ModelCard

if TYPE_CHECKING:
    from cnnstat.count.conventions import Convention
    from cnnstat.ledger.claim import Published, Quoted
    from cnnstat.render.document import Document


@dataclass(frozen=True, repr=False)
class Analysis(Shown):
    """A model and its report. The figures of the report are attributes here, too."""

    model: Model
    report: Report

    @property
    def name(self) -> str:
        """Name of the model's graph."""
        return self.report.name

    @property
    def card(self) -> ModelCard | None:
        """Card of a model of the zoo; None for any other model."""
        return self.model.card

    @property
    def status(self) -> str:
        """``complete``, or ``partial`` where the totals are lower bounds."""
        return self.report.status

    @property
    def convention(self) -> Convention:
        """Counting convention of ``totals.counted``."""
        return self.report.convention

    @property
    def inputs(self) -> dict[str, TensorSpec]:
        """Spec of each input by name."""
        return self.report.inputs

    @property
    def input(self) -> TensorSpec:
        """Spec of the first input."""
        return self.report.input

    @property
    def shaped(self) -> ShapedGraph:
        """The graph with the shapes of every operator."""
        return self.report.shaped

    @property
    def layers(self) -> tuple[Layer, ...]:
        """One row per layer."""
        return self.report.layers

    @property
    def totals(self) -> Totals:
        """Sums over the model."""
        return self.report.totals

    @property
    def notes(self) -> tuple[Note, ...]:
        """Remarks on how the figures came about."""
        return self.report.notes

    def view(self, *, expand: bool = False, depth: int | None = None) -> tuple[Layer, ...]:
        """Return the rows, of every operator (``expand``) or down to a level of modules."""
        return self.report.view(expand=expand, depth=depth)

    def layer(self, name: str) -> Layer | None:
        """Return the row or operator of this name, or None."""
        return self.report.layer(name)

    @cached_property
    def published(self) -> tuple[Published, ...]:
        """Published figures next to the computed ones.

        Empty on another input, batch or dtype than the model was published with.
        """
        if self.card is None:
            return ()
        from cnnstat.ledger.claims import published

        return published(self.report, self.card)

    def document(self) -> Document:
        """Return the document of ``cnnstat summary``."""
        from cnnstat.render.summary import summary_document

        return summary_document(
            self.report,
            reference=self.model.reference,
            card=self.card,
            published=self.published,
        )

    def __repr__(self) -> str:
        from cnnstat.render.summary import headline

        return headline(self.report, self.card)


@dataclass(frozen=True, repr=False)
class ModelComparison(Shown):
    """Models side by side, with the published ratios between them."""

    comparison: Comparison
    quoted: tuple[Quoted, ...] = ()

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The models, in the order of the comparison."""
        return self.comparison.entries

    @property
    def names(self) -> set[str]:
        """Names and references of the models."""
        return {name for entry in self.entries for name in (entry.name, entry.reference)}

    @property
    def baseline(self) -> Entry | None:
        """The entry that ratios refer to."""
        return self.comparison.baseline

    def ratio(self, entry: Entry, measure: str) -> float | None:
        """Return entry / baseline of one measure; None where either is unknown."""
        return self.comparison.ratio(entry, measure)

    def relative_to(self, baseline: Entry) -> ModelComparison:
        """Return the same with ratios to one of the entries."""
        return replace(self, comparison=replace(self.comparison, baseline=baseline))

    def document(self) -> Document:
        """Return the document of ``cnnstat compare``."""
        from cnnstat.render.compare import compare_document

        return compare_document(self.comparison, quoted=self.quoted)

    def __repr__(self) -> str:
        from cnnstat.render.compare import headline

        return headline(self.comparison)
