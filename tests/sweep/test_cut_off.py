"""Files that were cut off anywhere, in the first line as well, become those of one run."""

from pathlib import Path

import pytest

from tests.cli.commandline import Cnnstat

SPACE = ("wrn-{d}-{w}", "d=10,16", "w=1,2", "-j", "1")


@pytest.mark.parametrize("suffix", ["json", "csv", "md.part"])
def test_cut_off_at_any_byte(suffix: str, tmp_path: Path, cnnstat: Cnnstat) -> None:
    streamed = tmp_path / f"streamed.{suffix.replace('md.part', 'json')}"
    assert cnnstat("sweep", *SPACE, "-o", str(streamed)).code == 0
    expected = tmp_path / f"whole.{suffix.removesuffix('.part')}"
    assert cnnstat("sweep", *SPACE, "-o", str(expected)).code == 0
    content = streamed.read_bytes()
    first = content.index(b"\n")
    second = content.index(b"\n", first + 1)
    places = (0, 9, first - 1, first, first + 1, first + 9, second - 1, second, second + 1)
    for place in (*places, len(content) - 9, len(content) - 1):
        cut = tmp_path / f"cut.{suffix}"
        cut.write_bytes(content[:place])
        result = cnnstat("sweep", *SPACE, "--resume", str(cut))
        assert result.code == 0, (place, result.err)
        result_file = tmp_path / cut.name.removesuffix(".part")
        assert result_file.read_bytes() == expected.read_bytes(), place


@pytest.mark.parametrize(
    "content", ["position,model\n", "no line ends here", '{"schema": "other"}\n']
)
@pytest.mark.parametrize("suffix", ["json", "csv"])
def test_another_file_stays(content: str, suffix: str, tmp_path: Path, cnnstat: Cnnstat) -> None:
    path = tmp_path / f"other.{suffix}"
    path.write_text(content)
    result = cnnstat("sweep", *SPACE, "--resume", str(path))
    assert result.code == 2
    assert result.err.startswith(f"cnnstat: error: cannot resume {path}: it")
    assert path.read_text() == content


def test_a_bare_table_of_csv(cnnstat: Cnnstat) -> None:
    bare = cnnstat("sweep", *SPACE, "-f", "csv", "--bare")
    assert (bare.code, bare.out) == (0, cnnstat("sweep", *SPACE, "-f", "csv").out)
