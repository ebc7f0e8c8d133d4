"""Ratios, order, baseline; a figure that is not known has none."""

from dataclasses import replace

import pytest

from cnnstat import api
from cnnstat.count.compare import MEASURES, Comparison, Entry, compare
from cnnstat.errors import UsageError
from cnnstat.zoo.card import Accuracy, ModelCard
from cnnstat.zoo.catalog import find
from cnnstat.zoo.lineup import IMAGENET, LINEUP, leading_accuracy


def pair() -> Comparison:
    return api.compare("alexnet", "googlenet", baseline="alexnet").comparison


def test_ratios_are_to_the_baseline() -> None:
    comparison = pair()
    alexnet, googlenet = comparison.entries
    assert comparison.ratio(googlenet, "params") == 6_998_552 / 62_378_344
    assert comparison.ratio(googlenet, "depth") == 22 / 8
    assert comparison.ratio(googlenet, "top5_error") == 10.07 / 18.2
    assert comparison.ratio(googlenet, "top1_error") is None
    assert [comparison.ratio(alexnet, key) for key in MEASURES] == [1.0] * len(MEASURES)


def test_there_is_no_ratio_without_a_baseline_or_to_nothing() -> None:
    comparison = api.compare("alexnet", "inception-naive")
    assert comparison.ratio(comparison.entries[0], "params") is None
    empty = compare(
        [Entry("a", api.analyze("alexnet").report), Entry("b", api.analyze("zfnet").report)]
    )
    assert empty.baseline is None
    assert MEASURES["top1_error"](empty.entries[0]) is None


def test_errors_on_different_data_have_no_ratio() -> None:
    comparison = api.compare("lenet5", "alexnet", "densenet121", baseline="alexnet")
    lenet, _, densenet = comparison.entries
    assert comparison.ratio(lenet, "top1_error") is None  # MNIST
    assert comparison.ratio(densenet, "top1_error") == 25.02 / 40.7  # ILSVRC 2012 is ImageNet


def test_a_partial_reports_work_is_unknown_here() -> None:
    entry = api.compare("lenet5").entries[0]
    report = entry.report
    nodes = (*report.nodes[:-1], report.nodes[-1]._replace(unknown=1))
    partial = replace(entry, report=replace(report, nodes=nodes))
    assert partial.report.status == "partial"
    assert [MEASURES[key](partial) for key in ("macs", "flops", "macs_per_param")] == [None] * 3
    assert MEASURES["params"](partial) == 60_000
    comparison = Comparison((entry, partial), entry)
    assert comparison.ratio(partial, "macs") is None
    assert comparison.ratio(partial, "params") == 1


def test_sorting_puts_the_largest_first_and_the_unknown_last() -> None:
    models = ("lenet5", "vgg16", "googlenet", "alexnet")
    by_params = [e.name for e in api.compare(*models, sort="params").entries]
    assert by_params == ["vgg16", "alexnet", "googlenet", "lenet5"]
    by_error = [e.name for e in api.compare(*models, sort="top1_error").entries]
    assert by_error == ["alexnet", "vgg16", "lenet5", "googlenet"]
    assert [e.name for e in api.compare(*models, sort="name").entries] == sorted(models)
    years = [e.year for e in api.compare(*models, sort="year").entries]
    assert years == [1998, 2012, 2014, 2014]


def test_a_sweep_has_an_entry_for_each_model_and_input() -> None:
    comparison = api.compare("resnet18", "vgg16", inputs=((64,), (128,)), baseline="vgg16@128")
    assert [(e.name, e.input) for e in comparison.entries] == [
        ("resnet18", "3x64x64"),
        ("resnet18", "3x128x128"),
        ("vgg16", "3x64x64"),
        ("vgg16", "3x128x128"),
    ]
    assert comparison.baseline is comparison.entries[3]
    assert all(entry.error is None for entry in comparison.entries)  # published on 224x224


@pytest.mark.parametrize(
    ("baseline", "input"),
    [
        ("alexnet", "3x227x227"),
        ("AlexNet", "3x227x227"),
        ("alexnet@227", "3x227x227"),
        ("alexnet@227x227", "3x227x227"),
        ("alexnet@3x227x227", "3x227x227"),
    ],
)
def test_a_baseline_is_named_as_a_model_is(baseline: str, input: str) -> None:
    comparison = api.compare("googlenet", "alexnet", baseline=baseline).baseline
    assert comparison is not None
    assert (comparison.name, comparison.input) == ("alexnet", input)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"baseline": "alxnet"}, "unknown baseline 'alxnet': did you mean alexnet"),
        ({"baseline": "vgg16"}, "compared models: alexnet, googlenet"),
        ({"baseline": "alexnet@64"}, "alexnet@3x227x227"),
        ({"sort": "param"}, "unknown sort key 'param': did you mean params"),
    ],
)
def test_what_is_not_there_gets_the_nearest_names(arguments: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match="unknown") as error:
        api.compare(
            "alexnet", "googlenet", baseline=arguments.get("baseline"), sort=arguments.get("sort")
        )
    assert words in str(error.value)


def test_nothing_cannot_be_compared() -> None:
    with pytest.raises(UsageError, match="name at least one model"):
        compare([])


def test_the_ledgers_twelve_times_is_quoted_only_for_both_models() -> None:
    quoted = api.compare("alexnet", "googlenet", baseline="alexnet").quoted
    assert {(q.models, q.published.published, q.published.verdict) for q in quoted} >= {
        (("alexnet", "googlenet"), "12 times smaller", "differs"),
        (("alexnet", "googlenet"), "12 times fewer", "differs"),
    }
    assert all(q.published.computed == "8.913" for q in quoted)
    assert api.compare("googlenet", "vgg16").quoted == ()
    assert api.compare("alexnet").quoted == ()


def test_the_line_up_is_in_historical_order() -> None:
    years = [find(name).year for name in LINEUP]
    assert years == sorted(years)
    assert [name for name in LINEUP if name in IMAGENET] == list(IMAGENET)
    assert all(find(name).classes == 1000 for name in IMAGENET)
    assert [e.name for e in api.compare().entries] == list(LINEUP)


def _card(*accuracy: Accuracy) -> ModelCard:
    return replace(find("alexnet"), accuracy=accuracy)


def test_one_model_with_both_rates_stands_for_a_card() -> None:
    ensemble = Accuracy("ImageNet", "7 models", "x", 1.0, 1.0, ensemble=True)
    half = Accuracy("ImageNet", "one model", "x", None, 2.0)
    both = Accuracy("ImageNet", "one model, 10 crops", "x", 3.0, 3.0)
    assert leading_accuracy(_card(ensemble, half, both)) is both
    assert leading_accuracy(_card(ensemble, half)) is half
    assert leading_accuracy(_card(ensemble)) is ensemble
    assert leading_accuracy(_card()) is None
