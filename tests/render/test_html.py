"""The HTML page: well formed, self-contained, every value in it; the notebook's fragment too."""

import csv
import io
import re
from html.parser import HTMLParser

import pytest

from cnnstat import api
from cnnstat.render.as_html import fragment
from cnnstat.render.cells import grid
from cnnstat.render.compare import compare_document
from cnnstat.render.document import Column, Document, Section
from cnnstat.render.formats import render

VOID = {"meta", "br", "link", "img", "input"}
EVIL = '<script src="//x">"&\'</table>'


class Page(HTMLParser):
    """Reads a page and insists that every element is closed where it was opened."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.values: list[list[str]] = []
        self.texts: list[list[str]] = []
        self.heads: list[str] = []
        self.plain = ""
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.values.append([])
            self.texts.append([])
        if tag == "td":
            self.values[-1].append(dict(attrs)["data-value"] or "")
            self.texts[-1].append("")
        if tag == "th":
            self.heads.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "td" in self.open:
            self.texts[-1][-1] += data
        elif "th" in self.open:
            self.heads[-1] += data
        elif "script" not in self.open and "style" not in self.open:
            self.plain += data


def comparison() -> Document:
    return compare_document(api.compare("alexnet", "googlenet", baseline="alexnet").comparison)


def evil() -> Document:
    return Document(
        title=EVIL,
        subtitle=EVIL,
        columns=(Column("name", EVIL, definition=EVIL), Column("n", "N", "count", heat=True)),
        rows=((EVIL, 1), ("b", None)),
        total=(EVIL, 1),
        sections=(Section(EVIL, (EVIL,)),),
        payload={},
    )


@pytest.mark.parametrize("document", [comparison(), evil()], ids=["comparison", "evil"])
def test_the_page_is_well_formed_and_nothing_comes_from_outside(document: Document) -> None:
    text = render(document, "html")
    page = Page(text)
    tags = [tag for tag, _ in page.tags]
    assert tags.count("table") == tags.count("script") == tags.count("style") == 1
    assert not {"link", "img", "iframe", "object", "base", "form"} & set(tags)
    assert not [a for _, attrs in page.tags for a in attrs if a in ("src", "href", "srcset")]
    assert "url(" not in text
    assert "@import" not in text
    assert ("meta", "default-src 'none'") in [
        (tag, str(attrs.get("content")).partition(";")[0]) for tag, attrs in page.tags
    ]


def test_what_a_model_is_called_cannot_become_markup() -> None:
    page = Page(render(evil(), "html"))
    assert page.values[1] == [EVIL, "1"]
    assert page.texts[1] == [EVIL, "1"]
    assert page.heads == [EVIL, "N"]
    assert page.plain.count(EVIL) >= 4  # title, heading, section, definition


def test_the_cells_have_the_raw_values_and_the_text_that_people_read() -> None:
    document = comparison()
    page = Page(render(document, "html"))
    rows = list(csv.reader(io.StringIO(render(document, "csv"))))
    assert page.values[1:] == rows[1:]
    assert page.texts[1:] == [list(row) for row in grid(document).rows]
    assert page.heads == list(grid(document).titles)


def test_every_column_can_be_sorted_by_its_values() -> None:
    page = Page(render(comparison(), "html"))
    heads = [attrs for tag, attrs in page.tags if tag == "th"]
    assert heads
    assert all(attrs["aria-sort"] == "none" and attrs["scope"] == "col" for attrs in heads)
    assert sum(tag == "button" for tag, _ in page.tags) == len(heads)


def test_what_was_left_out_and_the_total_stand_in_the_foot() -> None:
    document = Document("t", (Column("n", "N", "count"),), ((1,), (2,)), {}, rest=(3,), total=(6,))
    text = render(document, "html")
    assert text.index("<tfoot>") < text.index('data-value="3"') < text.index('data-value="6"')
    assert Page(text).values[1:] == [["1"], ["2"], ["3"], ["6"]]


def test_the_page_adapts_to_darkness_paper_and_phones() -> None:
    text = render(comparison(), "html")
    for query in ("prefers-color-scheme: dark", "@media print", "max-width: 40em"):
        assert query in text
    assert 'name="viewport" content="width=device-width' in text


def test_the_fragment_is_one_element_without_script() -> None:
    document = comparison()
    page = Page(fragment(document))
    assert page.tags[0] == ("div", {"class": "cnnstat"})
    assert not {"script", "html", "body", "button", "meta"} & {tag for tag, _ in page.tags}
    assert page.values == Page(render(document, "html")).values
    # a notebook's own tables must keep their looks: every rule is for this element alone
    style = fragment(document).partition("<style>")[2].partition("</style>")[0]
    for selector in re.findall(r"([^{}]+)\{", style):
        assert selector.strip().startswith((".cnnstat", "@media")), selector
