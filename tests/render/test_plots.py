"""Pictures: nothing in them overlaps or is cut off, equal input gives equal files."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from cnnstat import api
from cnnstat.bench.measurement import Measurement, Run
from cnnstat.count.report import analyze
from cnnstat.errors import UsageError
from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import ShapedGraph
from cnnstat.ir.shapes import infer_shapes
from cnnstat.ir.tensor import TensorSpec
from cnnstat.memory.memory import plan, settings
from cnnstat.ops import Conv2d, Input, Opaque
from cnnstat.render.plots.bubble import Bubble, Candidate, bubble_figure, bubbles
from cnnstat.render.plots.labels import Box, Point, label_points
from cnnstat.render.plots.layers import layers_figure, panels_of, spans_of
from cnnstat.render.plots.memory import memory_figure
from cnnstat.render.plots.roofline import measured_points, rates_of, roofline_figure
from cnnstat.render.plots.scaling import default_sizes, scaling_figure
from cnnstat.render.plots.style import (
    appearance,
    appearing,
    new_figure,
    styled,
)
from cnnstat.zoo.catalog import names
from cnnstat.zoo.lineup import IMAGENET, LINEUP
from tests.render.plotted import of_zoo, sweep

EXTREMES = [
    "lenet5",
    "handson-cnn",
    "vgg16",
    "resnet1202-cifar",
    "densenet264",
    "googlenet-aux",
    "fractalnet40-cifar",
]


@contextmanager
def drawn_texts() -> Iterator[list[Text]]:
    """Collect every text that is drawn; an axis holds labels that are not."""
    texts: list[Text] = []
    original = Text.draw

    def draw(self: Text, *args: Any, **kwargs: Any) -> None:
        if self.get_visible() and self.get_text().strip() and self not in texts:
            texts.append(self)
        original(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Text, "draw", draw)
        yield texts


def extents(figure: Figure) -> list[tuple[str, Box]]:
    with styled(), drawn_texts() as texts:
        figure.canvas.draw()
        return [(text.get_text(), Box(*text.get_window_extent().extents)) for text in texts]


def check_legible(figure: Figure) -> None:
    """Assert that no two texts share a pixel, that none is cut off, and that none is tiny."""
    boxes = extents(figure)
    assert len(boxes) > 5
    page = Box(*figure.bbox.extents)
    for text, box in boxes:
        assert page.left - 1 <= box.left <= box.right <= page.right + 1, text
        assert page.bottom - 1 <= box.bottom <= box.top <= page.top + 1, text
    for (one, first), (other, second) in combinations(boxes, 2):
        assert first.overlap(second) <= 1, (one, other)
    with styled(), drawn_texts() as texts:
        figure.canvas.draw()
        assert min(float(text.get_fontsize()) for text in texts) >= 7


def run(model: str, *, macs_per_byte: float, gmacs_per_s: float, **settings: Any) -> Run:
    made = Run(
        model=model,
        device="cpu",
        dtype="float32",
        batch=1,
        mode="inference",
        input_shape=(1, 3, 224, 224),
        channels_last=False,
        compiled=False,
        cuda_graph=False,
        tf32=None,
        threads=2,
        macs=1,
        flops=2,
        traffic_bytes=1,
        macs_per_byte=macs_per_byte,
        param_bytes=1,
        predicted_activation_bytes=1,
        gmacs_per_s=gmacs_per_s,
    )
    return replace(made, **settings)


def measurement(*runs: Run) -> Measurement:
    rates = {"float32": {"macs_per_s": 1e12}, "bfloat16": {"macs_per_s": 8e12}}
    reference = {"copy": {"bytes_per_s": 1e11}, "matmul": rates}
    environment = {
        "device_type": "cpu",
        "device_name": "A processor",
        "threads": 2,
        "reference": reference,
    }
    return Measurement(environment, runs)


def many_runs() -> Measurement:
    """Return two batches and two types of the line-up, close together as measured runs lie."""
    rng = random.Random(5)
    return measurement(
        *(
            run(
                model,
                macs_per_byte=rng.uniform(4, 60) * batch**0.3,
                gmacs_per_s=rng.uniform(50, 600),
                batch=batch,
                dtype=dtype,
            )
            for model in IMAGENET
            for batch, dtype in ((1, "float32"), (32, "bfloat16"))
        )
    )


@pytest.mark.parametrize("model", EXTREMES)
def test_layers_are_legible_for_the_smallest_and_the_largest(model: str) -> None:
    check_legible(layers_figure(api.analyze(model).report))


@pytest.mark.parametrize("model", ["lenet5", "resnet1202-cifar", "vgg16", "fractalnet40-cifar"])
def test_scaling_is_legible(model: str) -> None:
    own = api.load(model).inputs["input"].shape[2:]
    takes_less = model not in ("lenet5", "fractalnet40-cifar")
    sizes = [size for size in default_sizes(own) if takes_less or size[0] >= own[0]]
    check_legible(scaling_figure(sweep(model, sizes)))


@pytest.mark.parametrize(
    "models", [IMAGENET, LINEUP, names(), ("lenet5",)], ids=["imagenet", "lineup", "zoo", "one"]
)
def test_bubbles_are_legible(models: tuple[str, ...]) -> None:
    drawn = of_zoo(models)
    figure = bubble_figure(drawn)
    check_legible(figure)
    shown = [text for text, _ in extents(figure)]
    assert all(shown.count(bubble.name) == 1 for bubble in drawn)


def test_a_roofline_is_legible() -> None:
    figure = roofline_figure(many_runs())
    check_legible(figure)
    assert {"vgg16 x1", "vgg16 x32"} <= {text for text, _ in extents(figure)}


def test_labels_keep_off_the_roof() -> None:
    figure = roofline_figure(many_runs())
    axes = figure.axes[0]
    roofs = [line for line in axes.lines if str(line.get_label()).startswith("bound")]
    assert len(roofs) == 2
    corners = [axes.transData.transform(np.asarray(roof.get_xydata())) for roof in roofs]
    for text in axes.texts:
        box = Box(*text.get_window_extent().extents)
        for first, second in [(c[n], c[n + 1]) for c in corners for n in (0, 1)]:
            assert not box.crossed((tuple(first), tuple(second))), text.get_text()


@pytest.mark.parametrize("seed", range(6))
def test_labels_keep_apart_wherever_the_points_lie(seed: int) -> None:
    rng = random.Random(seed)
    with styled():
        figure = new_figure(4)
        axes = figure.subplots()
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        near = [rng.uniform(0.2, 0.8) for _ in range(4)]
        points = [
            Point(rng.choice(near) + rng.gauss(0, 0.05), rng.uniform(0.3, 0.7), 4, f"model-{n}")
            for n in range(30)
        ]
        label_points(axes, points)
        boxes = [text.get_window_extent() for text in axes.texts]
    inside = Box(*axes.get_window_extent().extents)
    assert len(boxes) == 30
    for one, other in combinations([Box(*box.extents) for box in boxes], 2):
        assert one.overlap(other) == 0
    assert all(inside.holds(Box(*box.extents)) for box in boxes)


@pytest.mark.parametrize(
    ("line", "crossed"),
    [
        (((-1, 1), (5, 1)), True),
        (((-1, -1), (5, 5)), True),
        (((1, 1), (1.5, 1)), True),
        (((-1, 3), (5, 3)), False),
        (((3, -1), (3, 5)), False),
        (((1, -1), (1, 5)), True),
        (((-1, 1.5), (1.5, 5)), False),
    ],
)
def test_a_line_through_a_box_is_seen(
    line: tuple[tuple[float, float], tuple[float, float]], *, crossed: bool
) -> None:
    assert Box(0, 0, 2, 2).crossed(line) is crossed


def test_bubbles_hold_what_the_reports_and_cards_say() -> None:
    card = api.load("vgg16").card
    drawn, without = bubbles(
        [
            Candidate("vgg16", api.analyze("vgg16").report, card),
            Candidate("handson-cnn", api.analyze("handson-cnn").report, None),
        ]
    )
    # table 3 of the paper: 25.6 % top-1 error of configuration D on one scale
    assert [(b.name, b.params, b.macs, b.dataset) for b in drawn] == [
        ("vgg16", 138_357_544, 15_470_264_320, "ImageNet")
    ]
    assert drawn[0].accuracy == pytest.approx(100 - 25.6)
    assert without == ("handson-cnn",)


def test_areas_are_as_the_parameters() -> None:
    pair = [Bubble("a", "f", 10**9, 4 * 10**6, 70, "x"), Bubble("b", "f", 10**9, 10**6, 60, "x")]
    (scatter,) = bubble_figure(pair).axes[0].collections
    first, second = (float(area) for area in scatter.get_sizes())  # type: ignore[attr-defined]
    assert first == pytest.approx(4 * second)


def test_bars_are_the_rows() -> None:
    report = api.analyze("lenet5").report
    figure = layers_figure(report)
    for axes, panel in zip(figure.axes, panels_of(report, report.layers), strict=True):
        assert [patch.get_height() for patch in axes.patches] == [  # type: ignore[attr-defined]
            value or 0 for value in panel.values
        ]
    assert "80.2% of it in C5" in figure.axes[0].get_title(loc="left")  # 48,120 of 60,000
    assert round(100 * 48_120 / 60_000, 1) == 80.2


def test_spans_part_the_rows_of_a_deep_model() -> None:
    report = api.analyze("resnet1202-cifar").report
    spans = {span.name: len(span.places) for span in spans_of(report.layers)}
    assert sum(spans.values()) == len(report.layers)
    # 200 blocks of two convolutions and an addition, in stages 2 and 3 also one shortcut
    assert [spans[f"stage{n}"] for n in (1, 2, 3)] == [200 * 3, 200 * 3 + 1, 200 * 3 + 1]
    assert "76.1% of it in stage3" in layers_figure(report).axes[0].get_title(loc="left")


def test_a_head_between_the_modules_of_a_stage_is_none_of_it() -> None:
    report = api.analyze("googlenet-aux").report
    heads = sum(row.params for row in report.layers if row.name.startswith("aux"))
    stage = sum(row.params for row in report.layers if row.name.startswith("inception_4"))
    share = 100 * stage / report.totals.params
    assert heads > 2 * stage  # so their numbers would be seen in the stage's
    title = layers_figure(report).axes[0].get_title(loc="left")
    largest = max(
        (row.params, row.name) for row in report.view(depth=1) if not row.name.startswith("inc")
    )
    assert largest[1] == "aux2"
    assert title.endswith(f"{100 * largest[0] / report.totals.params:.1f}% of it in aux2")
    assert share < 100 * largest[0] / report.totals.params


def test_an_unknown_amount_is_a_question_mark_and_no_share() -> None:
    b = Builder("odd")
    x = b.add("input", Input((4, 6, 6)))
    x = b.add("odd", Opaque("odd_op", (TensorSpec((1, 4, 6, 6)),)), x)
    figure = layers_figure(analyze(infer_shapes(b.graph(x), {})))
    assert [text.get_text() for text in figure.axes[2].texts] == ["?"]
    assert figure.axes[2].get_title(loc="left") == "Multiply-accumulates: at least 0"


def test_the_roof_is_the_lower_of_both_rates() -> None:
    measured = measurement(run("vgg16", macs_per_byte=20, gmacs_per_s=300))
    roof = roofline_figure(measured).axes[0].lines[0]
    x, y = np.asarray(roof.get_xydata()).T.tolist()
    assert x[1] == 1e12 / 1e11
    assert y[0] == pytest.approx(x[0] * 1e11)
    assert y[1:] == [1e12, 1e12]
    assert rates_of(measured)["bfloat16"].macs_per_s == 8e12
    assert measured_points(measured)[0][:2] == (20, 300 * 1e9)


@pytest.mark.parametrize("reference", [None, {}, [], {"copy": {}}, {"copy": {"bytes_per_s": 0}}])
def test_a_result_without_rates_has_no_roof(reference: object) -> None:
    measured = measurement(run("vgg16", macs_per_byte=20, gmacs_per_s=300))
    bare = replace(measured, environment={**measured.environment, "reference": reference})
    with pytest.raises(UsageError, match="no measured rates"):
        roofline_figure(bare)


def test_runs_that_failed_are_no_points() -> None:
    lost = run("vgg16", macs_per_byte=20, gmacs_per_s=0, status="out of memory")
    with pytest.raises(UsageError, match="nothing to plot: no run"):
        roofline_figure(measurement(lost))


def test_scaling_shows_the_totals_at_each_size() -> None:
    reports = sweep("resnet18", [(224, 224), (112, 112), (160, 96)])
    axes = scaling_figure(reports).axes
    ordered = [reports[1], reports[2], reports[0]]  # 112*112 < 160*96 < 224*224
    lines = {str(line.get_label()): line for panel in axes for line in panel.lines}
    assert np.asarray(lines["multiply-accumulates"].get_ydata()).tolist() == [
        report.totals.macs for report in ordered
    ]
    assert np.asarray(lines["peak"].get_ydata()).tolist() == [
        report.totals.peak_activation_bytes for report in ordered
    ]
    assert [text.get_text() for text in axes[-1].get_xticklabels()] == ["112", "160x96", "224"]


@pytest.mark.parametrize("sizes", [[(64, 64)], [(64, 64), (64, 64)]])
def test_one_size_is_nothing_to_plot(sizes: list[tuple[int, ...]]) -> None:
    with pytest.raises(UsageError, match="two or more input sizes"):
        scaling_figure(sweep("resnet18", sizes))


def long_named() -> ShapedGraph:
    b = Builder("models/" + "AVeryLongNameOfAModule" * 3)
    x = b.add("image", Input((3, 16, 16)))
    return infer_shapes(b.graph(b.add("convolution", Conv2d(8, (3, 3)), x)), {})


@pytest.mark.parametrize("width", ["120mm", "6.4in"])
def test_long_names_and_narrow_figures_are_not_cut_off(width: str) -> None:
    report = analyze(long_named())
    with appearing(appearance("png", width=width)):
        check_legible(layers_figure(report))
        check_legible(memory_figure(plan(report, settings())))
        check_legible(bubble_figure(of_zoo(("alexnet", "vgg16", "resnet50"))))
