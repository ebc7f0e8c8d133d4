"""Verdicts: how a published figure and a computed one agree, by the printed digits alone.

``exact``: equal. ``rounds``: rounded to the printed digits, the computed figure is the printed one.
``truncates``: cut off after the printed digits, it is. ``reproduced``: equal or rounded only under
another, stated accounting. ``differs``: none of these. Of several numbers the weakest verdict
counts. A statement is true (``exact``) or not (``differs``).
"""

from __future__ import annotations

from typing import Literal

from cnnstat.ledger.figure import Bound, Computed, Printed, Value

Verdict = Literal["exact", "rounds", "truncates", "reproduced", "differs"]

VERDICTS: tuple[Verdict, ...] = ("exact", "rounds", "truncates", "reproduced", "differs")
"""Every verdict, the strongest first."""


def judge(published: Value, computed: Computed) -> Verdict:
    """Return how a computed value agrees with the printed one; tuples element by element."""
    if isinstance(published, Printed):
        return _judge_number(published, computed)
    if isinstance(published, Bound):
        return _judge_bound(published, computed)
    if isinstance(published, tuple):
        if not isinstance(computed, tuple) or len(published) != len(computed):
            return "differs"
        parts = [judge(p, c) for p, c in zip(published, computed, strict=True)]
        return max(parts, key=VERDICTS.index, default="exact")
    same = published == computed and isinstance(published, bool) == isinstance(computed, bool)
    return "exact" if same else "differs"


def _judge_number(printed: Printed, computed: Computed) -> Verdict:
    if isinstance(computed, bool | str | tuple):
        return "differs"
    decimals = len(printed.digits.partition(".")[2])
    wanted = int(printed.digits.replace(".", ""))
    # the computed figure in units of the last printed digit is above / below
    above = abs(computed.numerator) * 10**decimals * printed.scale.denominator
    below = computed.denominator * printed.scale.numerator
    sign = -1 if computed < 0 else 1
    if sign * above == wanted * below:
        return "exact"
    if sign * ((2 * above + below) // (2 * below)) == wanted:  # a half away from zero
        return "rounds"
    if sign * (above // below) == wanted:
        return "truncates"
    return "differs"


def _judge_bound(bound: Bound, computed: Computed) -> Verdict:
    if isinstance(computed, bool | str | tuple):
        return "differs"
    holds = computed > bound.limit if bound.relation == ">" else computed < bound.limit
    return "exact" if holds else "differs"
