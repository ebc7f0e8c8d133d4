"""``cnnstat plot sweep``: every kind of file that a sweep writes, the front, what is refused."""

from pathlib import Path

import pytest

from tests.cli.commandline import Cnnstat

pytest.importorskip("matplotlib")

SPACE = ("wrn-{depth}-{width}", "depth=10,16", "width=range(1,5)", "input=32,40", "-j", "1")


@pytest.mark.parametrize("kind", ["json", "csv", "parquet", "sorted.json", "json.part"])
def test_every_file_is_the_same_picture(kind: str, tmp_path: Path, cnnstat: Cnnstat) -> None:
    from cnnstat.render.plots.sweep import dots, read_table
    from cnnstat.sweep.selection import Ranking

    if kind == "parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"a.{kind.removesuffix('.part')}"
    order = (
        ("--top", "1000") if kind.startswith("sorted") else ()
    )  # written in the end, as one document
    assert cnnstat("sweep", *SPACE, *order, "-o", str(path)).code == 0
    if kind.endswith(".part"):
        path = path.rename(tmp_path / "a.md.part")
    drawn = dots(read_table(str(path)), Ranking("macs"), Ranking("width", largest=True), "depth")
    assert len(drawn.x) == 2 * 4 * 2
    assert drawn.colours == [10] * 8 + [16] * 8
    assert [width for _, width in drawn.front] == [1, 2, 3, 4]  # the cheapest of each width
    assert [macs for macs, _ in drawn.front] == sorted(macs for macs, _ in drawn.front)


def test_the_picture_is_written(tmp_path: Path, cnnstat: Cnnstat) -> None:
    table = tmp_path / "a.csv"
    cnnstat("sweep", *SPACE, "-o", str(table))
    for colour in ("width", "model", "input", "figures.depth"):
        picture = tmp_path / f"{colour}.svg"
        result = cnnstat("plot", "sweep", str(table), "--colour", colour, "-o", str(picture))
        assert result.code == 0, result.err
        assert picture.read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("args", "content", "said"),
    [
        (("--x", "mac"), None, "did you mean macs"),
        (("--colour", "widht"), None, "did you mean width"),
        (("--x", "dtype"), None, "no model has both dtype and params"),
        ((), "a,b\n1,2\n", "not a CSV file of a sweep"),
        ((), "", "nothing to plot"),
        ((), "model\n" + "x,1,2,3\n", "not a CSV file of a sweep"),
    ],
)
def test_refused(
    args: tuple[str, ...], content: str | None, said: str, tmp_path: Path, cnnstat: Cnnstat
) -> None:
    table = tmp_path / "a.csv"
    if content is None:
        cnnstat("sweep", *SPACE, "-o", str(table))
    else:
        table.write_text(content)
    result = cnnstat("plot", "sweep", str(table), *args, "-o", str(tmp_path / "a.svg"))
    assert result.code == 2, result.err
    assert said in result.err
    assert result.err.count("\n") == result.err.count("cnnstat: ")


def test_other_json_is_refused(tmp_path: Path, cnnstat: Cnnstat) -> None:
    path = tmp_path / "a.json"
    for text in ("{", "[]", '{"schema": "cnnstat.summary/1"}', "[" * 100_000):
        path.write_text(text)
        result = cnnstat("plot", "sweep", str(path), "-o", str(tmp_path / "a.svg"))
        assert result.code == 2, result.err
