"""The tree of a drawing: every row once, repeats told by what is inside, edges between boxes."""

import pytest

from cnnstat import api
from cnnstat.count.figures import Figures
from cnnstat.count.report import Report, analyze
from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import Graph, Value
from cnnstat.ir.shapes import infer_shapes
from cnnstat.ops import Add, Conv2d, Input
from cnnstat.render.graph.items import Box, Frame, Item, Repeat
from cnnstat.render.graph.outline import Edge, Outline, outline
from cnnstat.zoo.catalog import names

CONV = Conv2d(8, (3, 3), (1, 1), (1, 1))


def of(model: str, depth: int | None = None) -> Outline:
    return outline(api.analyze(model).report, depth=depth)


def shaped(graph: Graph) -> Report:
    return analyze(infer_shapes(graph, {}))


def frames(items: tuple[Item, ...]) -> list[Frame]:
    boxes = []
    for item in items:
        if isinstance(item, Frame):
            boxes += [item, *frames(item.items)]
    return boxes


def everything(drawing: Outline) -> list[Item]:
    return [*frames(drawing.items), *drawing.boxes]


def repeats(items: tuple[Item, ...]) -> dict[str, tuple[str, Repeat]]:
    """Return first and last name and the repeat of every frame that is drawn once for several."""
    return {
        frame.names[0]: (frame.names[-1], frame.repeat)
        for frame in frames(items)
        if frame.repeat.times > 1
    }


def row_edges(report: Report) -> set[tuple[str, str]]:
    row_of = {index: row.name for row in report.layers for index in row.nodes}
    pairs = {
        (row_of[value.node], row_of[index])
        for index, node in enumerate(report.shaped.nodes)
        for value in node.inputs
    }
    return {(source, target) for source, target in pairs if source != target}


@pytest.mark.parametrize("model", names())
def test_every_row_is_drawn_once_and_the_boxes_add_up_to_the_total(model: str) -> None:
    report = api.analyze(model).report
    drawing = outline(report)
    drawn = [row.name for box in drawing.boxes for row in box.rows]
    assert sorted(drawn) == sorted(row.name for row in report.layers)
    total = Figures()
    for box in drawing.boxes:
        for row in box.rows:
            total = total.plus(row.figures)
    assert total == report.totals_figures


@pytest.mark.parametrize("model", names())
def test_edges_are_those_between_rows_seen_through_the_boxes(model: str) -> None:
    report = api.analyze(model).report
    drawing = outline(report)
    box_of = {row.name: box.name for box in drawing.boxes for row in box.rows}
    seen = {(box_of[source], box_of[target]) for source, target in row_edges(report)}
    drawn = {(edge.source, edge.target) for edge in drawing.edges}
    assert len(drawn) == len(drawing.edges)
    assert drawn <= seen
    # what is left out leads from one repeat to the next of one frame, so inside that frame
    inside = [
        {row.name for row in item.rows} for item in everything(drawing) if item.repeat.times > 1
    ]
    for source, target in seen - drawn:
        assert any(source in rows and target in rows for rows in inside)


@pytest.mark.parametrize("model", ["googlenet-aux", "fractalnet40-cifar", "zfnet-deconv"])
def test_nothing_is_left_out_where_nothing_repeats(model: str) -> None:
    report = api.analyze(model).report
    drawing = outline(report)
    assert all(item.repeat.times == 1 for item in everything(drawing))
    assert {(edge.source, edge.target) for edge in drawing.edges} == row_edges(report)


def test_resnet50_repeats_the_blocks_behind_each_projection() -> None:
    # table 1 of the paper: 3, 4, 6, 3 blocks, the first of each with a projection
    assert repeats(of("resnet50").items) == {
        "conv2_2": ("conv2_3", Repeat(2)),
        "conv3_2": ("conv3_4", Repeat(3)),
        "conv4_2": ("conv4_6", Repeat(5)),
        "conv5_2": ("conv5_3", Repeat(2)),
    }


def test_resnet1202_is_as_small_a_drawing_as_resnet20() -> None:
    drawing = of("resnet1202-cifar")
    assert {first: repeat.times for first, (_, repeat) in repeats(drawing.items).items()} == {
        "stage1/block1": 200,
        "stage2/block2": 199,
        "stage3/block2": 199,
    }
    assert len(drawing.boxes) == len(of("resnet20-cifar").boxes)


def test_densenet121_grows_by_32_channels_a_layer() -> None:
    # 6, 12, 24, 16 layers; the last of each block has the next layer's normalisation in it
    assert {name: repeat for name, (_, repeat) in repeats(of("densenet121").items).items()} == {
        "conv2_block1": Repeat(6 - 1, 32),
        "conv3_block1": Repeat(12 - 1, 32),
        "conv4_block1": Repeat(24 - 1, 32),
        "conv5_block1": Repeat(16 - 1, 32),
    }


def test_paths_side_by_side_are_drawn_once() -> None:
    drawing = of("resnext-block")
    assert repeats(drawing.items) == {"path1": ("path32", Repeat(32, 0, parallel=True))}
    assert drawing.edges[-3:] == (
        Edge("path1/conv3", "sum"),
        Edge("sum", "add"),
        Edge("input", "add"),
    )


def test_a_dropped_path_does_not_make_blocks_unequal() -> None:
    frame = next(f for f in frames(of("stochastic-depth-110-cifar").items) if f.repeat.times > 1)
    assert frame.repeat == Repeat(18)
    # linear decay over 54 blocks from 1 to 0.5
    assert frame.survivals[0] == pytest.approx(1 - 0.5 * 1 / 54)
    assert frame.survivals[-1] == pytest.approx(1 - 0.5 * 18 / 54)


def test_single_layers_repeat_too() -> None:
    boxes = {box.name: box for box in of("vgg16").boxes}
    assert boxes["conv3_2"].repeat == Repeat(2)
    assert [row.name for row in boxes["conv5_1"].rows] == ["conv5_1", "conv5_2", "conv5_3"]
    assert boxes["conv1_2"].repeat == Repeat(1)


def test_stages_hold_their_modules_and_auxiliary_heads_stand_behind() -> None:
    items = of("googlenet-aux").items
    stage = next(i for i in items if isinstance(i, Frame) and i.names == ("inception_4",))
    assert stage.kind == "stage"
    modules = [item.names[0] for item in stage.items if isinstance(item, Frame)]
    assert modules == [f"inception_4{letter}" for letter in "abcde"]
    tops = [item.names[0] if isinstance(item, Frame) else item.name for item in items]
    position = tops.index("inception_4")
    assert tops[position + 1 : position + 3] == ["aux1", "aux2"]


def test_depth_folds_modules_and_keeps_stages() -> None:
    drawing = of("googlenet", depth=1)
    assert [frame.names[0] for frame in frames(drawing.items)] == [
        "inception_3",
        "inception_4",
        "inception_5",
    ]
    assert Edge("inception_3a", "inception_3b") in drawing.edges


def test_what_belongs_to_a_layer_is_no_module() -> None:
    drawing = of("zfnet-deconv")
    assert not frames(drawing.items)
    assert [box.name for box in drawing.boxes][2:4] == ["pool1", "pool1/lrn"]


def chain(*, read_from: int | None = None, tied: bool = False) -> Graph:
    """Return four equal convolutions in a chain, one of them also read by a later addition."""
    b = Builder("chain")
    x = b.add("input", Input((8, 16, 16)))
    values: list[Value] = []
    for number in range(4):
        x = b.add(f"c{number}", CONV, x, tied_to=values[1] if tied and number == 2 else None)
        values.append(x)
    if read_from is not None:
        x = b.add("add", Add(), x, values[read_from])
    return b.graph(x)


@pytest.mark.parametrize(
    ("read_from", "tied", "expected"),
    [
        (None, False, {"c0": 4}),
        (1, False, {"c0": 2, "c2": 2}),  # the addition reads the last of the first two
        (0, False, {"c0": 1, "c1": 3}),
        (2, False, {"c0": 3, "c3": 1}),
        (None, True, {"c0": 2, "c2": 1, "c3": 1}),  # c2 has no weights of its own
    ],
)
def test_a_block_that_something_else_reads_ends_a_run(
    read_from: int | None, tied: bool, expected: dict[str, int]
) -> None:
    drawing = outline(shaped(chain(read_from=read_from, tied=tied)))
    runs = {box.name: box.repeat.times for box in drawing.boxes if box.name.startswith("c")}
    assert runs == expected
    if read_from is not None:
        assert Edge("c0", "add") in drawing.edges  # c0 is the first of the run that is read


def test_equal_blocks_with_other_edges_inside_are_not_one() -> None:
    b = Builder("edges")
    x = b.add("input", Input((8, 16, 16)))
    with b.scope("block1"):
        first = b.add("first", CONV, x)
        second = b.add("second", CONV, first)
        x = b.add("add", Add(), second, first)
    with b.scope("block2"):
        first = b.add("first", CONV, x)
        second = b.add("second", CONV, first)
        x = b.add("add", Add(), second, x)  # from the block's input, not from its first layer
    drawing = outline(shaped(b.graph(x)))
    assert [frame.names for frame in frames(drawing.items)] == [("block1",), ("block2",)]


def test_a_repeat_inside_a_repeat() -> None:
    b = Builder("nested")
    x = b.add("input", Input((8, 16, 16)))
    for block in range(3):
        with b.scope(f"block{block}"):
            start = x
            for layer in range(2):
                x = b.add(f"conv{layer}", CONV, x)
            x = b.add("add", Add(), x, start)
    drawing = outline(shaped(b.graph(x)))
    (frame,) = frames(drawing.items)
    assert frame.repeat == Repeat(3)
    inner, add = frame.items
    assert isinstance(inner, Box)
    assert inner.repeat == Repeat(2)
    assert len(inner.rows) == 3 * 2
    assert drawing.edges == (
        Edge("input", inner.name),
        Edge(inner.name, add.rows[0].name),
        Edge("input", add.rows[0].name),
    )


def turns() -> Graph:
    """Return two modules of two layers each that read one another in turns, twice."""
    b = Builder("turns")
    x = b.add("input", Input((8, 16, 16)))
    for call in range(2):
        for module in "ab":
            with b.scope(module):
                for layer in range(2):
                    x = b.add(f"conv{layer}_{call}", CONV, x)
    return b.graph(x)


def test_a_module_that_does_not_run_in_one_go_has_no_frame() -> None:
    drawing = outline(shaped(turns()))
    assert not frames(drawing.items)
    rows = [row.name for box in drawing.boxes for row in box.rows]
    calls = [f"{module}/conv{layer}_{call}" for call in "01" for module in "ab" for layer in "01"]
    assert rows == ["input", *calls]


def test_modules_in_turns_are_not_repeats_of_one_another() -> None:
    drawing = outline(shaped(turns()), depth=1)
    assert [(box.name, box.repeat.times) for box in drawing.boxes[1:]] == [("a", 1), ("b", 1)]
    assert set(drawing.edges) == {Edge("input", "a"), Edge("a", "b"), Edge("b", "a")}


def test_branches_side_by_side_keep_their_frames() -> None:
    b = Builder("towers")
    image = b.add("input", Input((8, 16, 16)))
    left = right = image
    for layer in range(2):  # listed in turns, but neither reads the other
        with b.scope("left"):
            left = b.add(f"conv{layer}", CONV, left)
        with b.scope("right"):
            right = b.add(f"conv{layer}", CONV, right)
    drawing = outline(shaped(b.graph(b.add("add", Add(), left, right))))
    assert [name for frame in frames(drawing.items) for name in frame.names] == ["left", "right"]
