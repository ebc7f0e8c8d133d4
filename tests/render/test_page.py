"""The page of chapters: names, pictures that share a page, and every value of the documents."""

import io
import re
from contextlib import redirect_stdout
from functools import cache

import pytest

from cnnstat.cli.app import run
from cnnstat.render.document import Column, Document, Section
from cnnstat.render.page import (
    Block,
    Chapter,
    Picture,
    document_part,
    folded,
    render_page,
    text,
    words_part,
)
from tests.render.browser import chromium, look_at
from tests.render.test_html import EVIL, Page


@cache
def two_models() -> str:
    out = io.StringIO()
    with redirect_stdout(out):
        assert run(["report", "lenet5", "alexnet", "-o", "-"]) == 0
    return out.getvalue()


@cache
def one_model() -> str:
    out = io.StringIO()
    with redirect_stdout(out):
        assert run(["report", "googlenet", "-o", "-"]) == 0
    return out.getvalue()


def svg(name: str) -> str:
    return (
        f'<svg viewBox="0 0 1 1" id="unused"><style>*{{fill: red}}</style><title>n0</title>'
        f'<defs><path id="{name}" d="M0 0"/><clipPath id="clip"/></defs>'
        f'<use xlink:href="#{name}" clip-path="url(#clip)"/></svg>'
    )


def chapters(title: str = "a: A") -> list[Chapter]:
    pictures = (
        Picture(svg("m"), "first"),
        text("x"),
        Picture(svg("m"), "second"),
    )
    return [Chapter(title, "line", (Block("Part one", pictures), Block("Two", (text("x"),))))]


def ids(page: str) -> list[str]:
    return [str(attrs["id"]) for _, attrs in Page(page).tags if "id" in attrs]


def links(page: str) -> list[str]:
    targets = [attrs.get("href", attrs.get("xlink:href")) for _, attrs in Page(page).tags]
    return [link for link in targets if link is not None]


def test_every_chapter_and_block_has_a_name_of_its_own_and_a_link_to_it() -> None:
    page = render_page("t", [*chapters(), *chapters("a: B"), *chapters("ß/ü")])
    names = ids(page)
    assert len(names) == len(set(names))
    assert {"a", "a.part-one", "a.two", "a-2", "a-2.two", "chapter"} <= set(names)
    assert [link for link in links(page) if "." not in link] == ["#a", "#a-2", "#chapter"]
    assert all(link.startswith("#") and link[1:] in names for link in links(page))


def test_pictures_of_one_page_keep_their_names_and_styles_to_themselves() -> None:
    page = render_page("t", chapters())
    assert "fill: red" not in page
    assert "unused" not in page
    assert "<title>n0" not in page
    inside = [name for name in ids(page) if name.endswith((".m", ".clip"))]
    assert inside == [f"a.part-one.{n}.{name}" for n in (0, 2) for name in ("m", "clip")]
    assert re.findall(r"url\(#(.*?)\)", page) == ["a.part-one.0.clip", "a.part-one.2.clip"]


def test_what_anything_is_called_cannot_become_markup() -> None:
    document = Document(
        EVIL, (Column("n", EVIL, definition=EVIL),), ((EVIL,),), {}, sections=(Section("s", ()),)
    )
    parts = (document_part(document), words_part(document), folded(EVIL, EVIL), text(EVIL))
    page = Page(render_page(EVIL, [Chapter(EVIL, EVIL, (Block(EVIL, parts),))], foot=EVIL))
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert page.values == [[], [EVIL], [], [EVIL]]
    assert page.plain.count(EVIL) >= 10


def test_a_card_is_not_sorted_and_a_table_is() -> None:
    document = Document("t", (Column("n", "N", definition="d"),), (("b",),), {})
    assert "<button" not in words_part(document)
    assert "<button" in document_part(document)
    assert "<dt>N</dt><dd>d</dd>" in document_part(document)


def test_nothing_of_a_whole_page_comes_from_outside() -> None:
    page = two_models()
    tags = {tag for tag, _ in Page(page).tags}
    assert {"svg", "table", "nav", "section"} <= tags
    assert not {"link", "img", "image", "iframe", "object", "base", "form", "foreignobject"} & tags
    assert not [a for _, attrs in Page(page).tags for a in attrs if a in ("src", "srcset", "data")]
    assert all(link.startswith("#") for link in links(page))
    assert all(place.startswith("#") for place in re.findall(r"url\((.*?)\)", page))
    assert "@import" not in page
    assert len(ids(page)) == len(set(ids(page)))
    assert {link[1:] for link in links(page)} <= set(ids(page))


needs_chromium = pytest.mark.skipif(chromium() is None, reason="no Chromium here")
PHONE, DESK = 360, 1200


@needs_chromium
def test_the_browser_sees_a_page_that_asks_for_something_or_fails() -> None:
    bad = '<body style="color: #999"><img src="http://nowhere.invalid/a.png"><img src="/b.png">'
    seen = look_at(f"<!DOCTYPE html>{bad}<p>pale</p><script>none.x()</script>", width=PHONE)
    assert "http://nowhere.invalid/a.png" in seen.probe["resources"]
    assert "/b.png" in seen.requests
    assert "none is not defined" in "".join(seen.console)
    assert seen.probe["palest"][0] < 3


@needs_chromium
@pytest.mark.parametrize(
    ("width", "dark"), [(PHONE, False), (PHONE, True), (DESK, False), (DESK, True)]
)
def test_a_browser_shows_it_without_error_or_request_legible_at_any_width(
    width: int, dark: bool
) -> None:
    seen = look_at(two_models(), width=width, dark=dark)
    assert seen.console == []
    assert seen.probe["resources"] == []
    assert seen.requests == ["/", "/page.html"]
    assert seen.probe["width"] <= width  # what is wider scrolls in its own frame
    assert seen.probe["smallest"][0] >= 11, seen.probe["smallest"]  # pixels
    assert seen.probe["palest"][0] >= 4.5, seen.probe["palest"]  # WCAG's ratio for text
    assert (sum(seen.probe["background"]) < 3 * 64) is dark
    assert seen.probe["broken"] == []
    plots = [scale for place, scale in seen.probe["pictures"] if place.endswith("plot")]
    assert len(plots) >= 5
    assert min(plots) * 7 >= 9  # points of the smallest type, in units of the picture
    drawings = [scale for place, scale in seen.probe["pictures"] if place == "state"]
    assert max(drawings) <= 1.34  # a point is 4/3 pixels; wide ones are fitted and zoom


@needs_chromium
@pytest.mark.parametrize("width", [390, 1000, 1600])
def test_drawings_fold_zoom_and_tell_how_figures_are_computed(width: int) -> None:
    acted = look_at(one_model(), width=width).probe["acted"]
    # conv1 of googlenet: 64 filters of 7*7*3
    assert "(7*7*3)*64" in acted["below the row"]
    assert acted["closed again"]
    assert acted["closed by Escape"]
    assert acted["panel closed by Escape"]
    assert acted["focus after unfolding"]
    # a narrow page shows the figures that matter, a phone in cards; a click shows the others
    assert acted["cells shown"] == (6 if width < 1600 else 9)
    assert acted["cells of an open row"] == (6 if width == 1000 else 9)
    assert acted["scrolled sideways"] == []
    assert acted["panel"].startswith("conv1")
    assert "(7*7*3)*64" in acted["panel"]
    assert acted["open at first"] == "none"
    assert acted["unfolded"].startswith("block")
    assert acted["folded"] == "none"
    assert acted["zoomed by +"] > acted["zoomed by -"] > 0
    assert acted["searched"] == "9 of 82"  # a pooling projection in each inception module
    assert acted["dimmed"]
    assert acted["cut"] == []
    assert acted["reached by tab"] >= 20


@needs_chromium
def test_a_click_sorts_every_column_of_every_table() -> None:
    tables = look_at(two_models(), width=DESK).probe["sorted"]
    sortable = [columns for columns in tables if columns[0] is not None]
    assert len(tables) == 7  # side by side; card, layers and ledger of each
    assert len(sortable) == 5
    ordered = 0
    for columns in sortable:
        for before, (down, falling), (up, rising) in columns:
            assert (down, up) == ("descending", "ascending")
            assert sorted(falling) == sorted(rising) == sorted(before)
            unknown = falling.count("?") + falling.count("")
            known = falling[: len(falling) - unknown]
            assert not {"?", ""} & set(known)
            numbers = [float(value) for value in known if re.fullmatch(r"[\d.]+", value)]
            if len(numbers) == len(known):
                ordered += 1
                assert numbers == sorted(numbers, reverse=True)
                rest = [float(value) for value in rising[: len(known)]]
                assert rest == sorted(numbers)
    assert ordered >= 2 * 6 + 15  # of both layer tables, and of the comparison
