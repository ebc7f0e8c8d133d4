"""onnx's own node tests against cnnstat: the shape of every result.

Each case of ``onnx.backend.test`` is one operator with inputs and the outputs that it must give.
The first input stays an input and later ones are stored, as weights and arguments are in a file;
then cnnstat reads it. A table with one row per operator:
``python tests/compat/onnx_suite.py -o samples/onnx_suite.csv``; ``--cases`` prints each case that
is not right.
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case import node
from onnx.backend.test.case.node import collect_testcases

from cnnstat import api
from cnnstat.errors import CnnstatError


class Outcome(NamedTuple):
    """How reading a case ended: ``right``, ``unknown``, ``refused``, ``wrong``, ``crashed``."""

    case: str
    op_type: str
    verdict: str
    said: str = ""


def cases(files: int | None = None, seed: int = 0) -> list[Any]:
    """Return onnx's node tests that come with inputs and outputs, by name.

    ``files`` of onnx's modules, drawn by ``seed``, are enough for a test: all take a minute.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if files is None:
            suite = collect_testcases(None)
        else:
            names = sorted(each.name for each in iter_modules(node.__path__, f"{node.__name__}."))
            for name in random.Random(seed).sample(names, files):
                import_module(name)
            suite = list(node._NodeTestCases)
    return sorted((each for each in suite if each.data_sets), key=lambda each: str(each.name))


def stored_later(case: Any) -> Any:
    """Return a case's model with all inputs but the first stored, and outputs of open shapes."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    inputs, _ = case.data_sets[0]
    graph = model.graph
    entering = [value for value in graph.input if value.name]
    for value, array in list(zip(entering, inputs, strict=False))[1:]:
        if not value.type.HasField("tensor_type") or _shape(array) is None:
            continue
        if isinstance(array, onnx.TensorProto):
            tensor = array
        else:
            tensor = numpy_helper.from_array(np.asarray(array), value.name)
        stored = graph.initializer.add()
        stored.CopyFrom(tensor)
        stored.name = value.name
        graph.input.remove(value)
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")  # cnnstat must find it
    return model


def outcome(case: Any, folder: Path) -> Outcome:
    """Return how cnnstat reads a case."""
    name, op_type = str(case.name), _op_type(case)
    path = folder / "case.onnx"
    onnx.save(stored_later(case), path)
    try:
        report = api.analyze(str(path))
    except CnnstatError as error:
        said = str(error).replace(f"{path}: ", "").splitlines()
        return Outcome(name, op_type, "refused" if len(said) == 1 else "crashed", said[0])
    except Exception as error:
        return Outcome(name, op_type, "crashed", f"{type(error).__name__}: {error}")
    unknown = {note.path for note in report.notes if note.code == "unknown_shape"}
    graph = report.shaped.graph
    verdict = "right"
    outputs = case.data_sets[0][1]
    names = [value.name for value in case.model.graph.output]
    for value, array, output in zip(graph.outputs, outputs, names, strict=False):
        node = graph.nodes[value.node]
        right = _shape(array)
        if right is None or node.name in unknown:
            verdict = "unknown"
            continue
        made = report.shaped.spec(value).shape
        if made != right:
            return Outcome(name, op_type, "wrong", f"{output} is {made}, right is {right}")
    return Outcome(name, op_type, verdict)


def _shape(result: Any) -> tuple[int, ...] | None:
    """Return the shape of a result; None for a sequence or an optional value."""
    if isinstance(result, onnx.TensorProto):
        return tuple(result.dims)
    return np.shape(result) if isinstance(result, np.ndarray | np.generic) else None


def _op_type(case: Any) -> str:
    """Return the operator that a case is about: the rarest of its nodes' names in its own name."""
    kinds = [str(node.op_type) for node in case.model.graph.node]
    flat = str(case.name).replace("_", "")
    named = [kind for kind in kinds if kind.lower() in flat]
    return max(named or kinds, key=len)


def table(outcomes: Sequence[Outcome]) -> Iterator[list[object]]:
    """Yield a head and a row for each operator: its cases by verdict, and the first refusal."""
    verdicts = ("right", "unknown", "refused", "wrong", "crashed")
    yield ["operator", "cases", *verdicts, "reason"]
    for kind in sorted({each.op_type for each in outcomes}):
        mine = [each for each in outcomes if each.op_type == kind]
        counts = [sum(each.verdict == verdict for each in mine) for verdict in verdicts]
        reasons = [each.said for each in mine if each.verdict not in ("right", "unknown")]
        yield [kind, len(mine), *counts, reasons[0] if reasons else ""]


def main() -> int:
    """Read all cases, or those whose name has a text in it, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--cases", action="store_true")
    parser.add_argument("-k", "--name", default="")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcomes = [outcome(c, Path(folder)) for c in cases() if options.name in str(c.name)]
    if options.cases:
        for each in outcomes:
            if each.verdict not in ("right", "unknown"):
                print(each.verdict, each.case, each.said)
    counts: dict[str, int] = {}
    for each in outcomes:
        counts[each.verdict] = counts.get(each.verdict, 0) + 1
    print(len(outcomes), "cases:", counts, file=sys.stderr)
    if options.output is not None:
        with options.output.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(table(outcomes))
    return int(any(each.verdict in ("wrong", "crashed") for each in outcomes))


if __name__ == "__main__":
    sys.exit(main())
