"""The ledger of published figures: complete, sourced, explained, computed now."""

from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest

from cnnstat import api
from cnnstat.ledger.claim import Claim, count
from cnnstat.ledger.figure import VERDICTS
from cnnstat.ledger.load import FAMILIES as FILES
from cnnstat.ledger.load import figures, headlines
from cnnstat.ledger.reports import Reports
from cnnstat.ledger.sources import SOURCES, citation
from cnnstat.zoo.catalog import FAMILIES, family_of

# The four lecture documents state 239 figures and 11 statements.
LECTURES = {
    ("blog", "figure"): 51,
    ("handson-notes", "figure"): 41,
    ("study-notes", "figure"): 32,
    ("study-notes", "statement"): 7,
    ("slides", "figure"): 115,
    ("slides", "statement"): 4,
}


@pytest.fixture(scope="module")
def ledger() -> dict[str, Claim]:
    return {claim.figure.id: claim for claim in api.claims()}


def test_each_figure_and_statement_of_the_lectures_has_an_entry() -> None:
    entries: Counter[tuple[str, str]] = Counter((f.source, f.kind) for f in figures())
    assert {key: entries[key] for key in LECTURES} == LECTURES
    lectures = {source for source, _ in LECTURES}
    assert sum(number for (source, _), number in entries.items() if source in lectures) == 250


def test_no_id_stands_twice() -> None:
    ids = Counter(figure.id for figure in figures())
    assert [key for key, times in ids.items() if times > 1] == []


def test_every_entry_stands_with_its_models_family() -> None:
    known = {family.module for family in FAMILIES}
    assert set(FILES) <= known
    for stem in FILES:
        for figure in figures(stem):
            assert family_of(figure.model).module == stem, figure.id


def test_every_source_has_a_citation_and_is_used() -> None:
    assert {figure.source for figure in figures()} <= set(SOURCES)
    unused = set(SOURCES) - {figure.source for figure in figures()}
    assert unused == set()
    assert citation("he-2015", "table 1").endswith(", table 1")


def test_every_entry_names_a_place_in_its_source() -> None:
    places = ("table", "section", "figure", "abstract", "listing", "README", ".py", ".md")
    for figure in figures():
        assert any(place in figure.place for place in places), (figure.id, figure.place)


def test_every_number_has_a_unit(ledger: dict[str, Claim]) -> None:
    plain = [c for c in ledger.values() if not isinstance(c.computed, bool | str)]
    assert len(plain) > 400
    assert [claim.figure.id for claim in plain if not claim.figure.unit] == []


def test_a_unit_fits_its_value(ledger: dict[str, Claim]) -> None:
    for claim in ledger.values():
        value, parts = claim.computed, claim.figure.unit.split("; ")
        if len(parts) > 1:
            assert isinstance(value, tuple), claim.figure.id
            assert len(parts) == len(value), claim.figure.id
        shapes = [value] if len(parts) == 1 else list(value) if isinstance(value, tuple) else []
        for part, shape in zip(parts, shapes, strict=True):
            assert isinstance(shape, tuple) or " x " not in part, claim.figure.id


def test_a_summary_shows_headlines_alone() -> None:
    for family in FILES:
        shown = {figure.id for figure in headlines(family)}
        assert shown == {figure.id for figure in figures(family) if figure.headline}, family


def test_nothing_that_differs_is_unexplained(ledger: dict[str, Claim]) -> None:
    differing = [c for c in ledger.values() if c.verdict in ("reproduced", "differs")]
    assert len(differing) > 30
    assert [claim.figure.id for claim in differing if not claim.figure.explanation] == []


def test_what_is_reproduced_names_its_accounting(ledger: dict[str, Claim]) -> None:
    for claim in ledger.values():
        if claim.verdict == "reproduced":
            assert any(o.verdict in ("exact", "rounds") for o in claim.others), claim.figure.id


def test_every_layer_exists(ledger: dict[str, Claim]) -> None:
    reports = Reports()
    missing = [
        claim.figure.id
        for claim in ledger.values()
        if claim.figure.layer and reports(claim.figure.model).layer(claim.figure.layer) is None
    ]
    assert missing == []


def test_these_of_the_250_of_the_lectures_do_not_match_directly(ledger: dict[str, Claim]) -> None:
    lectures = {source for source, _ in LECTURES}
    differing = {
        key: claim.verdict
        for key, claim in ledger.items()
        if claim.figure.source in lectures and claim.verdict not in ("exact", "rounds")
    }
    assert differing == {
        "blog-googlenet-fc-saved": "truncates",
        "slides-resnet-34-flops": "truncates",
        "slides-resnet-50-flops": "truncates",
        "slides-vgg16-total-memory": "reproduced",
        "study-vgg16-mem": "reproduced",
        "slides-alexnet-62mb": "reproduced",
        "handson-alexnet-lrn-window": "reproduced",
        "slides-googlenet-conv4": "reproduced",
        "slides-inception-red-total": "reproduced",
        "slides-googlenet-5m": "differs",
        "study-googlenet-5m": "differs",
        "slides-googlenet-12x": "differs",
        "study-googlenet-12x": "differs",
        "study-alexnet-exchange": "differs",
        "study-alexnet-input-277": "differs",
        "study-alexnet-rest-3x3": "differs",
        "handson-alexnet-table-label-f8": "differs",
        "handson-homl-halving": "differs",
        "slides-vgg-config-rows": "differs",
    }


VGG16_ROWS = (
    224 * 224 * (3 + 64 + 64)
    + 112 * 112 * (64 + 128 + 128)
    + 56 * 56 * (128 + 3 * 256)
    + 28 * 28 * (256 + 3 * 512)
    + 14 * 14 * (512 + 3 * 512)
    + 7 * 7 * 512
    + 4096
    + 4096
    + 1000
)
VGG16_CONV_INPUTS = (
    224 * 224 * (3 + 64)
    + 112 * 112 * (64 + 128)
    + 56 * 56 * (128 + 2 * 256)
    + 28 * 28 * (256 + 2 * 512)
    + 14 * 14 * (3 * 512)
)
VGG16_FC_INPUTS = 7 * 7 * 512 + 4096 + 4096


def test_vgg16_memory_comes_out_with_inputs_kept_twice(ledger: dict[str, Claim]) -> None:
    claim = ledger["slides-vgg16-total-memory"]
    assert claim.computed == VGG16_ROWS == 15_237_608
    cached, convs = (other.computed for other in claim.others)
    assert cached == VGG16_ROWS + VGG16_CONV_INPUTS + VGG16_FC_INPUTS == 24_352_744
    assert convs == VGG16_ROWS + VGG16_CONV_INPUTS == 24_319_464
    assert "No public derivation is known" in claim.explanation


def test_the_inception_total_has_its_3x3_row_twice(ledger: dict[str, Claim]) -> None:
    claim = ledger["slides-inception-red-total"]
    row = 28 * 28 * 3 * 3 * 64 * 192
    assert claim.computed == 271_351_808
    assert [other.computed for other in claim.others] == [271_351_808 + row]
    assert ledger["slides-inception-red-3x3"].computed == row


def test_googlenet_under_every_accounting(ledger: dict[str, Claim]) -> None:
    claim = ledger["slides-googlenet-5m"]
    assert claim.computed == 6_998_552
    counted = [other.computed for other in claim.others]
    assert counted == [6_990_272, 6_998_552 - (1024 + 1) * 1000, 13_378_280]
    assert ledger["slides-googlenet-12x"].computed == Fraction(62_378_344, 6_998_552)


def test_resnet_34_rounds_with_zero_padding_shortcuts(ledger: dict[str, Claim]) -> None:
    claim = ledger["slides-resnet-34-flops"]
    projections = (28 * 28 * 64 * 128) + (14 * 14 * 128 * 256) + (7 * 7 * 256 * 512)
    assert claim.computed == 3_663_761_408
    assert [o.computed for o in claim.others] == [3_663_761_408 - projections]
    assert [o.verdict for o in claim.others] == ["rounds"]


def test_lenets_connections_are_the_papers(ledger: dict[str, Claim]) -> None:
    rows = (
        (5 * 5 + 1) * 6 * 28 * 28
        + (2 * 2 + 1) * 6 * 14 * 14
        + (60 * 5 * 5 + 16) * 10 * 10
        + (2 * 2 + 1) * 16 * 5 * 5
        + (16 * 5 * 5 + 1) * 120
        + (120 + 1) * 84
        + 84 * 10
    )
    assert ledger["lecun-1998-lenet-connections"].computed == rows == 340_908


def test_a_summary_shows_a_models_own_headlines() -> None:
    shown = api.analyze("vgg16").published
    assert {(p.quantity, p.published, p.verdict) for p in shown} >= {
        ("parameters", "138M", "rounds"),
        ("activation memory of a forward pass", "24M * 4 bytes ~ 96MB", "reproduced"),
    }
    assert all(p.value is not None and p.source for p in shown)


def test_a_summary_of_another_input_or_other_classes_shows_none() -> None:
    model = api.load("vgg16")
    assert api.analyze(model, input=(96,)).published == ()
    assert api.analyze(model, batch=2).published == ()
    assert api.analyze(model, dtype="float16").published == ()
    assert api.analyze("vgg16", classes=10).published == ()


def test_the_readme_has_the_counts_of_the_verdicts(ledger: dict[str, Claim]) -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    lectures = [c for c in ledger.values() if (c.figure.source, c.figure.kind) in LECTURES]
    of_lectures, of_all = count(lectures), count(ledger.values())
    for verdict in VERDICTS:
        row = next(line for line in text.splitlines() if line.startswith(f"| {verdict} |"))
        assert row.endswith(f"| {of_lectures[verdict]} | {of_all[verdict]} |")
    assert f"| | | {len(lectures)} | {len(ledger)} |" in text
