"""Checks as a document: one row per model, every difference on a line of its own."""

from __future__ import annotations

from collections.abc import Sequence

from cnnstat.count.check import LIMITATIONS, Check, Difference, Figure
from cnnstat.count.conventions import FVCORE, PAPER, TORCH
from cnnstat.render.document import NEVER_DROPPED, Cell, Column, Document, Section

COLUMNS = (
    Column("model", "Model", "text", NEVER_DROPPED, "the model that was checked"),
    Column(
        "agree",
        "Agree",
        keep=NEVER_DROPPED,
        definition="yes if all figures are equal; partly if an operator could not be counted",
    ),
    Column("differences", "Differences", "count", 8, "figures that are not equal"),
    Column("operators", "Operators", "count", 4, "operators of the model"),
    Column("params", "Parameters", "count", 6, "as PyTorch stores them"),
    Column("macs", "MACs", "count", 5, "multiply-accumulates"),
    Column("torch_flops", "FlopCounterMode", "count", 7, "counted by PyTorch"),
    Column("fvcore_flops", "fvcore", "count", 7, "counted by fvcore"),
    Column("left_out", "fvcore leaves out", "text", 3, "operators without a rule there"),
)


def check_document(checks: Sequence[Check]) -> Document:
    """Return the document of ``cnnstat check``."""
    remarkable = [check for check in checks if check.differences or _status(check) == "partial"]
    sections = tuple(Section(check.name, _remarks(check)) for check in remarkable)
    not_compared = [f"{row.op.__name__}.{row.tensor}: {row.reason}" for row in LIMITATIONS]
    own = [check.name for check in checks if check.by_sums]
    if own:
        not_compared.append(
            f"{', '.join(own)}: the module itself runs, so sums are compared, not operators; "
            "fvcore is not used, because it traces modules with real tensors"
        )
    return Document(
        title=f"{len(checks)} model{'s' if len(checks) != 1 else ''} checked: {_outcome(checks)}",
        subtitle="shapes, parameters and counts of every operator, without a tolerance",
        columns=COLUMNS,
        rows=tuple(map(_row, checks)),
        payload={
            "schema": "cnnstat.check/1",
            "models": [check_payload(check) for check in checks],
            "limitations": [
                {"type": row.op.__name__, "tensor": row.tensor, "reason": row.reason}
                for row in LIMITATIONS
            ],
        },
        sections=(*sections, Section("Not compared", tuple(not_compared))),
    )


def counter_lines(check: Check) -> tuple[str, ...]:
    """Return the counts of both counters for one model, for the foot of its table."""
    measured = check.measured
    counts = (
        ("FlopCounterMode", TORCH, measured.torch_total),
        ("fvcore", FVCORE, measured.fvcore_total),
    )
    lines = [
        f"{title}: {theirs:,} {convention.unit}, "
        + ("equal to cnnstat's count" if ours == theirs else f"cnnstat counts {ours:,}")
        for title, convention, theirs in counts
        if theirs is not None and (ours := check.counted(convention)) is not None
    ]
    if measured.left_out:
        lines.append(f"fvcore leaves out: {_left_out(check)}")
    if check.agree:
        compared = "sums of parameters, buffers" if check.by_sums else "shapes, parameters"
        operators = len(check.shaped.nodes) - len(check.uncounted)
        lines.append(f"{compared} and counts agree for {operators:,} operators")
    return (*lines, *_remarks(check))


def _remarks(check: Check) -> tuple[str, ...]:
    """Return one line per difference, and per operator that nothing could be compared with."""
    uncounted = [
        f"{node.name} ({node.op.type_name}): not counted by cnnstat, so not compared"
        for node in check.uncounted
    ]
    return (*map(_difference, check.differences), *uncounted, *check.hidden)


def _outcome(checks: Sequence[Check]) -> str:
    """Return the outcome in words; operators without a rule agree with nothing."""
    differing = sum(not check.agree for check in checks)
    if differing:
        return f"{differing} of {len(checks)} models differ"
    uncounted = sum(len(check.uncounted) for check in checks)
    if uncounted:
        operators = f"{uncounted:,} operator{'' if uncounted == 1 else 's'}"
        return f"no differences, but {operators} could not be counted"
    if any(check.hidden for check in checks):
        return "no differences, but not every weight could be counted"
    return "everything agrees"


def _status(check: Check) -> str:
    return "partial" if check.uncounted or check.hidden else "complete"


def _difference(row: Difference) -> str:
    where = f"{row.name} ({row.type_name})" if row.type_name else row.name
    theirs = f"{_text(row.theirs)} by {row.counter}"
    return f"{where}: {row.quantity}: {_text(row.ours)} by cnnstat, {theirs}"


def _text(figure: Figure) -> str:
    if isinstance(figure, int):
        return f"{figure:,}"
    parts = []
    for part in figure:
        name, shape = part if part and isinstance(part[0], str) else ("", part)
        parts.append(f"{name} {'x'.join(map(str, shape))}".strip())
    return ", ".join(parts) or "nothing"


def _left_out(check: Check) -> str:
    operators = sorted(check.measured.left_out.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name.removeprefix('aten::')} x{times}" for name, times in operators)


def _params(check: Check) -> int:
    pairs = zip(check.shaped.nodes, check.shaped.facts, strict=True)
    untied = [weight for node, facts in pairs if node.tied_to is None for weight in facts.weights]
    return sum(weight.numel for weight in untied if weight.role != "buffer")


def _row(check: Check) -> tuple[Cell, ...]:
    return (
        check.name,
        "no" if not check.agree else "yes" if _status(check) == "complete" else "partly",
        len(check.differences),
        len(check.shaped.nodes),
        _params(check),
        None if check.uncounted else check.counted(PAPER),
        check.measured.torch_total,
        check.measured.fvcore_total,
        _left_out(check),
    )


def check_payload(check: Check) -> dict[str, object]:
    """Return the JSON form of one checked model."""
    measured = check.measured
    return {
        "name": check.name,
        "agree": check.agree,
        "status": _status(check),
        "counters": {
            "operators": len(check.shaped.nodes),
            "params": _params(check),
            "torch": {"computed": check.counted(TORCH), "counted": measured.torch_total},
            "fvcore": {
                "computed": check.counted(FVCORE),
                "counted": measured.fvcore_total,
                "left_out": dict(measured.left_out),
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
        "uncounted": [{"name": node.name, "type": node.op.type_name} for node in check.uncounted],
    }
