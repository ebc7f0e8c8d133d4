"""Checks as a document: one row per model, every difference on a line of its own."""

from __future__ import annotations

from collections.abc import Sequence

from cnnstat.count.check import LIMITATIONS, Check, Difference, Figure
from cnnstat.count.conventions import FVCORE, PAPER, TORCH
from cnnstat.render.document import NEVER_DROPPED, Cell, Column, Document, Section

COLUMNS = (
    Column("name", "Model", keep=NEVER_DROPPED, definition="what was checked"),
    Column("agree", "Agree", keep=NEVER_DROPPED, definition="yes where every figure is the same"),
    Column("differences", "Differences", "count", 8, definition="figures that are not the same"),
    Column("operators", "Operators", "count", 4, definition="each checked by itself"),
    Column("params", "Parameters", "count", 6, definition="as PyTorch stores them"),
    Column("macs", "MACs", "count", 5, definition="multiply-accumulates"),
    Column("torch_flops", "FlopCounterMode", "count", 7, definition="counted by PyTorch"),
    Column("fvcore_flops", "fvcore", "count", 7, definition="counted by fvcore"),
    Column("left_out", "fvcore leaves out", keep=3, definition="operators without a rule there"),
)


def check_document(checks: Sequence[Check]) -> Document:
    """Return the document of ``cnnstat check``."""
    failed = [check for check in checks if not check.agree]
    verdict = f"{len(failed)} of {len(checks)} models differ" if failed else "everything agrees"
    sections = tuple(Section(check.name, difference_lines(check)) for check in failed)
    return Document(
        title=f"{len(checks)} model{'s' if len(checks) != 1 else ''} checked: {verdict}",
        subtitle="shapes, parameters and counts of every operator, without a tolerance",
        columns=COLUMNS,
        rows=tuple(map(_row, checks)),
        payload={
            "schema": "cnnstat.check/1",
            "models": [check_payload(check) for check in checks],
            "limitations": [
                {"type": row.type_name, "tensor": row.tensor, "reason": row.reason}
                for row in LIMITATIONS
            ],
        },
        sections=(*sections, Section("Not compared", (*limitation_lines(), *_unasked(checks)))),
    )


def counter_lines(check: Check) -> tuple[str, ...]:
    """Return what the two counters say of one model, for the foot of its table."""
    found = check.found
    counts = (
        ("FlopCounterMode", TORCH, found.torch_total),
        ("fvcore", FVCORE, found.fvcore_total),
    )
    lines = [
        f"{title}: {theirs:,} {convention.unit}, {_verdict(check.counted(convention), theirs)}"
        for title, convention, theirs in counts
        if theirs is not None
    ]
    if found.left_out:
        lines.append(f"fvcore leaves out: {_left_out(check)}")
    if check.agree:
        what = "sums of parameters, buffers" if check.by_sums else "shapes, parameters"
        lines.append(f"{what} and counts agree for all {len(check.shaped.nodes)} operators")
    return (*lines, *difference_lines(check))


def difference_lines(check: Check) -> tuple[str, ...]:
    """Return one line per difference: where, what, and both figures."""
    return tuple(map(_difference, check.differences))


def limitation_lines() -> tuple[str, ...]:
    """Return what is known to differ and why."""
    return tuple(f"{row.type_name}.{row.tensor}: {row.reason}" for row in LIMITATIONS)


def _unasked(checks: Sequence[Check]) -> tuple[str, ...]:
    """Return what is not asked about modules of the user's own."""
    own = [check.name for check in checks if check.by_sums]
    if not own:
        return ()
    return (
        f"{', '.join(own)}: run as the module that it is, so sums are compared, not operators; "
        "fvcore, which traces modules with contents, is not asked",
    )


def _verdict(ours: int, theirs: int) -> str:
    return "the same as here" if ours == theirs else f"here {ours:,}"


def _difference(row: Difference) -> str:
    kind = f" ({row.type_name})" if row.type_name else ""
    where = f"{row.name}{kind}"
    return f"{where}: {row.quantity} {_text(row.ours)} here, {_text(row.theirs)} by {row.counter}"


def _text(figure: Figure) -> str:
    if isinstance(figure, int):
        return f"{figure:,}"
    parts = []
    for part in figure:
        name, shape = part if part and isinstance(part[0], str) else ("", part)
        parts.append(f"{name} {'x'.join(map(str, shape))}".strip())
    return ", ".join(parts) or "nothing"


def _left_out(check: Check) -> str:
    found = sorted(check.found.left_out.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name.removeprefix('aten::')} x{times}" for name, times in found)


def _params(check: Check) -> int:
    pairs = zip(check.shaped.nodes, check.shaped.facts, strict=True)
    trained = (
        weight.numel
        for node, facts in pairs
        if node.tied_to is None
        for weight in facts.weights
        if weight.role != "buffer"
    )
    return sum(trained)


def _row(check: Check) -> tuple[Cell, ...]:
    return (
        check.name,
        "yes" if check.agree else "no",
        len(check.differences),
        len(check.shaped.nodes),
        _params(check),
        check.counted(PAPER),
        check.found.torch_total,
        check.found.fvcore_total,
        _left_out(check),
    )


def check_payload(check: Check) -> dict[str, object]:
    """Return what JSON says of one checked model."""
    found = check.found
    return {
        "name": check.name,
        "agree": check.agree,
        "counters": {
            "operators": len(check.shaped.nodes),
            "params": _params(check),
            "torch": {"computed": check.counted(TORCH), "counted": found.torch_total},
            "fvcore": {
                "computed": check.counted(FVCORE),
                "counted": found.fvcore_total,
                "left_out": dict(found.left_out),
            },
        },
        "differences": [
            {
                "name": row.name,
                "type": row.type_name,
                "quantity": row.quantity,
                "counter": row.counter,
                "computed": row.ours,
                "counted": row.theirs,
            }
            for row in check.differences
        ],
    }
