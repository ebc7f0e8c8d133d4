"""User-defined rules for operators that cnnstat cannot count: a name and a function each.

``cnnstat.register`` is the only entrance. A rule is used only for an operator that would be unknown
otherwise; it never replaces a count of cnnstat's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace as changed
from typing import Any, NamedTuple, TypeVar, overload

from cnnstat.count.report import Note
from cnnstat.errors import UsageError, one_line
from cnnstat.ir.graph import ShapedGraph
from cnnstat.ir.op import Specs
from cnnstat.ir.work import Work

OWN = "cnnstat.register"
"""How the rules that are registered here begin to say whose they are."""

CODE = "foreign_rule"
"""Code of a note on an operator that a user's or library's rule counts."""


class OperatorCall(NamedTuple):
    """One call of an operator: specs of the tensors that it reads and makes, other arguments.

    ``arguments`` has numbers, texts and lists of them by name, where the reader knows them.
    """

    name: str
    inputs: Specs
    outputs: Specs
    arguments: Mapping[str, Any]


Result = int | Work | Mapping[str, int]
Rule = Callable[[OperatorCall], Result]
AnyRule = TypeVar("AnyRule", bound=Rule)


class UserRule(NamedTuple):
    """A rule, and where it was written: ``rules.py:12 (mix)``."""

    function: Rule
    origin: str


RULES: dict[str, UserRule] = {}
"""Every registered rule by the operator's name."""

MOST_WORK = 10**18
"""More than any operator does; a larger number is a mistake, and has no place in a plot."""


@overload
def register(name: str, rule: Rule, *, replace: bool = False) -> Rule: ...
@overload
def register(name: str, *, replace: bool = False) -> Callable[[AnyRule], AnyRule]: ...


def register(name: str, rule: Any = None, *, replace: bool = False) -> Any:
    """Register a rule for the work of an operator that cnnstat cannot count; also a decorator.

    Args:
        name: name of the operator as reports show it: ``mylib::mix`` for a PyTorch operator,
            ``Mix`` for an ONNX or Keras operator.
        rule: function of an ``OperatorCall`` that returns the number of multiply-accumulates, or
            a dictionary of kinds of work: ``{"macs": 10, "additions": 5}``.
        replace: replace an earlier rule of the same name.

    Raises:
        UsageError: the name already has a rule and ``replace`` is not set.
    """
    if not isinstance(name, str) or not name:
        raise UsageError(f"register {name!r:.60}: expected the name of an operator")
    if rule is None:
        return lambda function: register(name, function, replace=replace)
    if not callable(rule):
        raise UsageError(f"register {name}: expected a function, got {rule!r:.60}")
    if name in RULES and not replace:
        raise UsageError(
            f"register {name}: it already has a rule, {RULES[name].origin}; use replace=True"
        )
    RULES[name] = UserRule(rule, _origin(rule))
    return rule


def _origin(rule: Rule) -> str:
    code, name = getattr(rule, "__code__", None), getattr(rule, "__name__", type(rule).__name__)
    return name if code is None else f"{name} ({code.co_filename}:{code.co_firstlineno})"


def counted(call: OperatorCall, *names: str) -> tuple[Work, str] | None:
    """Return the work of a call by the first of these names that has a rule, and whose it is.

    Raises ``UsageError`` where the rule fails or returns no work.
    """
    rule = next((RULES[name] for name in names if name in RULES), None)
    if rule is None:
        return None
    try:
        result = rule.function(call)
    except (Exception, SystemExit) as error:
        raise UsageError(f"rule of {call.name}, {rule.origin}: {one_line(error)}") from error
    work = work_of(result)
    if work is None:
        raise UsageError(
            f"rule of {call.name}, {rule.origin}: returned {result!r:.60}; expected a whole number "
            f"of multiply-accumulates, at most 10^18, or a mapping of {', '.join(Work._fields)}"
        )
    return work, f"{OWN}: {rule.origin}"


def work_of(result: object) -> Work | None:
    """Return the work that a rule returned; None where it is none."""
    if isinstance(result, Work):
        kinds: Mapping[str, object] = result._asdict()
    elif isinstance(result, Mapping):
        kinds = result
    else:
        kinds = {"macs": result}
    if not set(kinds) <= set(Work._fields):
        return None
    if not all(type(count) is int and 0 <= count <= MOST_WORK for count in kinds.values()):
        return None
    return Work(**kinds)  # type: ignore[arg-type]


def with_rules(shaped: ShapedGraph) -> ShapedGraph:
    """Return the graph with the registered rules in the place of unknown work."""
    from cnnstat.ops import Opaque

    nodes, facts = list(shaped.nodes), list(shaped.facts)
    for index, (node, known) in enumerate(zip(shaped.nodes, shaped.facts, strict=True)):
        op = node.op
        if known.work is not None or not isinstance(op, Opaque) or op.foreign_name not in RULES:
            continue
        call = OperatorCall(op.foreign_name, known.inputs, known.outputs, {})
        work, origin = counted(call, op.foreign_name) or (None, "")
        nodes[index] = node._replace(op=changed(op, operations=work, rule=origin))
        facts[index] = known._replace(work=work)
    return changed(shaped, graph=changed(shaped.graph, nodes=tuple(nodes)), facts=tuple(facts))


def rule_notes(shaped: ShapedGraph) -> tuple[Note, ...]:
    """Return a note for each operator that a user's or library's rule counts, with its origin."""
    rules = [(node.name, node.op.type_name, getattr(node.op, "rule", "")) for node in shaped.nodes]
    return tuple(
        Note(CODE, name, f"{operator} is counted by a rule of {rule}")
        for name, operator, rule in rules
        if rule
    )
