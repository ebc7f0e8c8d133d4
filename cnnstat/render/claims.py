"""The ledger as a document: one row per published figure, the verdicts counted at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnnstat.ledger.claims import Claim, as_text, count, raw, shown
from cnnstat.ledger.figure import Figure
from cnnstat.ledger.figures.sources import citation
from cnnstat.render.document import NEVER_DROPPED, Cell, Column, Document, Section
from cnnstat.render.summary import published_line

COLUMNS = (
    Column("model", "Model", keep=7, group=True, definition="name that MODEL takes"),
    Column("quantity", "Quantity", keep=8, wrap=True, definition="what is said"),
    Column("published", "Published", keep=NEVER_DROPPED, wrap=True, definition="as printed"),
    Column("computed", "Computed", "count", NEVER_DROPPED, wrap=True, definition="by cnnstat, now"),
    Column("unit", "Unit", keep=2, definition="of both, or the parts of a tuple in order"),
    Column("verdict", "Verdict", keep=NEVER_DROPPED, definition="how the two agree"),
    Column("id", "Id", keep=3, definition="stable name of the entry"),
    Column("source", "Source", keep=5, definition="where it was printed"),
    Column("explanation", "Explanation", keep=1, definition="why they differ"),
)

MEANINGS = (
    "exact       equal, or the statement holds",
    "rounds      the computed figure, rounded to the printed digits, is the printed one",
    "truncates   cut off after the printed digits it is",
    "reproduced  only under another accounting, which the explanation names",
    "differs     none of these; the explanation says why",
)


def claims_document(claims: Sequence[Claim[Figure]], *, models: Sequence[str] = ()) -> Document:
    """Return the document of ``cnnstat claims``; ``models`` are those asked for, none for all."""
    counts = count(claims)
    asked = f" of {', '.join(models)}" if models else ""
    figures = f"{len(claims)} published figure{'s' if len(claims) != 1 else ''}{asked}"
    return Document(
        title=f"{figures}, computed now",
        columns=COLUMNS,
        rows=tuple(map(_row, claims)),
        payload={
            "schema": "cnnstat.claims/1",
            "claims": [claim_payload(claim) for claim in claims],
            "counts": counts,
        },
        sections=tuple(_sections(claims, counts)),
    )


def claim_payload(claim: Claim[Figure]) -> dict[str, object]:
    """Return one claim as JSON has it: ``computed`` and those of ``otherwise`` raw."""
    entry = claim.entry
    return {
        "id": entry.id,
        "model": entry.model,
        "layer": entry.layer or None,
        "kind": entry.kind,
        "quantity": entry.quantity,
        "published": entry.published,
        "computed": raw(claim.computed),
        "unit": entry.unit or None,
        "verdict": claim.verdict,
        "explanation": claim.explanation or None,
        "otherwise": [
            {"accounting": other.name, "computed": raw(other.computed), "verdict": other.verdict}
            for other in claim.others
        ],
        "source": citation(entry.source, entry.place),
    }


def claim_line(claim: Claim[Figure]) -> str:
    """Return one claim in words, for text below a table."""
    return published_line(shown(claim, citation(claim.entry.source, claim.entry.place)))


def _row(claim: Claim[Figure]) -> tuple[Cell, ...]:
    entry, computed = claim.entry, claim.computed
    plain = isinstance(computed, int) and not isinstance(computed, bool)
    return (
        entry.model,
        f"{entry.layer}: {entry.quantity}" if entry.layer else entry.quantity,
        entry.published,
        computed if plain and isinstance(computed, int) else as_text(computed, entry.unit),
        entry.unit,
        claim.verdict,
        entry.id,
        citation(entry.source, entry.place),
        claim.explanation,
    )


def _sections(claims: Sequence[Claim[Figure]], counts: dict[str, int]) -> Iterator[Section]:
    bent = [c for c in claims if c.explanation and c.verdict not in ("exact", "rounds")]
    if bent:
        yield Section("Where they bend", tuple(_bent_lines(bent)))
    width = len(f"{max(counts.values()):,}")
    numbered = [f"{counts[meaning.split()[0]]:>{width},}  {meaning}" for meaning in MEANINGS]
    yield Section("Verdicts", tuple(numbered))


def _bent_lines(claims: Sequence[Claim[Figure]]) -> Iterator[str]:
    """Yield one line per reason, with every entry that it is the reason of."""
    reasons: dict[str, list[str]] = {}
    for claim in claims:
        reasons.setdefault(claim.explanation, []).append(claim.entry.id)
    for reason, ids in reasons.items():
        yield f"{', '.join(ids)}: {reason}"
