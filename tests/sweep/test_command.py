"""``cnnstat sweep``: formats, selections, files that go on, and what is wrong in one line."""

import csv
import io
import json
import os
import signal
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.cli.commandline import Cnnstat
from tests.sweep.processes import COMMAND, started, wait_for_rows, workers

WRN = ("wrn-{depth}-{width}", "depth=10,16", "width=range(1,5)", "-j", "1")
LONG = ("densenet-bc{d}-{k}-cifar", "d=range(10,71,6)", "k=range(4,25)", "input=32,40")


def models(text: str) -> list[str]:
    return [row["model"] for row in json.loads(text)["models"]]


def test_json(cnnstat: Cnnstat) -> None:
    result = cnnstat("sweep", *WRN, "--where", "width != 3", "-f", "json")
    assert result.code == 0
    payload = json.loads(result.out)
    assert next(iter(payload)) == "schema"
    assert payload["schema"] == "cnnstat.sweep/1"
    assert (payload["evaluated"], payload["kept"], payload["failed"]) == (8, 6, 0)
    first = payload["models"][0]
    assert first["model"] == "wrn-10-1"
    assert first["parameters"] == {"depth": 10, "width": 1}
    assert first["depth"] == 10 - 2  # two of the three shortcut convolutions lie on no longest path
    assert "cnnstat: 8 models evaluated, 6 kept" in result.err


@pytest.mark.parametrize("kind", ["json", "csv", "md", "html", "tex", "parquet", "txt"])
def test_every_format_has_every_row(kind: str, tmp_path: Path, cnnstat: Cnnstat) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"space.{kind}"
    assert cnnstat("sweep", *WRN, "-o", str(path)).code == 0
    names = [f"wrn-{depth}-{width}" for depth in (10, 16) for width in range(1, 5)]
    if kind == "parquet":
        from pyarrow import parquet

        table = parquet.read_table(path)
        assert table["model"].to_pylist() == names
        assert table["depth"].to_pylist() == [10] * 4 + [16] * 4
        assert table["figures.depth"].to_pylist() == [8] * 4 + [14] * 4
        assert str(table.schema.field("params").type) == "int64"
    else:
        text = path.read_text()
        assert [name for name in names if name in text] == names
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_csv_on_standard_output_is_the_csv_of_a_file(tmp_path: Path, cnnstat: Cnnstat) -> None:
    path = tmp_path / "a.csv"
    wide = ("wrn-{depth}-{width}", "depth=10,11", "width=1,2", "input=32,3x8x16", "-j", "1")
    cnnstat("sweep", *wide, "-o", str(path))
    assert cnnstat("sweep", *wide, "-f", "csv").out == path.read_text()
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    assert [row["figures.depth"] for row in rows] == ["8"] * 4


def test_front_order_and_top(cnnstat: Cnnstat) -> None:
    by_macs = cnnstat("sweep", *WRN, "--sort", "-macs", "--top", "2", "-f", "json")
    assert models(by_macs.out) == ["wrn-16-4", "wrn-16-3"]  # 2 blocks of 3^2 are more than 1 of 4^2
    front = cnnstat("sweep", *WRN, "--pareto", "-figures.depth,macs", "-f", "json")
    assert models(front.out) == ["wrn-10-1", "wrn-16-1"]  # the cheapest of each depth
    both = cnnstat("sweep", *WRN, "--sort", "width,-depth", "--top", "3", "-f", "json")
    assert models(both.out) == ["wrn-16-1", "wrn-10-1", "wrn-16-2"]


def test_columns(cnnstat: Cnnstat) -> None:
    rows = json.loads(cnnstat("sweep", *WRN, "-c", "macs", "-f", "json").out)["models"]
    assert "params" not in rows[0]
    rows = json.loads(cnnstat("sweep", *WRN, "-c", "+receptive_field", "-f", "json").out)["models"]
    # one 3x3, then 2 a block: 1 + 2 + (2+2) at stride 1, the next blocks 2+4 and 4+8 pixels more
    assert rows[0]["receptive_field"] == 1 + 2 * (1 + 2) + 2 * (1 + 2) + 2 * (2 + 4)


def test_invalid_combinations_are_counted(cnnstat: Cnnstat) -> None:
    result = cnnstat("sweep", "resnet{d}-cifar", "d=range(19,33)", "-f", "json", "-j", "1")
    payload = json.loads(result.out)
    assert (payload["kept"], payload["skipped"]) == (3, 11)  # 20, 26, 32
    assert "6n+2" in result.err


def test_a_model_that_fails_is_a_row(tmp_path: Path, cnnstat: Cnnstat) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "input: [4, 8, 8]\nparameters: {g: 1}\n"
        "layers:\n  - {Conv2d: {out_channels: 4, kernel: 3, groups: $g}}\n"
    )
    result = cnnstat("sweep", str(path), "g=1,2,3", "--where", "params < 1M", "-f", "json")
    payload = json.loads(result.out)
    assert result.code == 0
    assert (payload["kept"], payload["failed"]) == (2, 1)
    failed = payload["models"][2]
    assert failed["status"] == "failed"
    assert "divisible by groups (=3)" in failed["error"]
    assert failed["params"] is None
    assert "1 failed" in result.err
    table = cnnstat("sweep", str(path), "g=3,1", "-f", "csv").out.splitlines()
    assert table[1].split(",")[3:7] == ["", "", "", "failed"]
    figures = dict(zip(table[0].split(","), table[1].split(","), strict=False))
    assert figures["params"] == figures["macs"] == ""  # unknown, not 0


def test_a_sample_is_the_same_for_the_same_seed(cnnstat: Cnnstat) -> None:
    big = (
        "wrn-{depth}-{width}",
        "depth=range(10,100)",
        "width=range(1,9)",
        "-j",
        "1",
        "-f",
        "json",
    )
    one = models(cnnstat("sweep", *big, "--sample", "20", "--seed", "1").out)
    assert len(set(one)) == 20
    assert models(cnnstat("sweep", *big, "--sample", "20", "--seed", "1").out) == one
    assert models(cnnstat("sweep", *big, "--sample", "20", "--seed", "2").out) != one
    every = models(cnnstat("sweep", *big, "--sample", "1000").out)
    assert sorted(every) == sorted(f"wrn-{d}-{w}" for d in range(10, 100, 6) for w in range(1, 9))


def test_a_file_of_the_space(tmp_path: Path, cnnstat: Cnnstat) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(
        "model: wrn-{depth}-{width}\n"
        "values:\n  depth: [10, 16]\n  width: range(1,5)\n"
        "where: width != 3\n"
    )
    whole = cnnstat("sweep", str(path), "-f", "json", "-j", "1")
    assert whole.out == cnnstat("sweep", *WRN, "--where", "width != 3", "-f", "json").out
    assert models(cnnstat("sweep", str(path), "width=2", "-f", "json").out) == [
        "wrn-10-2",
        "wrn-16-2",
    ]


@pytest.mark.parametrize("kind", ["json", "csv"])
@pytest.mark.parametrize("rows", [0, 1, 5, 8])
def test_a_run_goes_on_where_it_was_cut_off(
    kind: str, rows: int, tmp_path: Path, cnnstat: Cnnstat
) -> None:
    path, whole = tmp_path / f"a.{kind}", tmp_path / f"b.{kind}"
    cnnstat("sweep", *WRN, "-o", str(whole))
    lines = whole.read_bytes().splitlines(keepends=True)
    torn = b"" if rows == 8 else lines[1 + rows][:20]
    path.write_bytes(b"".join(lines[: 1 + rows]) + torn)  # killed in the middle of a row
    result = cnnstat("sweep", *WRN, "--resume", str(path))
    assert result.code == 0, result.err
    assert path.read_bytes() == whole.read_bytes()
    again = cnnstat("sweep", *WRN, "--resume", str(path))
    assert again.code == 0
    assert path.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("kind", ["json", "csv"])
@pytest.mark.parametrize("rows", [0, 1, 5, 9])
def test_a_filtered_sample_goes_on(kind: str, rows: int, tmp_path: Path, cnnstat: Cnnstat) -> None:
    """The rows do not tell how many models were drawn: the run finds out again."""
    big = ("wrn-{d}-{w}", "d=range(10,60)", "w=range(1,40)", "-j", "1", "--where", "w % 3 == 0")
    drawn = (*big, "--sample", "60")
    path, whole = tmp_path / f"a.{kind}", tmp_path / f"b.{kind}"
    said = cnnstat("sweep", *drawn, "-o", str(whole)).err
    lines = whole.read_bytes().splitlines(keepends=True)
    assert len(lines) > 12
    path.write_bytes(b"".join(lines[: 1 + rows]) + lines[1 + rows][:20])
    result = cnnstat("sweep", *drawn, "--resume", str(path))
    assert result.code == 0, result.err
    assert path.read_bytes() == whole.read_bytes()
    assert result.err.partition("(first")[0] == said.partition("(first")[0]


def test_files_of_something_else_are_not_resumed(tmp_path: Path, cnnstat: Cnnstat) -> None:
    path = tmp_path / "a.json"
    cnnstat("sweep", *WRN, "-o", str(path))
    before = path.read_bytes()
    other = ("wrn-{depth}-{width}", "depth=10,16", "width=range(1,6)", "-j", "1")
    result = cnnstat("sweep", *other, "--resume", str(path))
    assert (result.code, path.read_bytes()) == (2, before)
    assert "its size is 8, not 10" in result.err
    path.write_text('{"schema": "cnnstat.summary/1", "layers": []}')
    result = cnnstat("sweep", *WRN, "--resume", str(path))
    assert result.code == 2
    assert "not a result of the schema cnnstat.sweep/1" in result.err
    table = tmp_path / "a.csv"
    cnnstat("sweep", *WRN, "-o", str(table))
    result = cnnstat(
        "sweep", "wrn-{depth}-{width}", "depth=16,10", "width=range(1,5)", "--resume", str(table)
    )
    assert result.code == 2
    assert "no model of this space there" in result.err


def test_an_interrupt_leaves_a_file_that_goes_on(tmp_path: Path, cnnstat: Cnnstat) -> None:
    path, whole = tmp_path / "a.csv", tmp_path / "b.csv"
    run = started(*LONG, "-j", "1", "-o", str(path))
    wait_for_rows(path, 20)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130, err
    assert f"--resume {path}" in err
    assert "Traceback" not in err
    rows = list(csv.reader(path.read_text().splitlines()))
    assert 20 < len(rows) < 1 + 11 * 21 * 2
    assert f"{path} holds {len(rows) - 1:,} rows" in err
    assert len({len(row) for row in rows}) == 1
    cnnstat("sweep", *LONG, "-j", "1", "-o", str(whole))
    cnnstat("sweep", *LONG, "-j", "1", "--resume", str(path))
    assert path.read_bytes() == whole.read_bytes()


def test_an_interrupt_before_the_first_model_writes_nothing(tmp_path: Path) -> None:
    net = tmp_path / "slow.py"
    net.write_text("import time\nopen('begun', 'w').close()\ntime.sleep(60)\n")
    path = tmp_path / "a.csv"
    path.write_text("mine")
    run = subprocess.Popen(
        [*COMMAND, "slow.py:make", "width=1,2", "-o", str(path)],
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    for _ in range(3000):
        if (tmp_path / "begun").exists():
            break
        time.sleep(0.02)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert (run.returncode, path.read_text()) == (130, "mine")
    assert "Traceback" not in err
    assert "--resume" not in err


@pytest.mark.parametrize("kind", ["json", "csv", "md"])
def test_a_full_disk_leaves_a_file_that_goes_on(
    kind: str, tmp_path: Path, cnnstat: Cnnstat
) -> None:
    path = tmp_path / f"a.{kind}"
    stream = path if kind != "md" else tmp_path / "a.md.part"
    run = started(*LONG, "-j", "1", "-o", str(path), limit=40_000)
    _, err = run.communicate(timeout=120)
    assert run.returncode == 2, err
    assert f"cannot write {stream}" in err
    assert f"--resume {stream}" in err
    if kind == "csv":
        assert len({len(row) for row in csv.reader(stream.read_text().splitlines())}) == 1
    else:
        payload = json.loads(stream.read_text())
        assert payload["kept"] == len(payload["models"]) > 5
    whole = tmp_path / f"b.{kind}"
    cnnstat("sweep", *LONG, "-j", "1", "-o", str(whole))
    assert cnnstat("sweep", *LONG, "-j", "1", "--resume", str(stream)).code == 0
    assert path.read_bytes() == whole.read_bytes()
    assert not (tmp_path / "a.md.part").exists()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find the workers")
def test_a_killed_worker_changes_nothing(tmp_path: Path, cnnstat: Cnnstat) -> None:
    path, whole = tmp_path / "a.json", tmp_path / "b.json"
    space = (*LONG, "batch=1,2,4,8", "classes=range(10,30)")  # 37,000 models: some seconds
    run = started(*space, "-j", "2", "-o", str(path))
    pool: list[int] = []
    while run.poll() is None and len(pool) < 2:
        time.sleep(0.01)
        pool = workers(run.pid)
    wait_for_rows(path, 20)
    run.send_signal(signal.SIGSTOP)  # so that it does not end meanwhile
    pool = workers(run.pid)
    if pool:
        os.kill(pool[0], signal.SIGKILL)
    run.send_signal(signal.SIGCONT)
    _, err = run.communicate(timeout=200)
    assert run.returncode == 0, err
    assert pool, "the run ended before a worker could be killed"
    cnnstat("sweep", *space, "-j", "1", "-o", str(whole))
    assert path.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("wrn-{depth}-{width}", "depth=10"), "placeholder {width} has no values"),
        (("wrn-{depth}-2", "depth=10", "width=2"), "no placeholder {width}"),
        (("wrn-28-10", "width=2"), "no placeholder {width}"),
        (("wrn-{d}-2", "d=range(1,10,0)"), "step must not be 0"),
        (("wrn-{d}-2", "d=range(9,1)"), "the range is empty"),
        (("wrn-{d}-2", "d=choice()"), "a value is missing"),
        (("wrn-{d}-2", "d="), "a value is missing"),
        (("wrn-{d}-2", "d"), "name=16,24,32"),
        (("wrn-{d}-2", "d=10", "d=16"), "given twice"),
        (("wrn-{d}-2", "d=10", "--where", "params <"), "expected, not 'the end'"),
        (("wrn-{d}-2", "d=10", "--where", "parms < 5"), "did you mean params"),
        (("wrn-{d}-2", "d=10", "--where", "training_bytes < 5"), "add --mode training"),
        (("wrn-{d}-2", "d=10", "--where", "params < 'x'"), "joins a number and a text"),
        (("wrn-{d}-2", "d=10", "--where", "params < 1 or dtype > 3"), "at character 21"),
        (("wrn-{d}-2", "d=10", "--where", "d == '10'"), "joins a number and a text"),
        (("wrn-{d}-2", "d=10", "--where", "dtype * 2 < 3"), "'*' joins a text and a number"),
        (("wrn-{d}-2", "d=10", "input=32,3x8x16", "-w", "input < 40"), "'<' joins a text"),
        (("wrn-{d}-2", "d=10", "-c", "training_bytes"), "add --mode training"),
        (("wrn-{d}-2", "d=10", "-c", "parms"), "did you mean params"),
        (("wrn-{d}-2", "d=10", "--sort", "mac"), "did you mean macs"),
        (("wrn-{d}-2", "d=10", "--pareto", "-"), "name columns"),
        (("wrn-{d}-2", "d=10", "--top", "0"), "top must be at least 1"),
        (("wrn-{d}-2", "d=10", "--workers", "0"), "workers must be at least 1"),
        (("wrn-{d}-2", "d=10", "--sample", "0"), "--sample must be at least 1"),
        (("wrn-{d}-2", "d=10", "--mode", "train"), "did you mean training"),
        (("wrn-{d}-2", "d=10", "--optimizer", "adam"), "add --mode training"),
        (("wrn-{d}-2", "d=10", "input=0"), "at least 1"),
        (("wrn-{d}-2", "d=10", "input=wide"), "expected whole numbers joined by x"),
        (("wrn-{d}-2", "d=10", "dtype=float31"), "did you mean float32"),
        (("wrn-{d}-2", "d=10", "batch=0"), "at least 1"),
        (("wrn-{d}-2", "d=10", "batch=2", "--batch", "3"), "twice"),
        (("wrn-{d}-2", "d=11,12"), "none of 2 combinations is valid"),
        (("wnr-{d}-2", "d=10"), "unknown model 'wnr-10-2'"),
        (("samples/scaled.yaml", "widht=2"), "did you mean width"),
        (("samples/none.yaml", "width=2"), "cannot read samples/none.yaml"),
        (("samples/tiny.onnx", "width=2"), "no parameters to vary"),
        (("wrn-{a}-{b}", "a=range(1000000)", "b=range(1000)"), "1,000,000,000 points"),
        (("wrn-{d}-2", "d=10", "--resume", "no.json"), "no such file"),
        (("wrn-{d}-2", "d=10", "-f", "parquet"), "add -o FILE.parquet"),
        (("wrn-{d}-2", "d=10", "-o", "x.jsno"), "unknown suffix"),
        (("wrn-{d}-2", "d=10", "-o", "no/such/folder.csv"), "no folder"),
    ],
)
def test_bad_input_is_one_line(args: tuple[str, ...], said: str, cnnstat: Cnnstat) -> None:
    if "parquet" in args:
        pytest.importorskip("pyarrow")
    result = cnnstat("sweep", *args)
    assert result.code == 2, result.err
    assert result.out == ""
    errors = [line for line in result.err.splitlines() if line.startswith("cnnstat: error: ")]
    assert len(errors) == 1
    assert said in errors[0]


def test_the_size_of_a_space_is_confirmed(cnnstat: Cnnstat) -> None:
    big = ("wrn-{a}-{b}", "a=range(1000000)", "b=range(1000)")
    said = cnnstat("sweep", *big).err
    assert "--sample" in said
    assert "--all" in said
    assert "days" in said or "hours" in said or "minutes" in said


def test_what_fails_at_once_leaves_an_old_file_alone(tmp_path: Path, cnnstat: Cnnstat) -> None:
    path = tmp_path / "a.csv"
    path.write_text("mine")
    assert cnnstat("sweep", "wrn-{d}-2", "d=11,12", "-o", str(path)).code == 2
    assert cnnstat("sweep", "wrn-{d}-2", "d=10", "--where", "d <", "-o", str(path)).code == 2
    if find_spec("distributed") is not None:
        lost = cnnstat("sweep", "wrn-{d}-2", "d=10", "--dask", "nonsense://x", "-o", str(path))
        assert lost.code == 2
        assert "no Dask scheduler answers at nonsense://x" in lost.err
    assert path.read_text() == "mine"


def test_a_device_takes_the_result(cnnstat: Cnnstat) -> None:
    result = cnnstat("sweep", "wrn-{d}-2", "d=10", "-f", "csv", "-o", "/dev/full")
    assert result.code == 2
    assert result.out == ""
    assert "cannot write /dev/full" in result.err
