"""Files that PyTorch writes: exported programs, TorchScript, state dicts."""

import io
import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnnstat import api
from cnnstat.errors import CnnstatError, ModelError, UsageError
from cnnstat.pytorch import programcode

pytestmark = pytest.mark.filterwarnings("ignore")  # of what torch.export and torch.jit warn


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.norm(self.conv(x)))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = Block(), nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.head(self.stem(x).mean((2, 3)))
        return made


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 1)

    def forward(self, pair: list[Tensor], *, flip: bool = False, other: Tensor) -> Tensor:
        made: Tensor = self.stem(pair[0]) + self.stem(pair[1]) + other
        return made


PARAMS = 3 * 9 * 8 + 8 + 2 * 8 + 8 * 10 + 10
ROWS = ["stem/conv", "mean", "head"]


def exported(path: Path, module: nn.Module, *args: Any, **options: Any) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(module.eval(), args, **options), path)
    return str(path)


def test_an_exported_program_states_its_input(tmp_path: Path) -> None:
    batch = torch.export.Dim("batch", min=1, max=64)
    path = exported(
        tmp_path / "net.pt2",
        Net(),
        torch.zeros(2, 3, 16, 20),
        dynamic_shapes={"x": {0: batch}},
    )
    report = api.analyze(path, batch=4).report
    assert report.inputs["x"].shape == (4, 3, 16, 20)
    assert [row.name for row in report.layers] == ["x", *ROWS]
    assert report.totals.params == PARAMS
    assert report.totals.macs == 4 * (16 * 20 * 3 * 9 * 8 + 8 * 10)


def test_a_batch_that_the_program_fixes_stays(tmp_path: Path) -> None:
    path = exported(tmp_path / "net.pt2", Net(), torch.zeros(2, 3, 8, 8))
    assert api.analyze(path).report.inputs["x"].shape == (2, 3, 8, 8)
    with pytest.raises(ModelError, match="to be equal to 2"):
        api.analyze(path, batch=3)


def test_an_open_extent_is_the_examples(tmp_path: Path) -> None:
    side = torch.export.Dim("side", min=8, max=64)
    path = exported(
        tmp_path / "net.pt2",
        Net(),
        torch.zeros(1, 3, 24, 24),
        dynamic_shapes={"x": {2: side, 3: side}},
    )
    assert api.analyze(path).report.inputs["x"].shape == (1, 3, 24, 24)
    assert api.analyze(path, input=(3, 16, 16)).report.totals.macs == 256 * 216 + 80


def test_lists_keywords_and_constants_of_a_program(tmp_path: Path) -> None:
    images, other = [torch.zeros(1, 3, 4, 4)] * 2, torch.zeros(1, 8, 1, 1)
    path = exported(tmp_path / "net.pt2", Two(), images, kwargs={"flip": True, "other": other})
    report = api.analyze(path).report
    assert [spec.shape for spec in report.inputs.values()] == [
        (1, 3, 4, 4),
        (1, 3, 4, 4),
        (1, 8, 1, 1),
    ]
    assert report.totals.macs == 2 * 16 * 3 * 8


@pytest.mark.parametrize("traced", [False, True])
def test_torchscript_keeps_the_paths_of_modules(traced: bool, tmp_path: Path) -> None:
    path = str(tmp_path / "net.pt")
    net = Net().eval()
    trace: Any = torch.jit.trace
    script = trace(net, torch.zeros(1, 3, 8, 8)) if traced else torch.jit.script(net)
    script.save(path)
    report = api.analyze(path, input=(3, 8, 8)).report
    assert [row.name for row in report.layers][1:] == ROWS
    assert (report.totals.params, report.totals.macs) == (PARAMS, 64 * 216 + 80)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"epoch": 3, "state_dict": state, "optimizer": {"lr": 0.1}},
        lambda state: {"ema": {"module": state}},
    ],
)
def test_a_state_dict_has_the_parameters_of_its_module(wrap: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "net.pth")
    torch.save(wrap(Net().state_dict()), path)
    totals, own = api.analyze(path).report.totals, api.analyze(Net(), input=(3, 8, 8)).totals
    assert (totals.weights, totals.biases, totals.buffers) == (own.weights, own.biases, own.buffers)


def test_tied_tensors_count_once(tmp_path: Path) -> None:
    tied = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    tied[1].weight = tied[0].weight
    torch.save(tied.state_dict(), tmp_path / "net.pt")
    assert api.analyze(str(tmp_path / "net.pt")).report.totals.params == 4 * 4


class Trap:
    """Unpickling it writes a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path(self.path),))


def test_foreign_classes_are_not_unpickled(tmp_path: Path) -> None:
    torch.save({"state_dict": Trap(str(tmp_path / "sprung"))}, tmp_path / "trap.pt")
    torch.save(Net(), tmp_path / "module.pt")
    for name, named in (("trap.pt", "getattr"), ("module.pt", "Net")):
        with pytest.raises(UsageError, match=named):
            api.load(str(tmp_path / name))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", ["net.pt2", "net.pt", "net.pth", "net.ckpt"])
@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04broken", b"\x80\x02}q\x00."])
def test_damaged_files_are_one_line(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(CnnstatError, match=name):
        api.load(str(path))


def test_files_that_are_not_there() -> None:
    for name in ("none.pt2", "none.pt", "none.safetensors"):
        with pytest.raises(UsageError, match="No such file"):
            api.load(name)


class Writes:
    """Code that a pickle runs: it opens a file for writing."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return open, (self.path, "w")


def changed(source: str, target: Path, change: Callable[[str, bytes], bytes]) -> str:
    """Write a copy of an archive with the content of each entry changed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return str(target)


@pytest.fixture
def with_open_batch(tmp_path: Path) -> str:
    batch = torch.export.Dim("batch", min=1, max=64)
    shapes = {"x": {0: batch}}
    return exported(tmp_path / "net.pt2", Net(), torch.zeros(2, 3, 8, 8), dynamic_shapes=shapes)


def test_pickled_examples_of_a_program_do_not_run(with_open_batch: str, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    content = io.BytesIO()
    torch.save({"x": Writes(str(marker))}, content)

    def examples(name: str, old: bytes) -> bytes:
        return content.getvalue() if name.endswith("model.pt") else old

    path = changed(with_open_batch, tmp_path / "evil.pt2", examples)
    with pytest.raises(CnnstatError):
        api.analyze(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    "code", ["open('MARKER','w')", "Integer(open('MARKER','w'))", "Symbol(open('MARKER','w'))"]
)
@pytest.mark.parametrize("field", ["expr_str", "name"])
def test_texts_of_a_program_do_not_run(
    field: str, code: str, with_open_batch: str, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    text = f'"{field}": "{code.replace("MARKER", str(marker))}"'

    def texts(name: str, old: bytes) -> bytes:
        fields = rf'"{field}": ?"[^"]*"'
        return re.sub(fields, text, old.decode()).encode() if name.endswith("model.json") else old

    path = changed(with_open_batch, tmp_path / "evil.pt2", texts)
    with pytest.raises(ModelError, match="may be code"):
        api.analyze(path)
    assert not marker.exists()


def test_machine_code_of_a_program_is_not_loaded(with_open_batch: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(with_open_batch, "a") as archive:
        archive.writestr("net/data/aotinductor/model/net.so", b"")
    with pytest.raises(ModelError, match="machine code"):
        api.analyze(with_open_batch)


@pytest.mark.parametrize(
    ("text", "extent"),
    [
        ("Symbol('s77', positive=True, integer=True)", True),
        ("Add(Mul(Integer(2), Symbol('s0')), Integer(-1))", True),
        ("FloorDiv(Pow(Symbol('s0'), Integer(2)), Integer(4))", True),
        ("2*s0 + 1", True),
        ("Pow(Integer(10), Integer(1000000000))", False),
        ("9**9**9", False),
        ("1 << 10000000000", False),
        ("s0.__class__", False),
        ("Symbol('s0').subs('x', 'y')", False),
        ("[s0][0]", False),
        ("Integer('__import__(1)')", False),
        ("(lambda: 1)()", False),
    ],
)
def test_an_expression_of_extents_is_no_other_code(text: str, extent: bool) -> None:
    assert programcode._is_data("expr_str", text) is extent


def test_a_nested_tensor_is_refused(tmp_path: Path) -> None:
    nested = torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)])
    torch.save({"table.weight": nested}, tmp_path / "net.pth")
    with pytest.raises(ModelError, match="nested"):
        api.analyze(str(tmp_path / "net.pth"))


def test_a_name_of_many_parts_is_refused(tmp_path: Path) -> None:
    torch.save({".".join("a" * 30_000): torch.zeros(1)}, tmp_path / "net.pth")
    with pytest.raises(ModelError, match="59999 characters"):
        api.analyze(str(tmp_path / "net.pth"))
