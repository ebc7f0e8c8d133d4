"""Mutants of ONNX files: each is read, or refused in one line; none crashes.

A mutant is a small valid file with a few bytes changed, or with a few fields of its messages
changed: operators, names, attributes, extents, element types, links between nodes, contents of
small tensors. ``python tests/compat/fuzz_onnx.py --count 5000 --seed 1`` prints the failures and
the counts.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import onnx

from cnnstat import api
from cnnstat.errors import CnnstatError
from tests.compat.onnx_suite import cases, stored_later

SECONDS = 20
"""Longest time that reading a mutant may take."""

EXTENTS = (-(2**63), -1, 0, 1, 2, 3, 7, 2**31, 2**62)
NAMES = ("", "x", "y", "\x1b[31m", "a\nb", "__class__", "'; import os #", "é" * 40)


class Failure(NamedTuple):
    """A mutant that crashed, took too long, or was refused in several lines."""

    number: int
    said: str


def seeds(files: int | None = None) -> list[bytes]:
    """Return small valid files: the sample of the repository and onnx's own node tests.

    ``files`` limits onnx's modules that these are taken from.
    """
    sample = Path(__file__).parents[2] / "samples" / "tiny.onnx"
    models = [stored_later(case).SerializeToString() for case in cases(files)]
    return [sample.read_bytes(), *(each for each in models if len(each) < 50_000)]


def changed_bytes(content: bytes, draw: random.Random) -> bytes:
    """Return a file with a few bytes changed, put in, left out, or its end cut off."""
    changed = bytearray(content)
    for _ in range(draw.randint(1, 6)):
        at = draw.randrange(len(changed))
        how = draw.randrange(5)
        if how < 3:
            changed[at] = draw.choice((0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)))
        elif how == 3:
            changed[at:at] = draw.randbytes(draw.randint(1, 9))
        elif len(changed) > 20:
            del changed[at : at + draw.randint(1, 9)]
    return bytes(changed[: draw.randrange(len(changed))] if draw.random() < 0.05 else changed)


def changed_structure(content: bytes, draw: random.Random) -> bytes:
    """Return a file with a few fields of its messages changed."""
    model = onnx.ModelProto()
    model.ParseFromString(content)
    for _ in range(draw.randint(1, 4)):
        draw.choice(CHANGES)(model, draw)
    return bytes(model.SerializeToString())


def _operator(model: Any, draw: random.Random) -> None:
    node = draw.choice(model.graph.node)
    node.op_type = draw.choice(OPERATORS)


def _link(model: Any, draw: random.Random) -> None:
    node = draw.choice(model.graph.node)
    links = draw.choice((node.input, node.output))
    graph = model.graph
    names = [*NAMES, *(each.name for each in (*graph.input, *graph.initializer))]
    names += [name for each in graph.node for name in each.output]
    how = draw.randrange(3)
    if how == 0 or not links:
        links.append(draw.choice(names))
    elif how == 1:
        links[draw.randrange(len(links))] = draw.choice(names)
    else:
        links.pop()


def _attribute(model: Any, draw: random.Random) -> None:
    node = draw.choice(model.graph.node)
    if not node.attribute:
        added = ("axis", draw.choice(EXTENTS)) if draw.random() < 0.5 else ("axes", [0, 9])
        node.attribute.append(onnx.helper.make_attribute(*added))
        return
    attribute = draw.choice(node.attribute)
    how = draw.randrange(5)
    if how == 0:
        node.attribute.remove(attribute)
    elif how == 1:
        attribute.i = draw.choice(EXTENTS)
    elif how == 2 and attribute.ints:
        attribute.ints[draw.randrange(len(attribute.ints))] = draw.choice(EXTENTS)
    elif how == 3:
        attribute.ints.append(draw.choice(EXTENTS))
    else:
        attribute.type = draw.randrange(14)


def _extent(model: Any, draw: random.Random) -> None:
    graph = model.graph
    values = [v.type.tensor_type.shape.dim for v in (*graph.input, *graph.output)]
    dims = draw.choice([*values, *(tensor.dims for tensor in graph.initializer)])
    if not dims:
        return
    at = draw.randrange(len(dims))
    if isinstance(dims[at], int):
        dims[at] = draw.choice(EXTENTS)
    elif draw.random() < 0.3:
        dims[at].dim_param = draw.choice(NAMES)
    else:
        dims[at].dim_value = draw.choice(EXTENTS)


def _dtype(model: Any, draw: random.Random) -> None:
    graph = model.graph
    for value in graph.input:
        value.type.tensor_type.elem_type = draw.randrange(30)
    for tensor in graph.initializer:
        if draw.random() < 0.3:
            tensor.data_type = draw.randrange(30)


def _contents(model: Any, draw: random.Random) -> None:
    if not model.graph.initializer:
        return
    tensor = draw.choice(model.graph.initializer)
    if tensor.raw_data:
        changed = bytearray(tensor.raw_data)
        changed[draw.randrange(len(changed))] = draw.choice((0, 1, 0x7F, 0xFF))
        tensor.raw_data = bytes(changed)
    if draw.random() < 0.3:
        tensor.ClearField("raw_data")


def _nodes(model: Any, draw: random.Random) -> None:
    nodes = model.graph.node
    how = draw.randrange(3)
    if how == 0:
        nodes.add().CopyFrom(draw.choice(nodes))
    elif how == 1 and len(nodes) > 1:
        del nodes[draw.randrange(len(nodes))]
    else:
        copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
        draw.shuffle(copies)
        del nodes[:]
        nodes.extend(copies)


def _opset(model: Any, draw: random.Random) -> None:
    draw.choice(model.opset_import).version = draw.choice((7, 9, 11, 13, 18, 21, 99, -1))


CHANGES: tuple[Callable[[Any, random.Random], None], ...] = (
    *(_operator, _link, _link, _attribute, _attribute, _extent, _extent),
    *(_dtype, _contents, _contents, _nodes, _opset),
)
OPERATORS = sorted({schema.name for schema in onnx.defs.get_all_schemas() if not schema.domain})


@contextmanager
def time_limit() -> Iterator[None]:
    """Raise ``TimeoutError`` in the body after ``SECONDS``."""

    def ring(number: int, frame: Any) -> None:
        raise TimeoutError(f"more than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def run(count: int, seed: int, files: Sequence[bytes]) -> tuple[Counter[str], list[Failure]]:
    """Return how reading mutants ended, by outcome, and those that failed."""
    counts: Counter[str] = Counter()
    failures: list[Failure] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutant.onnx"
        for number in range(count):
            draw = random.Random(f"{seed} {number}")
            change = changed_bytes if number % 3 == 0 else changed_structure
            path.write_bytes(change(draw.choice(files), draw))
            try:
                with time_limit(), warnings.catch_warnings():
                    warnings.simplefilter("error")
                    report = api.analyze(str(path))
                    report.to_dict()
                counts["read"] += 1
            except CnnstatError as error:
                counts["refused"] += 1
                if "\n" in str(error):
                    failures.append(Failure(number, f"several lines: {str(error)!r:.200}"))
            except Exception as error:
                failures.append(Failure(number, f"{type(error).__name__}: {str(error)!r:.200}"))
    counts["failed"] = len(failures)
    return counts, failures


def main() -> int:
    """Read mutants and print the failures and the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    counts, failures = run(options.count, options.seed, seeds())
    for failure in failures:
        print(failure.number, failure.said)
    print(dict(counts), file=sys.stderr)
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
