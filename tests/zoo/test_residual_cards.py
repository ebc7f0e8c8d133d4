"""Cards of ZFNet, Hands-On ML, NiN and the residual families: complete, and lectures corrected."""

import pytest

from cnnstat.zoo.card import ModelCard
from cnnstat.zoo.catalog import FAMILIES, find

MODULES = (
    *("handson", "zfnet", "nin", "plain", "resnet_cifar", "preresnet"),
    *("stochastic_depth", "wide_resnet", "resnext"),
)
CARDS = [find(name) for f in FAMILIES if f.module in MODULES for name in f.names]

# Name, where it stands, what a lecture source prints, what the card says about it.
CHECKED = [
    ("zfnet", "facts", "11.7%", "14.8%"),
    ("zfnet", "facts", "12 days", "GTX 580"),
    ("zfnet", "corrections", "15 million", "1.2 to 1.3 million"),
    ("resnet1202-cifar", "facts", "without loss", "7.93%"),
    ("plain56-cifar", "facts", "higher training", "20-layer"),
    (
        "preresnet110-cifar",
        "facts",
        "BN - ReLU - conv - BN - ReLU - conv",
        "weights of the original",
    ),
    ("handson-cnn", "facts", "halves", "2304"),
]


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_card_is_complete(card: ModelCard) -> None:
    assert card.ideas
    assert card.task
    assert card.paper.url.startswith("https://")
    assert card.year == card.paper.year
    graph = card.build(card.classes)
    assert graph.name == card.name
    assert graph.nodes[0].op.infer(())[0].shape == (1, *card.input_shape)
    assert card.training is not None or card.name == "zfnet-deconv"


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_cifar_nets_have_ten_classes_of_32x32_colour_images(card: ModelCard) -> None:
    small = card.name.endswith("-cifar") or card.name.startswith(("wrn-", "resnext29-"))
    assert small == (card.input_shape == (3, 32, 32))
    classes = 10 if small or card.name == "handson-cnn" else 1000
    assert card.classes == (0 if card.name == "zfnet-deconv" else classes)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_errors_are_percentages_with_a_source_and_ensembles_are_named(card: ModelCard) -> None:
    for accuracy in card.accuracy:
        errors = [e for e in (accuracy.top1_error, accuracy.top5_error) if e is not None]
        assert errors
        assert all(0 < error < 100 for error in errors)
        assert errors == sorted(errors, reverse=True)
        assert any(place in accuracy.source for place in ("table", "section", ".py, "))
        assert accuracy.setting.startswith(("one model", "median of 5 runs")) != accuracy.ensemble
    if card.result:
        assert any(word in card.result for word in ("ensemble", "single model", "median of 5 runs"))


@pytest.mark.parametrize("name", ["preresnet164-cifar", "preresnet1001-cifar", "wrn-28-10"])
def test_medians_are_not_said_to_be_one_model(name: str) -> None:
    card = find(name)
    assert [a.setting.partition(",")[0] for a in card.accuracy] == ["median of 5 runs"]
    assert "median of 5 runs" in card.result
    assert "one model" not in card.result


def test_stochastic_depth_has_the_errors_and_schedules_of_its_own_paper() -> None:
    shallow, deep = (find(f"stochastic-depth-{depth}-cifar") for depth in (110, 1202))
    assert [(a.top1_error, a.source) for a in shallow.accuracy] == [
        (5.25, "Huang et al. 2016, table 1")
    ]
    assert [(a.top1_error, a.source) for a in deep.accuracy] == [
        (4.91, "Huang et al. 2016, section 4 and figures 4 and 5")
    ]
    assert shallow.training is not None
    assert deep.training is not None
    assert "500 epochs" in shallow.training.learning_rate
    assert "0.01 for 10 epochs" in deep.training.learning_rate
    assert "150 and 225 of 300 epochs" in deep.training.learning_rate
    assert all("mean of 2x2" in card.departs for card in (shallow, deep))


@pytest.mark.parametrize(("name", "where", "printed", "right"), CHECKED)
def test_facts_of_the_lectures_stand_on_the_card_as_they_are_right(
    name: str, where: str, printed: str, right: str
) -> None:
    card = find(name)
    training = card.training
    sentences = card.facts if where == "facts" or training is None else training.corrections
    assert any(printed in sentence and right in sentence for sentence in sentences)


def test_every_listed_name_is_its_own_family_s() -> None:
    for family in FAMILIES:
        for name in family.names:
            assert find(name).name == name
    assert find("ResNet20_CIFAR").name == "resnet20-cifar"
