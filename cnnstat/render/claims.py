"""The ledger as a document: one row per published figure, the verdicts counted at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnnstat.ledger.claim import Claim, as_text, count, raw
from cnnstat.render.document import NEVER_DROPPED, Cell, Column, Document, Section

COLUMNS = (
    Column("model", "Model", "text", 7, "name of the model", group=True),
    Column("quantity", "Quantity", "text", 8, "published quantity", wrap=True),
    Column("published", "Published", "text", NEVER_DROPPED, "as printed", wrap=True),
    Column("computed", "Computed", "count", NEVER_DROPPED, "by cnnstat", wrap=True),
    Column(
        "unit",
        "Unit",
        keep=6,
        wrap=True,
        definition="of the computed value, or of its parts in order",
    ),
    Column("verdict", "Verdict", "text", NEVER_DROPPED, "result of the comparison"),
    Column("id", "Id", "text", 3, "stable name of the entry", wrap=True),
    Column("source", "Source", "text", 5, "publication, and the place in it", wrap=True),
    Column("explanation", "Explanation", "text", 1, "reason for a difference"),
)

MEANINGS = (
    "exact       equal, or the statement is true",
    "rounds      matches when rounded to the printed digits",
    "truncates   matches when truncated to the printed digits",
    "reproduced  matches under another accounting, which the explanation names",
    "differs     does not match; the explanation says why",
)


def claims_document(claims: Sequence[Claim], *, models: Sequence[str] = ()) -> Document:
    """Return the document of ``cnnstat claims``; ``models`` are those chosen, none for all."""
    counts = count(claims)
    chosen = f" of {', '.join(models)}" if models else ""
    figures = f"{len(claims)} published figure{'s' if len(claims) != 1 else ''}{chosen}"
    return Document(
        title=f"{figures}, compared with cnnstat"
        if claims
        else f"No published figures{chosen} match",
        columns=COLUMNS,
        rows=tuple(map(_row, claims)),
        payload={
            "schema": "cnnstat.claims/1",
            "claims": [claim_payload(claim) for claim in claims],
            "counts": counts,
        },
        sections=tuple(_sections(claims, counts)) if claims else (),
    )


def claim_payload(claim: Claim) -> dict[str, object]:
    """Return one claim as JSON has it: ``computed`` and those of ``otherwise`` raw."""
    figure = claim.figure
    return {
        "id": figure.id,
        "model": figure.model,
        "layer": figure.layer or None,
        "kind": figure.kind,
        "quantity": figure.quantity,
        "published": figure.printed,
        "computed": raw(claim.computed),
        "unit": figure.unit or None,
        "verdict": claim.verdict,
        "explanation": claim.explanation or None,
        "otherwise": [
            {"accounting": other.name, "computed": raw(other.computed), "verdict": other.verdict}
            for other in claim.others
        ],
        "source": claim.source,
    }


def _row(claim: Claim) -> tuple[Cell, ...]:
    figure, computed = claim.figure, claim.computed
    plain = isinstance(computed, int) and not isinstance(computed, bool)
    return (
        figure.model,
        f"{figure.layer}: {figure.quantity}" if figure.layer else figure.quantity,
        figure.printed,
        computed if plain and isinstance(computed, int) else as_text(computed, figure.unit),
        figure.unit,
        claim.verdict,
        figure.id,
        claim.source,
        claim.explanation,
    )


def _sections(claims: Sequence[Claim], counts: dict[str, int]) -> Iterator[Section]:
    explained = [c for c in claims if c.explanation and c.verdict not in ("exact", "rounds")]
    if explained:
        yield Section("Figures that do not match directly", tuple(_reason_lines(explained)))
    width = len(f"{max(counts.values()):,}")
    numbered = [f"{counts[meaning.split()[0]]:>{width},}  {meaning}" for meaning in MEANINGS]
    yield Section("Verdicts", tuple(numbered))


def _reason_lines(claims: Sequence[Claim]) -> Iterator[str]:
    """Yield one line per reason, with the ids of all figures that it explains."""
    reasons: dict[str, list[str]] = {}
    for claim in claims:
        reasons.setdefault(claim.explanation, []).append(claim.figure.id)
    for reason, ids in reasons.items():
        yield f"{', '.join(ids)}: {reason}"
