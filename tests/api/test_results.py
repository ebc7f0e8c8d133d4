"""Results of ``analyze`` and ``compare``: figures as attributes, a short text, the formats."""

import pytest

import cnnstat
from cnnstat import api


@pytest.mark.parametrize("name", ["resnet50", "googlenet", "resnet1202-cifar"])
def test_a_printed_result_is_a_few_lines(name: str) -> None:
    analysis = api.analyze(name)
    lines = repr(analysis).splitlines()
    assert len(lines) == 3
    assert str(analysis) == repr(analysis)
    assert lines[0].startswith(f"{name}: ")
    assert f"{analysis.totals.macs:,} MACs" in lines[2]
    assert max(map(len, lines)) < 200


def test_a_printed_comparison_is_a_few_lines() -> None:
    assert repr(api.compare("alexnet", "lenet5", baseline="lenet5")).splitlines() == [
        "alexnet, lenet5; ratios to lenet5",
        "alexnet: 62,378,344 parameters, 1,135,256,096 MACs",
        "lenet5: 60,000 parameters, 325,680 MACs",
    ]
    assert repr(api.compare()).endswith("models")


def test_figures_are_those_of_the_report() -> None:
    analysis = api.analyze("lenet5", batch=2)
    report = analysis.report
    assert analysis.totals == report.totals
    assert analysis.layers == report.layers
    assert analysis.view(depth=1) == report.view(depth=1)
    assert analysis.layer("C3") == report.layer("C3")
    assert analysis.inputs == report.inputs
    assert (analysis.name, analysis.status, analysis.notes) == ("lenet5", "complete", ())
    assert analysis.card is not None
    assert analysis.card.name == "lenet5"


def test_dir_lists_every_public_name() -> None:
    assert set(cnnstat.__all__) <= set(dir(cnnstat))
    for name in cnnstat.__all__:
        assert getattr(cnnstat, name)
