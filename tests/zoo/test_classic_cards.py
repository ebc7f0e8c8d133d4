"""The cards of the classic families: complete, consistent, the slips of lectures corrected."""

import pytest

from cnnstat.zoo.card import ModelCard
from cnnstat.zoo.catalog import FAMILIES, find

CLASSIC = ("lenet", "alexnet", "vgg", "googlenet", "resnet")
CARDS = [find(name) for f in FAMILIES if f.module in CLASSIC for name in f.names]
AS_PUBLISHED = {
    *("lenet5", "alexnet-2gpu", "vgg11", "vgg11-lrn", "vgg13", "vgg16-1x1", "vgg16", "vgg19"),
    *("googlenet", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
}

# Name, where the correction stands, what is printed in a lecture source, what is right.
CORRECTED = [
    ("lenet5", "corrections", "sigmoid", "scaled tanh"),
    ("alexnet", "corrections", "7 times", "six times"),
    ("alexnet", "corrections", "k=1", "k=2"),
    ("alexnet", "corrections", "15 million", "1.2 million"),
    ("alexnet", "facts", "LRN after the pooling", "LRN follows the ReLU"),
    ("alexnet", "facts", "200,000,000", "20,000"),
    ("vgg16", "facts", "two released ones", "six configurations"),
    ("googlenet", "facts", "are removed", "remains"),
    ("resnet50", "corrections", "1e-5", "1e-4"),
    ("resnet50", "corrections", "adaptive", "divided by 10"),
    ("resnet50", "corrections", "Xavier 2/", "Xavier/2"),
]


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_card_is_complete(card: ModelCard) -> None:
    assert card.ideas
    assert card.paper.url.startswith("http")
    assert card.year == card.paper.year
    assert bool(card.departs) != (card.name in AS_PUBLISHED)
    graph = card.build(card.classes)
    assert graph.name == card.name
    assert graph.nodes[0].op.infer(())[0].shape == (1, *card.input_shape)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_errors_are_percentages_and_ensembles_are_named(card: ModelCard) -> None:
    for accuracy in card.accuracy:
        errors = [e for e in (accuracy.top1_error, accuracy.top5_error) if e is not None]
        assert errors
        assert all(0 < error < 100 for error in errors)
        assert errors == sorted(errors, reverse=True)
        assert accuracy.source
        assert accuracy.ensemble == (accuracy.setting[0] in "234567")
    if card.result:
        assert "ensemble" in card.result or "single model" in card.result


@pytest.mark.parametrize(("name", "where", "printed", "right"), CORRECTED)
def test_slips_of_the_lecture_sources_are_corrected(
    name: str, where: str, printed: str, right: str
) -> None:
    card = next(card for card in CARDS if card.name == name)
    assert card.training is not None
    sentences = card.facts if where == "facts" else card.training.corrections
    assert any(printed in sentence and right in sentence for sentence in sentences)


def test_v15_is_trained_and_measured_by_torchvision() -> None:
    old, new = (find(name) for name in ("resnet50", "resnet50-v1.5"))
    assert all(accuracy.source.startswith("torchvision 0.") for accuracy in new.accuracy)
    assert not any("torchvision" in accuracy.source for accuracy in old.accuracy)
    assert old.training != new.training


def test_the_errors_of_torchvision_name_its_version() -> None:
    card = next(card for card in CARDS if card.name == "vgg13-bn")
    errors = {a.source.partition(",")[0]: (a.top1_error, a.top5_error) for a in card.accuracy}
    assert errors == {
        "torchvision 0.29.1": (round(100 - 71.586, 2), round(100 - 90.374, 2)),
        "torchvision 0.8": (28.45, 9.63),
    }


def test_table_3_of_vgg_says_at_which_scales() -> None:
    scales = {
        name: next(card for card in CARDS if card.name == name).accuracy[0].setting
        for name in ("vgg11", "vgg11-lrn", "vgg13", "vgg16", "vgg19")
    }
    single = "one model, scale 256"
    assert [name for name, setting in scales.items() if setting == single] == [
        *("vgg11", "vgg11-lrn", "vgg13")
    ]
    assert scales["vgg16"] == scales["vgg19"] == ("one model, scales 256 to 512")
