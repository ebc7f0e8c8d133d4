"""Drawings as DOT and Mermaid text, and what Graphviz makes of them."""

import re
import shutil
import stat
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cnnstat import api
from cnnstat.count.report import Report, analyze
from cnnstat.errors import UsageError
from cnnstat.ir.builder import Builder
from cnnstat.ir.shapes import infer_shapes
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ops import Concat, Conv2d, Input, Linear, MaxPool2d, Opaque, View
from cnnstat.render.graph.as_dot import render_dot
from cnnstat.render.graph.as_mermaid import render_mermaid
from cnnstat.render.graph.formats import FORMATS, SUFFIXES, choose_format, draw_graph
from cnnstat.render.graph.graphviz import draw, inline_svg
from cnnstat.render.graph.outline import outline

SAMPLES = Path(__file__).parents[2] / "samples" / "graphs"


def dot(model: str, depth: int | None = None) -> str:
    return render_dot(outline(api.analyze(model).report, depth=depth))


def awkward(name: str) -> Report:
    b = Builder(name)
    x = b.add("input", Input((3, 8, 8)))
    x = b.add(name, Conv2d(4, (3, 3)), x)
    return analyze(infer_shapes(b.graph(x), {}))


@pytest.mark.parametrize("path", sorted(SAMPLES.iterdir()), ids=lambda path: path.name)
def test_each_sample_is_what_is_drawn_today(path: Path) -> None:
    name, _, depth = path.stem.partition("-depth")
    model = api.load(name)
    assert model.card is not None
    drawn = draw_graph(
        api.analyze(model).report,
        choose_format(None, path.name),
        depth=int(depth) if depth else None,
        title=model.card.title,
    )
    assert drawn == path.read_text()


def test_a_box_says_name_operator_shape_parameters_and_macs() -> None:
    # vgg16's conv1_2: (3*3*64 + 1)*64 parameters, 3*3*64*64*224*224 MACs
    assert (3 * 3 * 64 + 1) * 64 == 36_928
    assert 3 * 3 * 64 * 64 * 224 * 224 == 1_849_688_064
    expected = ["conv1_2", "Conv2d 3x3 pad 1 + ReLU", "64x224x224", "36,928 params, 1.85 G MACs"]
    line = next(line for line in dot("vgg16").splitlines() if ">conv1_2<" in line)
    assert [text for text in re.findall(r">([^<>]+)<", line) if text.strip()] == expected
    mermaid = render_mermaid(outline(api.analyze("vgg16").report))
    assert f'["<b>conv1_2</b><br/>{"<br/>".join(expected[1:])}"]:::conv' in mermaid


def test_a_repeated_module_says_how_often_and_what_one_costs() -> None:
    # two 3x3 convolutions on 16 channels with batch norm: 2 * (3*3*16*16 + 2*16)
    assert 2 * (3 * 3 * 16 * 16 + 2 * 16) == 4672
    text = dot("resnet1202-cifar")
    assert "<b>block1 to block200  x200</b>" in text
    assert "each 4,672 params, 4.72 M MACs" in text
    assert "xN: N equal blocks, drawn once" in text


def test_blocks_that_grow_say_by_how_much_and_what_they_cost_together() -> None:
    text = dot("densenet121")
    assert "<b>conv2_block1 to conv2_block5  x5, +32 channels each</b>" in text
    # block n of 5: norm 2*(64+32n'), 1x1 (64+32n')*128, norm 2*128, 3x3 3*3*128*32, n' = n - 1
    blocks = [2 * c + c * 128 + 2 * 128 + 3 * 3 * 128 * 32 for c in (64 + 32 * n for n in range(5))]
    assert f"together {sum(blocks):,} params" in text
    assert "96x56x56 to 224x56x56" in text


def test_kept_paths_and_training_heads_are_said() -> None:
    assert "kept in training with 0.991 to 0.833" in dot("stochastic-depth-110-cifar")
    text = dot("googlenet-aux", depth=1)
    assert "dashed: in training only" in text
    aux = next(line for line in text.splitlines() if ">aux1<" in line)
    assert "dashed" in aux
    assert "style=" not in next(line for line in text.splitlines() if ">inception_4a<" in line)
    assert "dashed" not in dot("googlenet")


def test_an_unknown_amount_of_work_is_a_lower_bound() -> None:
    b = Builder("net")
    x = b.add("conv", Conv2d(4, (3, 3)), b.add("input", Input((3, 8, 8))))
    x = b.add("odd", Opaque("odd_op", (TensorSpec((1, 4, 6, 6)),)), x)
    text = draw_graph(analyze(infer_shapes(b.graph(x), {})), "mermaid")
    assert isinstance(text, str)
    # the convolution: 3*3*3*4 MACs at each of 6*6 places
    assert f">= {3 * 3 * 3 * 4 * 6 * 6 / 1000:.2f} k MACs" in text.splitlines()[1]
    assert "odd_op no rule<br/>4x6x6<br/>? MACs" in text


def test_only_the_edges_of_the_outline_are_arrows() -> None:
    drawing = outline(api.analyze("resnet50").report)
    arrows = [
        line for line in render_dot(drawing).splitlines() if " -> " in line and "invis" not in line
    ]
    assert len(arrows) == len(drawing.edges)
    assert render_mermaid(drawing).count(" --> ") == len(drawing.edges)


@pytest.mark.parametrize("name", ['a"b', "a<b>&c", "a\\b", "größe", "a#b", "end"])
def test_any_name_can_be_drawn(name: str) -> None:
    report = awkward(name)
    text = draw_graph(report)
    assert isinstance(text, str)
    label = next(line for line in text.splitlines() if line.startswith("  n1 ["))
    markup = re.search(r"label=<(.*)>, fillcolor", label)
    assert markup is not None
    shown = ElementTree.fromstring(f"<label>{markup[1]}</label>").find("b")
    assert shown is not None
    assert shown.text == name
    quoted = re.match(r'digraph "((?:[^"\\]|\\.)*)" \{', text)
    assert quoted is not None
    assert re.sub(r"\\(.)", r"\1", quoted[1]) == name
    mermaid = draw_graph(report, "mermaid")
    assert isinstance(mermaid, str)
    box = next(line for line in mermaid.splitlines() if line.startswith("  n1["))
    assert box.count('"') == 2  # the two that enclose the text
    if shutil.which("dot") is not None:
        assert draw(text, "svg").startswith(b"<?xml")


def test_every_suffix_has_a_format_and_every_format_a_suffix() -> None:
    assert set(SUFFIXES.values()) == set(FORMATS)
    assert [choose_format(None, f"a{suffix}") for suffix in SUFFIXES] == list(SUFFIXES.values())
    assert choose_format(None, None) == "dot"
    assert choose_format("MERMAID", "a.txt") == "mermaid"


def fake_dot(folder: Path, body: str) -> None:
    program = folder / "dot"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


def test_graphviz_gets_the_text_and_the_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_dot(tmp_path, 'echo "$@"; /bin/cat')
    monkeypatch.setenv("PATH", str(tmp_path))
    assert draw("digraph { a -> b }", "png") == b"-Tpng -Gdpi=110\ndigraph { a -> b }"


@pytest.mark.parametrize("body", ["echo no such font >&2; exit 3", "echo no such font >&2"])
def test_a_failure_of_graphviz_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    fake_dot(tmp_path, body)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="could not draw the graph as svg: no such font"):
        draw("digraph {}", "svg")


def test_an_inline_svg_has_neither_prolog_nor_comment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    svg = '<?xml version="1.0"?><!DOCTYPE svg><!-- dot 9 --><svg><!-- a --><g>x</g></svg>'
    fake_dot(tmp_path, f"echo '{svg}'")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert inline_svg("digraph {}") == "<svg><g>x</g></svg>\n"


def test_the_real_graphviz_draws_every_box_or_its_absence_is_said() -> None:
    drawing = outline(api.analyze("googlenet-aux").report)
    text = render_dot(drawing)
    if shutil.which("dot") is None:
        with pytest.raises(UsageError, match="apt install graphviz"):
            draw(text, "svg")
        return
    tree = ElementTree.fromstring(inline_svg(text))
    drawn = [group.get("class") for group in tree.iter() if group.tag.endswith("}g")]
    titles = text.count("shape=plain")
    assert drawn.count("node") == len(drawing.boxes) + titles
    assert drawn.count("cluster") == titles
    assert drawn.count("edge") == len(drawing.edges)


def interleaved() -> Report:
    """Return a model whose encoder runs between poolings outside it."""
    b = Builder("levels")
    x = b.add("input", Input((3, 16, 16)))
    for level in range(3):
        with b.scope("enc"), b.scope(str(level)):
            x = b.add("a", Conv2d(4 + level, (3, 3), padding=(1, 1)), x)
            x = b.add("b", Conv2d(4 + level, (3, 3), padding=(1, 1)), x)
        x = b.add(f"pool{level}", MaxPool2d((2, 2), (2, 2)), x)
    return analyze(infer_shapes(b.graph(x), {}))


def heights(drawing: str) -> dict[str, float]:
    """Return how far each title or box stands from the top, by its first word."""
    root = ElementTree.fromstring(drawing)
    texts = root.iter("{http://www.w3.org/2000/svg}text")
    return {str(text.text): float(text.attrib["y"]) for text in texts}


@pytest.mark.skipif(shutil.which("dot") is None, reason="no Graphviz here")
def test_levels_stand_in_the_order_of_execution_without_empty_space() -> None:
    at = heights(draw(render_dot(outline(interleaved())), "svg").decode())
    order = ("enc/0", "pool0", "enc/1", "pool1", "enc/2", "pool2")
    assert [at[name] for name in order] == sorted(at[name] for name in order)
    assert "enc" not in at  # a frame around the levels would enclose the poolings' space


def test_an_arrow_back_to_a_module_is_told_apart() -> None:
    drawing = outline(interleaved(), depth=1)
    lines = render_dot(drawing).splitlines()
    back = [line for line in lines if "->" in line and "dashed" in line]
    assert [line.split(" [")[0].strip() for line in back] == ["n2 -> n1", "n3 -> n1"]
    assert render_mermaid(drawing).count("-.->") == 2
    assert "back to a module that runs again" in lines[1]
    assert "dashed" not in render_dot(outline(interleaved()))


def test_a_view_that_is_made_earlier_makes_no_arrow_back() -> None:
    b = Builder("branches")
    image, meta = b.add("image", Input((3, 8, 8))), b.add("meta", Input((192,)))
    left = b.add("flatten", View("view", (TensorSpec((1, 192)),)), image)
    right = b.add("right", Linear(4), meta)
    x = b.add("cat", Concat(1), left, right)
    drawing = outline(analyze(infer_shapes(b.graph(x), {})))
    assert ("right", "cat") in drawing.edges
    assert not drawing.has_back_edges
