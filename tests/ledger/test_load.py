"""Records read from TOML: numbers as printed, shared keys, mistakes named with their file."""

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from cnnstat.ledger import load
from cnnstat.ledger.figure import Bound, Figure, Printed
from cnnstat.ledger.reads import OUTLINED
from cnnstat.ledger.reports import Reports

RECORD = {
    "id": "an-entry",
    "model": "vgg16",
    "quantity": "parameters",
    "printed": "138M",
    "read": "params",
    "source": "slides",
    "place": "section VGGNet",
}


def record(**keys: Any) -> Mapping[str, Any]:
    return {**RECORD, **keys}


def figure(**keys: Any) -> Figure:
    return load.figure_of(record(**keys), "a file")


@pytest.mark.parametrize(
    ("text", "digits", "scale"),
    [
        ("138M", "138", 10**6),
        ("3.8", "3.8", 1),
        ("11.3x10^9", "11.3", 10**9),
        ("1072Ki", "1072", 1024),
        ("81%", "81", Fraction(1, 100)),
        ("15e4", "15", 10**4),
    ],
)
def test_a_number_has_digits_and_a_scale(text: str, digits: str, scale: Fraction) -> None:
    assert load.number(text) == Printed(digits, Fraction(scale))


@pytest.mark.parametrize("text", ["", "M", "24 M", "about 5M", "3.8B", "1,000M"])
def test_other_text_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number with one of the scales"):
        load.number(text)


def test_a_printed_whole_number_is_exact() -> None:
    assert figure(printed="62,378,344").value == 62_378_344
    assert figure(printed="138M").value == Printed("138", Fraction(10**6))
    assert figure(printed="about 138M", number="138M").value == Printed("138", Fraction(10**6))


def test_values_are_tuples_bounds_and_numbers() -> None:
    assert figure(value=[[28, 28, 64], {"number": "40"}, True]).value == (
        (28, 28, 64),
        Printed("40"),
        True,
    )
    assert figure(more_than=0.5).value == Bound(">", Fraction(1, 2))
    assert figure(value=[{"less_than": 0.5}]).value == (Bound("<", Fraction(1, 2)),)


def test_text_without_a_meaning_is_named_with_its_file() -> None:
    with pytest.raises(ValueError, match="a file: 'twice as many' is not a number"):
        figure(printed="twice as many")


def test_an_unknown_key_is_named_with_its_file() -> None:
    with pytest.raises(ValueError, match="a file: unknown keys reed"):
        figure(reed="params")


def test_reads_of_the_model_of_rows_and_of_other_models() -> None:
    reports = Reports()
    first = 3 * 3 * 3 * 64 + 64
    assert figure().compute(reports) == 138_357_544
    assert figure(layer="conv1_1").compute(reports) == first
    assert figure(at=["conv1_1", "pool1"]).compute(reports) == (first, 0)
    assert figure(read=["weights", "biases"], layer="conv1_1").compute(reports) == (first - 64, 64)
    assert figure(under="conv1_").compute(reports) == first + 3 * 3 * 64 * 64 + 64
    assert figure(models=["vgg11", "vgg19"], read="depth").compute(reports) == (11, 19)
    assert figure(ratio=["vgg19", "vgg11"], read="depth").compute(reports) == Fraction(19, 11)
    at_96 = figure(read="macs", at="conv1_1", input=[3, 96, 96]).compute(reports)
    assert at_96 == 96 * 96 * 3 * 3 * 3 * 64


def test_another_accounting_reads_on_its_own() -> None:
    other = {"name": "one layer fewer", "compute": 'biases() - biases("fc")'}
    entry = figure(model="googlenet", otherwise=[other])
    assert entry.otherwise[0][1](Reports()) == 8_280 - 1_000


def test_every_file_is_of_a_family_and_in_the_package() -> None:
    folder = Path(load.__file__).parent / "figures"
    assert sorted(path.stem for path in folder.glob("*.toml")) == sorted(load.FAMILIES)


@pytest.mark.parametrize("model", ["vgg16", "resnet50", "lenet5", "densenet-bc100-12-cifar"])
def test_sums_without_a_report_are_those_of_the_report(model: str) -> None:
    outline, totals = Reports().outline(model), Reports()(model).totals
    for read in OUTLINED - {"depth"}:
        assert getattr(outline.totals, read) == getattr(totals, read)
    assert outline.depth == totals.depth
    assert outline.shaped.facts == Reports()(model).shaped.facts


@pytest.mark.parametrize(("extents", "height"), [(None, 224), ((3, 96, 96), 96)])
def test_an_outline_is_of_an_input(extents: tuple[int, ...] | None, height: int) -> None:
    outline = Reports().outline("vgg11", extents)
    convolutions = ((1, 3, 64), (2, 64, 128), (4, 128, 256), (4, 256, 256))
    deeper = ((8, 256, 512), (8, 512, 512), (16, 512, 512), (16, 512, 512))
    macs = sum(9 * n * m * (height // by) ** 2 for by, n, m in (*convolutions, *deeper))
    connected = 512 * (height // 32) ** 2 * 4096 + 4096 * 4096 + 4096 * 1000
    assert outline.totals.macs == macs + connected
