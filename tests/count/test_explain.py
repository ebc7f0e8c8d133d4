"""Derivations: every rule with its numbers put in gives the figure next to it."""

import re
from math import ceil, floor

import pytest

from cnnstat import api
from cnnstat.count.explain import (
    Step,
    flops_steps,
    layer_steps,
    model_steps,
    overview,
    select,
    transposed_rule,
    window_rule,
)
from cnnstat.errors import UsageError
from cnnstat.ir.window import Window
from cnnstat.ir.work import Work

MODELS = (
    "lenet5",
    "alexnet",
    "vgg16",
    "googlenet",
    "resnet50",
    "handson-cnn",
    "zfnet-deconv",
    "mobilenet",
    "densenet40-12-cifar",
)
ARITHMETIC = re.compile(r"[0-9+*/(), -]+|floor|ceil")


def value(text: str) -> int:
    """Work out a product or sum as it is printed."""
    bare = text.replace(",", "")
    assert "".join(ARITHMETIC.findall(bare)) == bare, text
    return int(eval(bare, {"__builtins__": {}}, {"floor": floor, "ceil": ceil}))


@pytest.mark.parametrize("name", MODELS)
def test_every_derivation_gives_its_result(name: str) -> None:
    checked = 0
    for layer in api.analyze(name).layers:
        for step in layer_steps(layer):
            checked += _check(step)
        for step in overview(layer):
            checked += _check(step)
    assert checked > 40


def _check(step: Step) -> int:
    if step.quantity == "output" and " = " in step.derivation:
        if "channels" in step.derivation or "less the window" in step.derivation:
            return 0
        for axis in step.derivation.split("; "):
            rule, _, result = axis.rpartition(" = ")
            assert isinstance(step.result, tuple)
            assert value(rule) == int(result)
            assert int(result) in step.result[1:]
        return 1
    if step.quantity.startswith(("weights:", "biases:", "FLOPs:", "FLOPs", "MACs")):
        if re.search("[a-z]", step.derivation):
            return 0
        assert value(step.derivation) == step.result, step
        return 1
    return 0


@pytest.mark.parametrize(
    ("window", "n", "text"),
    [
        (Window(3, 1, 1, 1), 224, "floor((224 + 2*1 - 3)/1) + 1 = 224"),
        (Window(11, 4), 227, "floor((227 - 11)/4) + 1 = 55"),
        (Window(2, 2), 7, "floor((7 - 2)/2) + 1 = 3"),
        (Window(3, 2, 0, 1), 224, "floor((224 + 1 - 3)/2) + 1 = 112"),
        (Window(3, 1, 2, 2, 2), 10, "floor((10 + 2*2 - (2*(3 - 1) + 1))/1) + 1 = 10"),
        (Window(3, 2, ceil_mode=True), 112, "ceil((112 - 3)/2) + 1 = 56"),
    ],
)
def test_a_shape_rule_reads_like_this(window: Window, n: int, text: str) -> None:
    assert window_rule(window, n, window.out(n)) == text


def test_a_window_dropped_from_the_padding_is_said() -> None:
    window = Window(2, 2, 1, 1, ceil_mode=True)
    text = window_rule(window, 3, window.out(3))
    assert text == (
        "ceil((3 + 2*1 - 2)/2) + 1, less the window that would start in the padding = 2"
    )


@pytest.mark.parametrize(
    ("out", "text"),
    [
        (27, "(13 - 1)*2 + 3 = 27"),
        (26, "(13 - 1)*2 + 3 - 1 = 26"),
        (28, "(13 - 1)*2 + 3 + 1 = 28"),
    ],
)
def test_a_transposed_rule_says_what_is_added(out: int, text: str) -> None:
    assert transposed_rule(Window(3, 2), 13, out) == text


def test_the_receptive_field_grows_by_extent_and_jump() -> None:
    report = api.analyze("vgg16").report
    steps = {s.quantity: s for s in layer_steps(select(report, "conv2_1")[0])}
    assert steps["receptive field"].derivation == "6 + (3 - 1)*2 = 10; jump 2*1 = 2"
    assert steps["receptive field"].result == (10, 10)


def test_flops_are_weighed_by_kind() -> None:
    steps = list(flops_steps(Work(macs=10, normalized=4, comparisons=3)))
    assert [(s.derivation, s.result) for s in steps] == [
        ("2*10", 20),
        ("2*4", 8),
        ("1*3", 3),
        ("20 + 8 + 3", 31),
    ]


def test_the_totals_of_a_model_are_the_reports() -> None:
    report = api.analyze("resnet18").report
    results = {step.quantity: step.result for step in model_steps(report)}
    totals = report.totals
    assert results["parameters"] == totals.params
    assert results["MACs"] == totals.macs
    assert results["FLOPs"] == totals.flops
    assert results["activation memory"] == totals.activation_bytes
    assert results["with cached inputs"] == totals.cached_activation_bytes
    assert results["depth"] == 18
    assert "MACs in training" not in results


def test_stochastic_depth_has_averages_of_training() -> None:
    steps = {s.quantity: s for s in model_steps(api.analyze("stochastic-depth-110-cifar").report)}
    # p falls linearly to 1/2 over 54 blocks: (3*54 - 1)/4 of them survive
    assert steps["paths kept in training"].result == (3 * 54 - 1) / 4
    assert steps["depth in training"].result == 2 * (3 * 54 - 1) / 4 + 2
    assert steps["MACs"].result == 252_887_680


def test_a_module_is_all_its_layers() -> None:
    names = [layer.name for layer in select(api.analyze("googlenet").report, "inception_3a")]
    assert len(names) == 8
    assert all(name.startswith("inception_3a/") for name in names)


def test_an_operator_inside_a_row_can_be_asked_for() -> None:
    (row,) = select(api.analyze("resnet50").report, "conv1/bn")
    assert row.params == 2 * 64


def test_an_unknown_layer_gets_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"unknown layer 'conv9_9': did you mean conv5_\d"):
        select(api.analyze("vgg16").report, "conv9_9")
