"""Whether an exported program is data: PyTorch evaluates some of its text as Python.

Pickled example inputs, expressions of extents, names of tensors and libraries of machine code would
run while PyTorch reads the file; a file that needs one of them is refused.
"""

from __future__ import annotations

import ast
import json
import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cnnstat.errors import ModelError

MAX_BYTES = 256 * 2**20
"""Largest description of a program that is read."""
INERT = ("metadata", "guards_code")
"""Keys of text that nothing evaluates: where a node was written, and checks that are dropped."""
MAX_EXPRESSION = 10_000
MAX_POWERS = 4
MAX_EXPONENT = 8
"""No chain of so many powers makes a number that takes long."""
FORCED = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
FUNCTIONS = """
FloorDiv ModularIndexing Where PythonMod Mod CleanDiv CeilToInt FloorToInt CeilDiv IntTrueDiv
FloatTrueDiv ToFloat TruncToFloat TruncToInt RoundToInt RoundDecimal Identity Max Min Abs Add Mul
Pow Integer Rational Float Symbol Eq Ne Lt Le Gt Ge Equality Unequality StrictLessThan LessThan
StrictGreaterThan GreaterThan And Or Not
"""
"""Functions of extents, as PyTorch writes them; none makes another's text run."""
QUOTED = re.compile(r"[A-Za-z_]\w{0,99}|[0-9]{1,20}(\.[0-9]{0,20})?", re.ASCII)
QUOTING = ("Symbol", "Float")
"""Those with a quoted name or number."""
ALLOWED = (
    *(ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Call, ast.Name),
    *(ast.keyword, ast.Constant, ast.Load, ast.operator, ast.unaryop, ast.cmpop, ast.boolop),
)


def check_program(path: str) -> None:
    """Raise ``ModelError`` for an exported program that holds more than data."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if len({entry.filename for entry in entries}) < len(entries):
            raise ModelError(
                f"{path}: not an exported program: two of its entries have the same name"
            )
        for entry in entries:
            if "aotinductor" in entry.filename or entry.filename.endswith(".so"):
                raise ModelError(f"{path}: it contains machine code, which is not run")
            if entry.filename.endswith(".json"):
                if entry.file_size > MAX_BYTES:
                    raise ModelError(f"{path}: {entry.filename[:80]!a}: too large to be read")
                _check_text(path, archive.read(entry))


@contextmanager
def nothing_unpickled() -> Iterator[None]:
    """Let PyTorch unpickle tensors and plain containers alone, also where it would fall back."""
    before = os.environ.get(FORCED)
    os.environ[FORCED] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[FORCED]
        else:
            os.environ[FORCED] = before


def _check_text(path: str, content: bytes) -> None:
    waiting: list[tuple[str, Any]] = [("", json.loads(content))]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            for name, each in value.items():
                waiting += [("", name), *([] if name in INERT else [(name, each)])]
        elif isinstance(value, list):
            waiting += [(key, each) for each in value]
        elif isinstance(value, str) and not _is_data(key, value):
            raise ModelError(
                f"{path}: the text {value[:60]!a} in it may be code, which is not run; export the "
                "program again, or name a model that runs: model.py:factory"
            )


def _is_data(key: str, text: str) -> bool:
    if key == "expr_str":
        return _is_extent(text)
    return text.isprintable() and not set(text) & set("();")


def _is_extent(text: str) -> bool:
    """Return whether an expression has numbers, symbols and functions of extents alone."""
    if len(text) > MAX_EXPRESSION or not text.isprintable():
        return False
    try:
        nodes: list[Any] = list(ast.walk(ast.parse(text.strip(), mode="eval")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    quoted = {id(arg) for node in nodes if _called(node) in QUOTING for arg in node.args[:1]}
    powers = [node for node in nodes if _called(node) == "Pow" or isinstance(node, ast.Pow)]
    return len(powers) <= MAX_POWERS and all(
        isinstance(node, ALLOWED) and _is_plain(node, quotes=id(node) in quoted) for node in nodes
    )


def _called(node: Any) -> str:
    """Return the name that a node calls; nothing if it calls none."""
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def _is_plain(node: Any, *, quotes: bool) -> bool:
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            return quotes and QUOTED.fullmatch(node.value) is not None
        return isinstance(node.value, bool | int | float) and abs(node.value) < 2**64
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        return _is_small(node.right)
    if isinstance(node, ast.Call):
        name = _called(node)
        if name == "Pow" and (len(node.args) != 2 or not _is_small(node.args[1])):
            return False
        return name in FUNCTIONS.split() and all(
            isinstance(each.value, ast.Constant) for each in node.keywords
        )
    return not isinstance(node, ast.LShift)


def _is_small(node: Any) -> bool:
    """Return whether an exponent is a small number, written ``2`` or ``Integer(2)``."""
    if _called(node) == "Integer" and len(node.args) == 1:
        node = node.args[0]
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    return isinstance(node, ast.Constant) and node.value in range(MAX_EXPONENT + 1)
