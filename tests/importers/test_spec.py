"""Spec files: what they mean, that they round-trip, and what each mistake is answered with."""

import time
from pathlib import Path

import pytest

from cnnstat import api
from cnnstat.errors import CnnstatError, ModelError, ShapeError, UsageError
from cnnstat.importers.spec.document import SpecError
from cnnstat.importers.spec.reading import Spec, read_text, template
from cnnstat.importers.spec.schema import schema_text
from cnnstat.importers.spec.writing import write_text
from cnnstat.ops import Add, BatchNorm2d, Conv2d, LayerNorm, MaxPool2d, RMSNorm
from cnnstat.zoo.catalog import names

SAMPLES = Path(__file__).parents[2] / "samples"


def layers(text: str) -> Spec:
    return read_text(f"input: 3x8x8\nlayers:\n{text}", "net.yaml")


def test_chain_reads_the_layer_before() -> None:
    graph = layers("- {Conv2d: [16, 3]}\n- ReLU\n- {Linear: 10, from: relu_1}").graph
    assert [node.name for node in graph.nodes] == ["input", "conv2d_1", "relu_1", "linear_1"]
    assert [tuple(value.node for value in node.inputs) for node in graph.nodes] == [
        (),
        (0,),
        (1,),
        (2,),
    ]
    assert graph.nodes[1].op == Conv2d(16, (3, 3))


def test_fields_by_name_by_order_and_per_axis() -> None:
    graph = layers(
        "- {Conv2d: {out_channels: 4, kernel: [1, 3], padding: same}}\n- {MaxPool2d: {kernel: 2}}"
    ).graph
    assert graph.nodes[1].op == Conv2d(4, (1, 3), padding="same")
    assert graph.nodes[2].op == MaxPool2d((2, 2), (2, 2))


def test_numbers_with_an_exponent_are_numbers() -> None:
    graph = layers(
        "- {LayerNorm: {eps: 1e-6}}\n- {RMSNorm: {eps: 2.0e-6}}\n- {BatchNorm2d: }"
    ).graph
    assert [node.op for node in graph.nodes[1:]] == [
        LayerNorm(eps=1e-6),
        RMSNorm(eps=2e-6),
        BatchNorm2d(eps=1e-5),
    ]
    written = write_text(graph)
    assert "eps: 1.0e-06" in written
    assert read_text(written, "again.yaml").graph == graph


def test_block_is_a_scope_whose_input_is_in() -> None:
    text = (
        "input: 3x8x8\nblocks:\n  b: [{name: c, Conv2d: [3, 3, 1, 1]}, {Add: , from: [c, in]}]\n"
        "layers:\n- {repeat: 2, block: b, name: res}\n"
    )
    graph = read_text(text).graph
    assert [n.name for n in graph.nodes[1:]] == [
        "res_1/c",
        "res_1/add_1",
        "res_2/c",
        "res_2/add_1",
    ]
    assert graph.nodes[4].op == Add()
    assert [value.node for value in graph.nodes[4].inputs] == [3, 2]


def test_repeat_without_a_name_keeps_the_outer_input() -> None:
    text = (
        "input: 3x8x8\nblocks:\n"
        "  b: [{repeat: 2, layers: [{Conv2d: [3, 3, 1, 1]}]}, {Add: , from: [conv2d_2, in]}]\n"
        "layers:\n- {block: b, name: res}\n"
    )
    graph = read_text(text).graph
    assert [value.node for value in graph.nodes[3].inputs] == [2, 0]


def test_parameters_and_arithmetic() -> None:
    text = (
        "input: 3x8x8\nparameters: {w: 8, double: $(2*w)}\n"
        "layers:\n- {Conv2d: {out_channels: $(double + (w - 1)//7), kernel: 1}}\n"
    )
    assert read_text(text).graph.nodes[1].op == Conv2d(2 * 8 + 1, (1, 1))


def test_several_inputs_outputs_and_results() -> None:
    text = (
        "inputs: {image: [3, 8, 8], mask: {shape: [3, 8, 8], dtype: float16}}\n"
        "layers:\n- {name: sum, Add: , from: [image, mask]}\n"
        "- {name: pool, MaxPool2d: {kernel: 2, return_indices: true}}\n"
        "outputs: [pool, 'pool:1', sum]\n"
    )
    graph = read_text(text).graph
    assert [tuple(value) for value in graph.outputs] == [(3, 0), (3, 1), (2, 0)]


@pytest.mark.parametrize("name", names())
def test_every_model_of_the_zoo_reads_back_equal(name: str) -> None:
    graph = api.load(name).graph
    assert read_text(write_text(graph)).graph == graph


def test_vgg16_in_a_screen_is_the_zoo_s() -> None:
    assert template(str(SAMPLES / "vgg16.yaml")).spec().graph == api.load("vgg16").graph
    assert len((SAMPLES / "vgg16.yaml").read_text().splitlines()) <= 40


def test_samples_count() -> None:
    tiny = api.analyze(str(SAMPLES / "tiny.yaml")).totals
    assert tiny.params == (3 * 3 * 1 + 1) * 16 + (3 * 3 * 16 + 1) * 32 + (32 + 1) * 10
    residual = api.analyze(str(SAMPLES / "residual.yaml")).totals
    assert residual.depth == 1 + 2 * 9 + 1


def test_sample_with_an_error_names_the_line_and_the_rule() -> None:
    path = str(SAMPLES / "broken.yaml")
    with pytest.raises(ShapeError) as caught:
        api.analyze(path)
    line = (
        (SAMPLES / "broken.yaml")
        .read_text()
        .splitlines()
        .index("  - {name: conv2, Conv2d: {out_channels: 96, kernel: 3, padding: 1, groups: 3}}")
    )
    assert str(caught.value).startswith(f"{path}:{line + 1}: ")
    assert "in_channels (=64) must be divisible by groups (=3)" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "empty"),
        ("layers: []", 1, "needs 'input'"),
        ("input: 3x8x8\nlayers:\n- {Conv3: 3}", 3, "unknown operator 'Conv3': did you mean Conv3d"),
        ("input: 3x8x8\nlayers:\n- {Conv2d: {out_chanels: 3, kernel: 1}}", 3, "out_channels"),
        ("input: 3x8x8\nlayers:\n- {Conv2d: {kernel: 1}}", 3, "Conv2d needs out_channels"),
        ("input: 3x8x8\nlayers:\n- {Conv2d: [x, 3]}", 3, "must be a whole number"),
        ("input: 3x8x8\nlayers:\n- {Conv2d: [8, 0]}", 3, "must be at least 1"),
        ("input: 3x8x8\nlayers:\n- {ReLU: , Tanh: }", 3, "one operator"),
        ("input: 3x8x8\nlayers:\n- {ReLU: , name: a}\n- {ReLU: , name: a}", 4, "used twice"),
        ("input: 3x8x8\nlayers:\n- {ReLU: , name: a, from: b}\n- {ReLU: , name: b}", 3, "cycles"),
        ("input: 3x8x8\nlayers:\n- {block: nosuch}", 3, "no block is called 'nosuch'"),
        ("input: 3x8x8\nlayers:\n- {repeat: -1, layers: [ReLU]}", 3, "repeat"),
        ("input: 3x8x8\nlayers:\n- {Nonlinearity: [ELU, [a]]}", 3, "must be a number"),
        ("input: 3x8x8\nlayers:\n- {Nonlinearity: [SiLU, [2]]}", 3, "of SiLU must be none or 0"),
        ("input: 3x8x8\nlayers:\n- {LayerNorm: {eps: tiny}}", 3, "must be a number"),
        ("input: 3x8x8\nlayer: []", 2, "did you mean layers"),
        ("input: 3x8x8\nlayers: [\n", 3, "not YAML"),
        ("input: 3x0x8\nlayers: [ReLU]", 1, "at least 1"),
        ("input: abc\nlayers: [ReLU]", 1, "a shape without the batch"),
        ("input: 3x8x8\nlayers:\n- {Linear: $w}", 3, "unknown parameter $w"),
        ("input: 3x8x8\nlayers:\n- {Linear: $(2**9)}", 3, "only + - * // are allowed"),
        ("input: 3x8x8\nlayers:\n- {Linear: $(open(1))}", 3, "only whole numbers"),
        ("input: !!python/object/apply:os.system [ls]\nlayers: [ReLU]", 1, "a shape"),
        ("input: 3x8x8\nblocks: {b: [{block: b}]}\nlayers: [{block: b}]", 2, "nested deeper"),
        ("input: 3x8x8\ninput: 3x8x8\nlayers: [ReLU]", 2, "appears twice"),
        ("input: 3x8x8\nlayers:\n- {from: [], ReLU: }", 3, "ReLU reads 1 input, got 0"),
        ("input: 3x8x8\nlayers:\n- {from: [input, input], Flatten: }", 3, "1 input, got 2"),
        ("input: 3x8x8\nlayers:\n- {from: [input], MatMul: }", 3, "2 to 3 inputs, got 1"),
        (
            "input: 3x8x8\nlayers:\n- {name: r, ReLU: }\n- {tied_to: r, Conv2d: [4, 3]}",
            4,
            "cannot share the weights of ReLU",
        ),
    ],
)
def test_mistakes_name_file_line_and_rule(text: str, line: int, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_text(text, "net.yaml")
    assert str(caught.value).startswith(f"net.yaml:{line}: ")
    assert message in str(caught.value)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("layers", "line", "message"),
    [
        ("- {name: p, ReLU: }\n- {from: 'p:3', ReLU: }", 4, "reads result 3 of p"),
        ("- {name: p, ReLU: }\noutputs: ['p:2']", 3, "an output reads result 2 of p"),
        (
            "- {name: a, Conv2d: [4, 3]}\n- {tied_to: a, Conv2d: [4, 3]}",
            4,
            "shares the weights of a, but weight is (4, 3, 3, 3) there and (4, 4, 3, 3) here",
        ),
    ],
)
def test_what_shapes_tell_names_the_line_too(
    layers: str, line: int, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(f"input: 3x8x8\nlayers:\n{layers}\n")
    with pytest.raises(ShapeError) as caught:
        api.analyze(str(path))
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert message in str(caught.value)


def test_anchor_bomb_is_an_error_and_no_hang() -> None:
    bomb = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    bomb += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    start = time.perf_counter()
    with pytest.raises(SpecError, match="unfolds to more than"):
        read_text("\n".join(bomb))
    assert time.perf_counter() - start < 60  # unfolded, it would be 10^12 values


def test_repeat_bomb_is_an_error() -> None:
    inner = "{repeat: 100000, layers: [{repeat: 100000, layers: [ReLU]}]}"
    with pytest.raises(SpecError, match="more than 100,000 rounds"):
        read_text(f"input: 3x8x8\nlayers: [{inner}]")


def test_empty_repeats_within_repeats_stop_too() -> None:
    nested = "[ReLU]"
    for _ in range(6):
        nested = f"[{{repeat: 1000, layers: {nested}}}]"
    text = f"input: 3x8x8\nlayers: {nested.replace('[ReLU]', '[]')}"
    with pytest.raises(SpecError, match="repeats"):
        read_text(text)


def test_deep_nesting_is_an_error() -> None:
    with pytest.raises(SpecError, match="nested deeper"):
        read_text("input: " + "[" * 100 + "]" * 100 + "\nlayers: []")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        template(str(tmp_path / "nosuch.yaml"))
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not UTF-8"):
        template(str(tmp_path / "binary.yaml"))
    assert issubclass(SpecError, ModelError)
    assert issubclass(ModelError, CnnstatError)


def test_schema_file_is_what_the_operators_say() -> None:
    """Made anew by: python -m cnnstat.importers.spec.schema > samples/spec.schema.json."""
    assert (SAMPLES / "spec.schema.json").read_text() == schema_text()
