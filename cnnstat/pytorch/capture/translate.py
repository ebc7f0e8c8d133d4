"""The meaning of a call: by the tables of ATen functions, as a view, or as an ``Opaque`` row.

A function in no table is split into its parts by PyTorch where it can be; a part that is not a view
either is unknown, never a zero.
"""

from __future__ import annotations

import torch

from cnnstat import ops
from cnnstat.ops.definitions import DEFINITIONS
from cnnstat.pytorch.capture.calls import Call, Meaning, plain_arguments, tensors
from cnnstat.pytorch.capture.functions import FOREIGN, function
from cnnstat.pytorch.capture.registered import has_rule, registered_work
from cnnstat.pytorch.capture.table import MOVES, RULES, VIEWS

SAME = ("alias", "detach", "lift_fresh")
"""Functions that give back their argument."""


def leaf(name: str) -> bool:
    """Return whether a function is understood as it stands."""
    plain = plain_name(name)
    return any(plain in table for table in (RULES, MOVES, VIEWS, DEFINITIONS)) or has_rule(name)


def plain_name(name: str) -> str:
    """Return an ATen name without the underscore of its in-place form."""
    return name[:-1] if name.endswith("_") and not name.endswith("__") else name


def meaning(call: Call) -> Meaning | None:
    """Return what a call means; None for a call that gives back its input."""
    name = plain_name(call.name)
    reads = tensors(*call.arguments.values())
    if name in SAME or _returns_input(call):
        return None
    nested = any(tensor.is_nested for tensor in (*reads, *call.results))
    known = call.function.namespace == "aten" and not nested
    rule = RULES.get(name) if known else FOREIGN.get(str(call.function._schema.name))
    meant = rule(call) if rule and not nested else None
    if meant is not None:
        return meant
    results = call.specs
    if not results:
        return None
    if not known:
        return _opaque(call, name, reads)
    if name in DEFINITIONS and name not in RULES:
        return function(name)(call)
    if name in MOVES or not reads:
        return Meaning(ops.Rearrange(name, results, plain_arguments(call)), reads)
    if name in VIEWS or call.changes_view or (name not in RULES and _is_view(call)):
        return Meaning(ops.View(name, results, plain_arguments(call)), reads[:1])
    return _opaque(call, name, reads)


def _opaque(call: Call, name: str, reads: tuple[torch.Tensor, ...]) -> Meaning:
    """Return an operator that cnnstat has no rule for; a user's or library's rule may count it."""
    return Meaning(ops.Opaque(name, call.specs, *registered_work(call, reads)), reads)


def _returns_input(call: Call) -> bool:
    """Return whether a call did nothing and gave back its very input (``contiguous``)."""
    name = plain_name(call.name)
    if name in RULES or call.name.endswith("_"):
        return False
    return len(call.results) == 1 and call.results[0] is call.arguments.get("self")


def _is_view(call: Call) -> bool:
    returns = call.function._schema.returns
    alias = returns[0].alias_info if returns else None
    return alias is not None and not alias.is_write
