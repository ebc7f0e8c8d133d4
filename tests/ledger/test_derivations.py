"""Figures that another accounting reproduces, and corrected explanations, as products."""

from fractions import Fraction

import pytest

from cnnstat import api
from cnnstat.ledger.claim import Claim
from cnnstat.ledger.figure import Printed
from cnnstat.ledger.load import figures


@pytest.fixture(scope="module")
def ledger() -> dict[str, Claim]:
    return {claim.figure.id: claim for claim in api.claims()}


GOOGLENET = 1_582_671_872
INCEPTION_5A = 256 * 832 + 160 * 832 + 9 * 160 * 320 + 32 * 832 + 25 * 32 * 128 + 128 * 832
INCEPTION_5B = 384 * 832 + 192 * 832 + 9 * 192 * 384 + 48 * 832 + 25 * 48 * 128 + 128 * 832
SQUARES = 64**2 + 128**2 + 256**2 + 512**2 + 512**2

# entry, result of its accounting, verdict of the entry
DERIVED = [
    ("cs231n-vgg16-memory", 24_352_744, "reproduced"),
    ("cs231n-vgg16-memory-bytes", Fraction(24_352_744 * 4, 2**20), "reproduced"),
    ("szegedy-2014-5a-ops", (INCEPTION_5A + 16 * (832 + 25 * 128)) * 7 * 7, "reproduced"),
    (
        "larsson-2016-fractalnet20-cifar-params",
        9 * 7 * SQUARES + 3 * 64 + 64 * 128 + 128 * 256 + 256 * 512,
        "reproduced",
    ),
    (
        "howard-2017-googlenet-macs",
        GOOGLENET - (7 * 7 - 6 * 6) * (INCEPTION_5A + INCEPTION_5B),
        "reproduced",
    ),
    ("szegedy-2014-conv1-params", (7 + 7) * 3 * 64 + 64, "reproduced"),
    ("keras-resnet50", 25_557_032 + 26_560 + 2 * 26_560, "reproduced"),
    ("keras-mobilenet", 4_231_976 + 2 * 10_944, "reproduced"),
    ("keras-densenet121", 7_978_856 + 2 * 41_824, "reproduced"),
    ("resnext-code-resnext101-64x4d-macs", 2 * 7_801_405_440, "reproduced"),
    ("he-2015-plain34-share", Fraction(36, 196), "truncates"),
    ("he-2015-resnet1202-cifar-params", 19_421_274 - 2 * 44_816, "rounds"),
]


@pytest.mark.parametrize(("key", "computed", "verdict"), DERIVED, ids=[d[0] for d in DERIVED])
def test_an_accounting_gives_the_product(
    ledger: dict[str, Claim], key: str, computed: int, verdict: str
) -> None:
    claim = ledger[key]
    assert claim.others[0].computed == computed
    assert claim.verdict == verdict


def test_the_derivations_have_the_sums_that_they_were_found_with() -> None:
    assert (INCEPTION_5A + 16 * (832 + 25 * 128)) == 1_106_944
    assert INCEPTION_5A + INCEPTION_5B == 2_485_248
    assert 9 * 7 * SQUARES + 3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 == 38_621_376


@pytest.mark.parametrize(
    "key",
    [
        *("cs231n-vgg16-memory", "cs231n-vgg16-memory-bytes", "szegedy-2014-5a-ops"),
        *("larsson-2016-fractalnet20-cifar-params", "howard-2017-googlenet-macs"),
        *("szegedy-2014-conv1-params", "szegedy-2014-conv1-ops", "slides-vgg16-total-memory"),
    ],
)
def test_a_derivation_that_no_source_states_is_called_an_inference(
    ledger: dict[str, Claim], key: str
) -> None:
    assert "his is an inference" in ledger[key].figure.explanation


def test_the_columns_of_table_1_add_up_as_the_explanations_say() -> None:
    rows = [f for f in figures("googlenet") if f.place == "table 1" and f.source == "szegedy-2014"]
    params = [f.value for f in rows if f.id.endswith("-params")]
    ops = [f.value for f in rows if f.id.endswith("-ops")]
    kilo = sum(Fraction(value.digits) for value in params if isinstance(value, Printed))
    assert {value.scale for value in params if isinstance(value, Printed)} == {1024}
    assert kilo == Fraction("6797.7")
    assert round(kilo * 1000 / 10**6, 2) == Fraction("6.80")
    assert round(kilo * 1024 / 10**6, 2) == Fraction("6.96")
    assert sum(Fraction(value.digits) for value in ops if isinstance(value, Printed)) == 1502


def test_2_7k_needs_the_biases_or_another_k(ledger: dict[str, Claim]) -> None:
    with_biases, without = ledger["szegedy-2014-conv1-params"].others
    assert (with_biases.computed, with_biases.verdict) == (2_752, "rounds")
    assert (without.computed, without.verdict) == (2_688, "differs")
    assert round(2_752 / 1024, 1) == round(2_688 / 1000, 1) == 2.7
    assert round(2_688 / 1024, 1) == 2.6


def test_every_share_of_mobilenets_table_2_agrees_but_one(ledger: dict[str, Claim]) -> None:
    shares = {k: c for k, c in ledger.items() if k.startswith("howard-2017-table-2-")}
    assert len(shares) == 8
    assert [k for k, c in shares.items() if c.verdict != "rounds"] == [
        "howard-2017-table-2-conv-macs"
    ]
    first = 112 * 112 * 9 * 3 * 32
    assert shares["howard-2017-table-2-conv-macs"].computed == Fraction(first, 568_740_352)
    assert sum((9486, 306, 119, 18)) == 9929


def test_the_layer_of_mobilenets_table_3(ledger: dict[str, Claim]) -> None:
    assert ledger["howard-2017-layer-standard-macs"].computed == 14 * 14 * 9 * 512 * 512
    assert ledger["howard-2017-layer-separable-macs"].computed == 14 * 14 * (9 * 512 + 512**2)
    weights = 9 * 384 + 384 * 384
    assert ledger["howard-2017-layer-alpha"].computed == (14 * 14 * weights, weights)
    assert ledger["howard-2017-layer-rho"].computed == (10 * 10 * weights, weights)


def test_the_plain_nets_cost_what_their_residual_nets_of_option_a_do(
    ledger: dict[str, Claim],
) -> None:
    for key in ("he-2015-plain34-macs", "he-2015-resnet34-a-macs"):
        assert (ledger[key].computed, ledger[key].verdict) == (3_644_493_824, "rounds")
    assert ledger["he-2015-plain56-params"].computed == 1


def test_densenet264_has_one_layer_more_than_its_name(ledger: dict[str, Claim]) -> None:
    claim = ledger["huang-2016-densenet264-depth"]
    assert claim.computed == 1 + 2 * (6 + 12 + 64 + 48) + 3 + 1 == 265
    assert claim.verdict == "differs"
