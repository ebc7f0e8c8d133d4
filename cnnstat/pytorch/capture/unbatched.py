"""Layers on a single sample without a batch axis: PyTorch takes them, operators have a batch."""

from __future__ import annotations

from dataclasses import replace

from cnnstat import ops
from cnnstat.pytorch.capture.capture import Call
from cnnstat.pytorch.capture.rules import Meaning, Rule
from cnnstat.pytorch.specs import spec_of


def unbatched(rule: Rule, rank: int) -> Rule:
    """Return the rule of a layer of ``rank`` axes that also reads a call without a batch.

    The sample is seen as a batch of one, and the results as samples again.
    """

    def either(call: Call) -> Meaning | None:
        name = "input" if "input" in call.arguments else "self"
        x = call.arguments[name]
        if x.dim() != rank + 1:
            return rule(call)
        one = x.unsqueeze(0)
        results = tuple(result.unsqueeze(0) for result in call.results)
        batch = replace(
            call,
            arguments={**call.arguments, name: one},
            results=results,
            specs=tuple(map(spec_of, results)),
        )
        meant = rule(batch)
        if meant is None:
            return None
        before = ((0, "unsqueeze", ops.View("unsqueeze", (spec_of(one),))),)
        after = [
            (number, "squeeze", ops.View("squeeze", (spec,)))
            for number, spec in enumerate(call.specs)
        ]
        return meant._replace(reads=(x, *meant.reads[1:]), before=before, after=tuple(after))

    return either
