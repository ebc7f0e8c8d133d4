"""Work of operators that are not PyTorch's own: by the user's rules, by PyTorch's registry.

``torch.utils.flop_counter.register_flop_formula`` is where libraries say what their operators
count, 2 FLOPs to a multiply-accumulate; what ``FlopCounterMode`` counts is counted here.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.flop_counter import flop_registry

from cnnstat.count.userrules import RULES, OperatorCall, counted
from cnnstat.errors import PASSED_ON, UsageError, said
from cnnstat.ir.work import Work
from cnnstat.pytorch.capture.calls import Call
from cnnstat.pytorch.tensors import spec_of


def has_rule(name: str) -> bool:
    """Return whether a function (``mylib::mix``) is counted as a whole by a registered rule."""
    registered = {str(packet) for packet in flop_registry if not str(packet).startswith("aten.")}
    return name in RULES or name.replace("::", ".") in registered


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
        raise UsageError(f"flop formula of {schema.name}: {said(error)}") from error
    if not isinstance(flops, int) or flops < 0:
        raise UsageError(f"flop formula of {schema.name}: returned {flops!r:.60}, no whole number")
    return flops
