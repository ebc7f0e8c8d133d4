"""Spec files that are wrong, hostile or without end: one line, in a short time."""

import json
import random
import time
from typing import Any

import pytest

from cnnstat.errors import CnnstatError
from cnnstat.importers.spec.document import MAX_COMPOSED, SpecError
from cnnstat.importers.spec.reading import read_text
from cnnstat.importers.spec.writing import write_text
from cnnstat.ir.builder import Builder
from cnnstat.ops import Add, Conv2d, Input, Parameter, ReLU
from tests.compat.fuzz_spec import SOURCES, mutants, outcome

LAYERS = "layers: [{Conv2d: [8, 3]}]\n"
BLOCK = """
input: 3x8x8
parameters: {width: 4}
blocks:
  b: {parameters: {out: 16}, layers: [{Conv2d: [$out, 3]}]}
  list: [{Conv2d: [$deep, 1]}]
"""

MISTAKES = (
    (BLOCK + "layers: [{block: b, with: {uot: 8}}]", "the block has no parameter 'uot': out"),
    (
        BLOCK + "layers: [{block: b, with: {out: 8, depth: 2}}]",
        "the block has no parameter 'depth': ",
    ),
    (BLOCK + "layers: [{block: list, with: {deap: 8}}]", "has no parameter 'deap': deep"),
    (
        BLOCK + "layers: [{repeat: 2, with: {witdh: 8}, layers: [{Conv2d: [$width, 1]}]}]",
        "the block has no parameter 'witdh': width",
    ),
    ("input: 3x8x8\ninputs: {a: 3x8x8}\n" + LAYERS, "has either 'input' or 'inputs', not both"),
    ("inputs: {a: {shape: [3, 8, 8], dtpye: int64}}\n" + LAYERS, "has no key 'dtpye': did you"),
    ("input: 3x²x8\n" + LAYERS, "a shape without the batch"),
    (
        "input: 3x8x8\nlayers: [{ReLU: {}, training_only: 5}]",
        "training_only (=5) must be true or false",
    ),
    (
        'input: 3x8x8\nlayers: [{ReLU: {}, training_only: "no"}]',
        "training_only (='no') must be true or false",
    ),
    ('input: 3x8x8\nlayers: [{ReLU: {}, name: ""}]', "a name must not be empty"),
    ('inputs: {"": 3x8x8}\n' + LAYERS, "a name must not be empty"),
    ('input: 3x8x8\nlayers: [{ReLU: {}, name: "\\ud800"}]', r"'\ud800' is not Unicode text"),
    ('inputs: {"\\udfff": 3x8x8}\n' + LAYERS, r"'\udfff' is not Unicode text"),
    ("input: 3x8x8\nlayers: [{ReLU: {}, from: !!int ten}]", "'ten' is not a valid int"),
    ("input: 3x8x8\nlayers: [{Dropout: !!float x}]", "'x' is not a valid float"),
    ("input: 3x8x8\nlayers: [{ReLU: {}, from: input:²}]", "called 'input:²'"),
    ('input: 3x8x8\nlayers: [{Conv2d: ["$(1\\0)", 3]}]', "is not arithmetic"),
    (f"input: 3x8x8\nlayers: [{{Linear: {'9' * 100_000}}}]", "a number of more than 40 characters"),
    (
        f"input: 3x8x8\nlayers: [{{name: {'a' * 5000}, ReLU: {{}}}}]",
        "a name of more than 1,000 characters",
    ),
)


@pytest.mark.parametrize(("text", "said"), MISTAKES, ids=[said for _, said in MISTAKES])
def test_mistake_is_one_line_with_its_place(text: str, said: str) -> None:
    with pytest.raises(SpecError) as raised:
        read_text(text, "net.yaml")
    message = str(raised.value)
    assert said in message
    assert message.startswith("net.yaml:")
    assert "\n" not in message


@pytest.mark.parametrize(
    "layers",
    [
        "[{block: b, with: {out: 8}}]",
        "[{block: b, with: {width: 8}}]",
        "[{block: list, with: {deep: 8}}]",
        "[{repeat: 2, with: {wide: $(2*index)}, layers: [{Conv2d: [$wide, 1]}]}]",
    ],
)
def test_parameter_that_a_block_has_or_uses_is_taken(layers: str) -> None:
    assert len(read_text(f"{BLOCK}layers: {layers}").graph.nodes) > 1


# -- bombs ----------------------------------------------------------------------------------------

ALIASES = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
BOMBS = {
    "aliases": f"a0: &a0 [1]\n{ALIASES}layers: *a11\n",
    "itself": "input: 3x8x8\nlayers: &a [*a]\n",
    "depth": "[" * 100_000,
    "depth of blocks": "- " * 50_000,
    "values": "input: 3x8x8\nlayers: [" + "1," * (MAX_COMPOSED + 10) + "]",
    "doubled texts": "input: 3x8x8\nparameters:\n  p0: xxxxxxxx\n"
    + "".join(f"  p{i}: $p{i - 1}$p{i - 1}\n" for i in range(1, 60))
    + LAYERS,
    "lists of lists": "input: 3x8x8\nparameters:\n  p0: [1, 1]\n"
    + "".join(f"  p{i}: [{', '.join([f'$p{i - 1}'] * 50)}]\n" for i in range(1, 30))
    + "layers: [{Conv2d: [8, $p29]}]\n",
    "repeats": "input: 3x8x8\nlayers: "
    + "[{repeat: 1000, layers: " * 10
    + "[ReLU]"
    + "}]" * 10
    + "\n",
    "brackets": f"input: 3x8x8\nlayers: [{{Conv2d: ['$({'(' * 90}1{')' * 90})', 3]}}]",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bomb_ends_in_one_line(bomb: str) -> None:
    start = time.process_time()
    with pytest.raises(CnnstatError) as raised:
        read_text(BOMBS[bomb], "bomb.yaml")
    assert "\n" not in str(raised.value)
    assert time.process_time() - start < 30


# -- names that are written and read back ---------------------------------------------------------

NAMES = (
    *("null", "true", "No", "on", "1e5", "0x1F", "12:30", "1_000", "~", "-", "é", "\U0001f600"),
    *("a b", "a: b", "a#b", " #", "[x]", "{x}", "*a", "&a", "!x", "%x", "@x", "`x`", '"', "'"),
    *("a\nb", "\x1b[31m", "\\", "$width", "$(1+1)", "$$", "a:1", "in", "class", "x\u2028y", "\x85"),
)


@pytest.mark.parametrize("name", NAMES)
def test_any_name_reads_back(name: str) -> None:
    b = Builder(name)
    x = b.add(name, Input((3, 8, 8)))
    y = b.add(f"{name}/conv", Conv2d(3, (1, 1)), x)
    graph = b.graph(b.add(f"{name}{name}", Add(), y, x))
    assert read_text(write_text(graph)).graph == graph


def test_name_that_looks_like_a_result_is_told_apart() -> None:
    text = "input: 3x8x8\nlayers:\n- {name: 'a:0', ReLU: {}}\n- {ReLU: {}, from: 'a:0'}\n"
    graph = read_text(text).graph
    assert graph.nodes[2].inputs[0].node == 1
    assert read_text(write_text(graph), "spec").graph == graph


def test_graph_without_layers_reads_back() -> None:
    b = Builder("nothing")
    graph = b.graph(b.add("x", Input((3, 8, 8))))
    assert read_text(write_text(graph)).graph == graph


def test_computed_weights_are_not_written() -> None:
    b = Builder("computed")
    x = b.add("x", Input((3, 8, 8)))
    kernel = b.add("kernel", ReLU(), b.add("k", Input((3, 1, 1))))
    graph = b.graph(b.add("conv", Conv2d(4, (1, 1)), x, kernel))
    with pytest.raises(CnnstatError, match="computed: "):
        write_text(graph)


def test_weights_of_no_layer_are_not_written() -> None:
    b = Builder("tied")
    x = b.add("x", Input((3, 8, 8)))
    table = b.add("table", Parameter((4, 3, 1, 1)))
    graph = b.graph(b.add("conv", Conv2d(4, (1, 1), bias=False), x, tied_to=table))
    with pytest.raises(CnnstatError, match="the weights of table"):
        write_text(graph)


# -- mutants --------------------------------------------------------------------------------------


def test_mutants_of_spec_files_are_read_or_refused_in_one_line() -> None:
    draw = random.Random(0)
    seen: dict[str, int] = {}
    for number, text in zip(range(300), mutants(draw), strict=False):
        kind = outcome(text, number)
        seen[kind] = seen.get(kind, 0) + 1
    assert seen.pop("read", 0) > 20
    assert seen.pop("refused", 0) > 100
    assert seen == {}, json.dumps(seen)


def test_sources_of_mutants_are_read() -> None:
    kinds: list[Any] = [outcome(text, 0) for text in SOURCES]
    assert set(kinds) == {"read"}
