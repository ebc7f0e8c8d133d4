"""Mutants of spec files: each is read, or refused in one line, in a short time.

``python tests/compat/fuzz_spec.py --cases 5000 --seed 0`` prints how many were read and refused,
and every mutant that ended otherwise. Bytes, lines and values of good files are changed.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from cnnstat.count.report import analyze
from cnnstat.errors import CnnstatError
from cnnstat.importers.spec.reading import read_text
from cnnstat.importers.spec.writing import write_text
from cnnstat.ir.shapes import infer_shapes

SAMPLES = Path(__file__).parents[2] / "samples"

SOURCES = (
    *((SAMPLES / name).read_text() for name in ("tiny.yaml", "residual.yaml")),
    """
name: heads
inputs:
  image: {shape: [3, 16, 16]}
  ids: {shape: [5], dtype: int64}
parameters: {width: 8, names: [a, b]}
layers:
  - {name: conv, Conv2d: {out_channels: $width, kernel: 3, padding: [[0, 1], [1, 1]]}, from: image}
  - {name: pool, MaxPool2d: {kernel: 2, return_indices: true}}
  - {name: back, MaxUnpool2d: 2, from: [pool, "pool:1"]}
  - {name: aux, Conv2d: [4, 1], training_only: true}
  - {name: table, Embedding: [10, 4], from: ids}
  - {name: lstm, Recurrent: {kind: LSTM, hidden: 6, directions: 2}}
  - {name: norm, LayerNorm: 1}
  - {name: act, Nonlinearity: {kind: LeakyReLU, numbers: [0.2]}, from: back}
  - {repeat: 2, name: "r$index", with: {deep: $(2*width)}, layers: [{Conv2d: [$deep, 1]}]}
outputs: [norm, r2]
training_outputs: aux
""",
)

VALUES = (
    *("null", "true", "0", "-1", "1e400", ".nan", "-.inf", "9" * 30, "''", "[]", "{}", "3x3"),
    *("[[[]]]", "$width", "$(1//0)", "$(9*9*9*9*9*9*9*9*9*9*9*9*9*9)", "*a", "&a", "!!int x"),
    *("!!python/object:os.system x", "ReLU", "Opaque", "Conv2d", "in", "same", "[1, 2, 3, 4]"),
    *('"\\ud800"', '"\\0"', "{shape: [3], dtype: complex64}", "~", "- -", "? a", "2147483648"),
)
"""Values that go where another was."""


def mutants(draw: random.Random) -> Iterator[str]:
    """Yield mutants without end."""
    while True:
        text = draw.choice(SOURCES)
        for _ in range(draw.choice((1, 1, 1, 2, 4))):
            text = draw.choice((_bytes, _value, _lines, _words))(text, draw)
        yield text


def _bytes(text: str, draw: random.Random) -> str:
    at = draw.randrange(len(text) + 1)
    piece = chr(draw.choice((draw.randrange(128), draw.randrange(0x110000))))
    return text[:at] + draw.choice(("", piece)) + text[at + draw.randrange(3) :]


def _value(text: str, draw: random.Random) -> str:
    places = [i for i, c in enumerate(text) if c in ":[,{"]
    if not places:
        return text
    at = draw.choice(places) + 1
    end = at
    while end < len(text) and text[end] not in ",]}\n":
        end += 1
    return f"{text[:at]} {draw.choice(VALUES)}{text[end:]}"


def _lines(text: str, draw: random.Random) -> str:
    lines = text.split("\n")
    first, second = (draw.randrange(len(lines)) for _ in range(2))
    change = draw.randrange(3)
    if change == 0:
        del lines[first]
    elif change == 1:
        lines.insert(second, lines[first])
    else:
        lines[first], lines[second] = lines[second], lines[first]
    return "\n".join(lines)


def _words(text: str, draw: random.Random) -> str:
    words = sorted(set(text.replace("{", " ").replace(":", " ").split()))
    return text.replace(draw.choice(words), draw.choice(words), 1) if words else text


def outcome(text: str, number: int) -> str:
    """Return ``read``, ``refused`` or the defect that a mutant shows."""
    start = time.process_time()
    try:
        spec = read_text(text, f"mutant{number}.yaml")
        analyze(infer_shapes(spec.graph, {}))
        kind = "read"
        if read_text(write_text(spec.graph)).graph != spec.graph:
            kind = "reads back as another graph"
    except CnnstatError as error:
        kind = "refused" if "\n" not in str(error) else "refused in several lines"
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        kind = f"{type(error).__name__} in {Path(place.filename).name}:{place.lineno}: {error}"
    return kind if time.process_time() - start < 20 else f"slow: {kind}"


def main() -> int:
    """Run the mutants and return 1 if any is neither read nor refused."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    kinds: Counter[str] = Counter()
    draw = random.Random(options.seed)
    for number, text in zip(range(options.cases), mutants(draw), strict=False):
        kind = outcome(text, number)
        kinds[kind] += 1
        if kind not in ("read", "refused"):
            print(f"--- {number}: {kind}\n{text}", file=sys.stderr)
    print(", ".join(f"{count} {kind}" for kind, count in kinds.most_common()))
    return int(set(kinds) > {"read", "refused"})


if __name__ == "__main__":
    sys.exit(main())
