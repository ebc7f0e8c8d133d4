"""The meaning of a call: by the tables of ATen functions, as a view, or as an ``Opaque`` row.

A function in no table is split into its parts by PyTorch where it can be; a part that is not a view
either is unknown, never a zero, unless a rule counts it: the user's own, or one of
``torch.utils.flop_counter.register_flop_formula``, where libraries say what their operators count,
2 FLOPs to a multiply-accumulate.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.flop_counter import flop_registry

from cnnstat import ops
from cnnstat.count.userrules import RULES as USER_RULES
from cnnstat.count.userrules import OperatorCall, counted
from cnnstat.errors import PASSED_ON, UsageError, one_line
from cnnstat.ir.work import Work
from cnnstat.ops.definitions import DEFINITIONS
from cnnstat.pytorch.capture.calls import Call, Meaning, plain_arguments, tensors
from cnnstat.pytorch.capture.functions import FOREIGN, function
from cnnstat.pytorch.capture.table import MOVES, RULES, VIEWS
from cnnstat.pytorch.tensors import spec_of

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
    alone = len(call.results) == 1 and call.results[0] is call.arguments.get("self")
    untouched = alone and name not in RULES and not call.name.endswith("_")  # as of ``contiguous``
    if name in SAME or untouched:
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
    if name in VIEWS or call.changes_view or (name not in RULES and call.function.is_view):
        return Meaning(ops.View(name, results, plain_arguments(call)), reads[:1])
    return _opaque(call, name, reads)


def _opaque(call: Call, name: str, reads: tuple[torch.Tensor, ...]) -> Meaning:
    """Return an operator that cnnstat has no rule for; a user's or library's rule may count it."""
    return Meaning(ops.Opaque(name, call.specs, *registered_work(call, reads)), reads)


def has_rule(name: str) -> bool:
    """Return whether a function (``mylib::mix``) is counted as a whole by a registered rule."""
    registered = {str(packet) for packet in flop_registry if not str(packet).startswith("aten.")}
    return name in USER_RULES or name.replace("::", ".") in registered


def registered_work(call: Call, reads: tuple[torch.Tensor, ...]) -> tuple[Work | None, str]:
    """Return the work of a call and whose rule it is by: the user's, or PyTorch's registry's."""
    full = str(call.function._schema.name)
    own = counted(
        OperatorCall(
            full,
            tuple(spec_of(tensor) for tensor in reads),
            call.specs,
            {k: v for k, v in call.arguments.items() if not isinstance(v, torch.Tensor)},
        ),
        full,
    )
    if own is not None:
        return own
    formula = flop_registry.get(call.function.overloadpacket)
    if formula is None:
        return None, ""
    flops = _flops(call, formula)
    # 2 to a multiply-accumulate; an odd one is an addition more
    work = Work(macs=flops // 2, additions=flops % 2)
    inner = getattr(formula, "__wrapped__", formula)
    name = f"{getattr(inner, '__module__', '?')}.{getattr(inner, '__qualname__', inner)}"
    return work, f"torch.utils.flop_counter.register_flop_formula: {name}"


def _flops(call: Call, formula: Any) -> int:
    schema = call.function._schema
    by_name = {each.name: each for each in schema.arguments}
    named = {k: v for k, v in call.arguments.items() if by_name[k].kwarg_only}
    values = [v for k, v in call.arguments.items() if not by_name[k].kwarg_only]
    result = call.results[0] if len(call.results) == 1 else call.results
    try:
        flops = formula(*values, **named, out_val=result)
    except PASSED_ON:
        raise
    except BaseException as error:
        raise UsageError(f"flop formula of {schema.name}: {one_line(error)}") from error
    if not isinstance(flops, int) or flops < 0:
        raise UsageError(f"flop formula of {schema.name}: returned {flops!r:.60}, no whole number")
    return flops
