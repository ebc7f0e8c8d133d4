"""From a reference to a module: files, packages, libraries, arguments, and what goes wrong."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

import cnnstat as public
from cnnstat import api
from cnnstat.errors import MissingDependencyError, ModelError, UsageError
from cnnstat.pytorch.capture.loading import load_module
from tests.cli.commandline import Cnnstat

SOURCE = '''
import sys
import torch
from torch import nn
from torch.nn import functional as F

print("the file runs")

class Net(nn.Module):
    """Three layers."""

    def __init__(self, num_classes=10, width=4):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, padding=1)
        self.head = nn.Linear(width, num_classes)

    def forward(self, x):
        print("the forward pass runs")
        return self.head(F.relu(self.conv(x)).mean((2, 3)))

class Nested:
    @staticmethod
    def make():
        return Net(2)

class Asking(Net):
    def forward(self, x):
        if float(self.head.bias.abs().max()) > 0:
            return super().forward(x)
        return x

class Rates(nn.Module):
    def __init__(self):
        super().__init__()
        self.rates = [rate.item() for rate in torch.linspace(0, 1, 3)]
        self.layer = nn.Linear(6, 2)

    def forward(self, x):
        return self.layer(x)

class Unknown(nn.Module):
    def forward(self, x):
        return torch.linalg.matrix_exp(x)

class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(50, 3)

    def forward(self, image, tokens):
        return image.mean((2, 3)) + self.words(tokens).mean(1)

class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(50, 3)

    def forward(self, tokens):
        return self.words(tokens)

class Leaving(nn.Module):
    def forward(self, x):
        sys.exit(0)

ready = Net(5)
number = 7

def three():
    return 3

def raises():
    raise ValueError("no luck today\\nand more")

def leaves():
    sys.exit(9)
'''
PARAMS = (3 * 3 * 3 * 4 + 4) + (4 * 10 + 10)


@pytest.fixture
def net(tmp_path: Path) -> str:
    path = tmp_path / "net.py"
    path.write_text(SOURCE)
    return str(path)


def test_a_file_and_a_callable(net: str) -> None:
    assert api.analyze(f"{net}:Net", input=(3, 8, 8)).totals.params == PARAMS
    assert api.analyze(f"{net}:Nested.make", input=(3, 8, 8)).totals.params == PARAMS - 8 * 4 - 8
    assert api.analyze(f"{net}:ready", input=(3, 8, 8)).totals.params == PARAMS - 5 * 4 - 5


def test_a_package_in_this_folder(
    net: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets_of_a_test").mkdir()
    (tmp_path / "nets_of_a_test" / "small.py").write_text(SOURCE)
    (tmp_path / "nets_of_a_test" / "__init__.py").write_text("")
    report = api.analyze("nets_of_a_test.small:Net", input=(3, 8, 8))
    assert report.totals.params == PARAMS
    assert str(tmp_path) not in sys.path


def test_arguments_go_to_the_callable(net: str) -> None:
    model = api.load(f"{net}:Net", arguments={"num_classes": 3, "width": 2})
    assert api.analyze(model, input=(3, 8, 8)).totals.params == (3 * 3 * 3 * 2 + 2) + (2 * 3 + 3)


def test_modules_are_built_without_memory_for_weights(net: str) -> None:
    module = load_module(f"{net}:Net")
    assert {tensor.device.type for tensor in module.parameters()} == {"meta"}
    assert load_module(f"{net}:Net", weights=True).get_parameter("head.bias").abs().sum() > 0


def test_a_constructor_that_computes_is_built_on_the_cpu(net: str) -> None:
    assert api.analyze(f"{net}:Rates", input={"x": (6,)}).totals.macs == 6 * 2


def test_a_forward_pass_that_asks_for_weights_gets_real_ones(net: str) -> None:
    report = api.analyze(f"{net}:Asking", input=(3, 8, 8))
    assert report.totals.macs == 8 * 8 * 3 * 3 * 3 * 4 + 4 * 10
    assert [note.code for note in report.notes] == ["real_tensors"]


def test_random_states_stay(net: str) -> None:
    before = torch.get_rng_state()
    for name in ("Net", "Rates", "Asking"):
        api.analyze(f"{net}:{name}", input={"x": (6,)} if name == "Rates" else (3, 8, 8))
    load_module(f"{net}:Rates")
    assert (before == torch.get_rng_state()).all()


def test_build_gives_the_module_itself(net: str) -> None:
    built = public.build(f"{net}:Net")
    assert type(built).__name__ == "Net"
    assert not next(built.parameters()).is_meta


def test_analyze_in_one_line_of_a_script() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    assert public.analyze(module, input=(3, 6, 6)).totals.macs == 4 * 4 * 3 * 3 * 3 * 4


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("Nett", UsageError, "did you mean Net"),
        ("", UsageError, "name a file or module and a callable"),
        ("number", ModelError, "is int, not a callable"),
        ("three", ModelError, "returned int, not an nn.Module"),
        ("raises", ModelError, "raised ValueError: no luck today (--debug shows the trace)"),
        ("leaves", ModelError, "raised SystemExit: 9"),
    ],
)
def test_callables_that_are_none(net: str, name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        api.load(f"{net}:{name}" if name else net)
    assert message in str(caught.value)
    assert "and more" not in str(caught.value)


@pytest.mark.parametrize(
    ("reference", "arguments", "message"),
    [
        (nn.Conv2d, {}, "is not a model"),
        (3, {}, "is not a model"),
        ("vgg16", {"input": "224x224"}, "expected extents without the batch"),
        ("vgg16", {"input": [(3, 32, 32)]}, "expected extents without the batch"),
        ("vgg16", {"input": {"input": "224"}}, "expected extents without the batch"),
        ("vgg16", {"dtype": torch.int16}, "dtype int16"),
    ],
)
def test_arguments_of_a_script_that_cannot_be_meant(
    reference: Any, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        public.analyze(reference, **arguments)


def test_a_script_may_give_pytorchs_own_dtype() -> None:
    half: Any = torch.float16
    assert public.analyze("lenet5", dtype=half).input.dtype == "float16"


def test_files_that_are_no_models(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def :\n")
    (tmp_path / "failing.py").write_text("import nothing_of_this_name\n")
    with pytest.raises(ModelError, match=r"broken.py cannot be imported: SyntaxError"):
        api.load(f"{tmp_path}/broken.py:Net")
    with pytest.raises(ModelError, match=r"failing.py cannot be imported: ModuleNotFoundError"):
        api.load(f"{tmp_path}/failing.py:Net")
    with pytest.raises(UsageError, match=r"cannot read .*nowhere.py: no such file"):
        api.load(f"{tmp_path}/nowhere.py:Net")
    with pytest.raises(UsageError, match="no module named 'nowhere_at_all' is installed"):
        api.load("nowhere_at_all:Net")


@pytest.mark.parametrize("library", ["torchvision", "timm"])
def test_a_library_that_is_missing(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UsageError, match=f"{library} is not installed: pip install {library}"):
        api.load(f"{library}:resnet18")


def test_libraries_are_never_asked_for_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments: list[dict[str, object]] = []

    def make(name: str, **options: object) -> nn.Module:
        arguments.append({"name": name, **options})
        return nn.Conv2d(3, 4, 1)

    vision, models = ModuleType("torchvision"), ModuleType("torchvision.models")
    vision.__dict__["models"] = models
    models.__dict__.update(list_models=lambda: ["resnet18", "fcn_resnet50"], get_model=make)
    timm, its_models = ModuleType("timm"), ModuleType("timm.models")
    timm.__dict__.update(list_models=lambda: ["resnet18"], create_model=make)
    for module in (vision, models, timm, its_models):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    for reference in ("torchvision:resnet18", "torchvision:fcn_resnet50", "timm:resnet18.a1_in1k"):
        assert api.analyze(reference).totals.params == 3 * 4 + 4
    assert arguments == [
        {"name": "resnet18", "weights": None},
        {"name": "fcn_resnet50", "weights": None, "weights_backbone": None},
        {"name": "resnet18.a1_in1k", "pretrained": False},
    ]
    with pytest.raises(UsageError, match="unknown timm model 'resnet8': did you mean resnet18"):
        api.load("timm:resnet8")


def test_without_pytorch_the_message_names_the_extra(
    net: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingDependencyError, match="pip install torch fvcore"):
        api.load(f"{net}:Net")


# the command line


def test_the_result_alone_goes_to_standard_output(net: str, cnnstat: Cnnstat) -> None:
    result = cnnstat("summary", f"{net}:Net", "--input", "8", "--format", "json")
    assert result.code == 0
    assert result.out.startswith("{")
    assert result.err.splitlines()[0] == "the file runs"
    assert "the forward pass runs" in result.err


def test_arguments_and_inputs_on_the_command_line(net: str, cnnstat: Cnnstat) -> None:
    args = '{"num_classes": 3}'
    result = cnnstat("summary", f"{net}:Net", "--args", args, "-i", "x=3x8x8", "-f", "csv")
    assert result.code == 0
    assert "4*3" in cnnstat("explain", f"{net}:Net", "head", "--args", args, "-i", "8").out


def test_strict_exits_with_1_where_something_is_unknown(net: str, cnnstat: Cnnstat) -> None:
    plain = cnnstat("summary", f"{net}:Unknown", "-i", "x=5x5")
    assert (plain.code, "no rule" in plain.out, "?" in plain.out) == (0, True, True)
    strict = cnnstat("summary", f"{net}:Unknown", "-i", "x=5x5", "--strict")
    assert strict.code == 1
    assert strict.out == plain.out


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["summary", "{net}:raises"], 3, "raised ValueError: no luck today"),
        (["summary", "{net}:three"], 3, "returned int, not an nn.Module"),
        (["summary", "{net}:Net", "-i", "1x8x8"], 3, "conv (Conv2d) cannot take 1x1x8x8"),
        (
            ["summary", "{net}:Net", "-i", "4x5x5"],
            3,
            "without the batch, as in --input x=3x224x224",
        ),
        (["summary", "{net}:Net", "--classes", "3"], 2, "pass it with --args"),
        (["summary", "{net}:Net", "--args", "3"], 2, "expected an object"),
        (["summary", "{net}:Net", "--args", "{{"], 2, "--args is not valid JSON"),
        (["summary", "{net}:Net", "--args", '{{"classes": 3}}'], 3, "TypeError"),
        (
            ["summary", "vgg16", "--args", "{{}}"],
            2,
            "only a Python callable or a spec file takes arguments",
        ),
        (["summary", "{net}:Leaving", "-i", "8"], 3, "cannot take input 1x3x8x8: SystemExit: 0"),
        (
            ["summary", "{net}:Two", "-i", "image=3x8x8", "-i", "token=int64:7"],
            2,
            "unknown input token (1x7 int64): forward takes (image, tokens); "
            "write --input tokens=int64:SHAPE",
        ),
        (
            ["summary", "{net}:Two", "-i", "image=5x8x8", "-i", "tokens=int64:7"],
            3,
            "The size of tensor a (5) must match the size of tensor b (3)",
        ),
        (["claims", "{net}:Net"], 2, "only models of 'cnnstat list' have published figures"),
        (["export", "{net}:Net", "--to", "yml"], 2, "unknown export format 'yml'"),
    ],
)
def test_mistakes_are_one_line(
    net: str, cnnstat: Cnnstat, args: list[str], code: int, message: str
) -> None:
    result = cnnstat(*[arg.format(net=net) for arg in args])
    assert result.code == code
    assert result.out == ""
    errors = [line for line in result.err.splitlines() if line.startswith("cnnstat: error: ")]
    assert len(errors) == 1
    assert "Traceback" not in result.err
    assert message in errors[0]
    assert result.err.splitlines()[-1] == errors[0]


def test_a_net_of_sequences_has_no_receptive_field(net: str, cnnstat: Cnnstat) -> None:
    result = cnnstat("summary", f"{net}:Words", "-i", "tokens=int64:7")
    assert result.code == 0
    assert "receptive field" not in result.out


def test_debug_shows_what_the_factory_raised(net: str, cnnstat: Cnnstat) -> None:
    result = cnnstat("summary", f"{net}:raises", "--debug")
    assert result.code == 3
    assert "ValueError" in result.err
    assert "in raises" in result.err  # the line of the user's file


def test_every_command_takes_a_module(net: str, cnnstat: Cnnstat, tmp_path: Path) -> None:
    for args in (
        ["summary", f"{net}:Net", "-i", "8", "--depth", "1"],
        ["explain", f"{net}:Net", "-i", "8"],
        ["compare", f"{net}:Net", "lenet5", "-i", "32"],
        ["graph", f"{net}:Net", "-i", "8", "-f", "dot"],
        ["export", f"{net}:Net", "-i", "8"],
    ):
        result = cnnstat(*args)
        assert (result.code, bool(result.out)) == (0, True), (args, result.err)


@pytest.mark.parametrize(
    "line",
    [
        ["fit", "--memory", "1MiB"],
        ["bench", "--device", "cpu", "--min-time", "0"],
        ["plot", "memory", "-o", "{folder}/memory.svg"],
        ["plot", "layers", "-o", "{folder}/layers.svg"],
    ],
    ids=" ".join,
)
def test_arguments_and_named_inputs_wherever_one_module_is_meant(
    net: str, cnnstat: Cnnstat, tmp_path: Path, line: list[str]
) -> None:
    command = [part.format(folder=tmp_path) for part in line]
    at = 2 if command[0] == "plot" else 1
    module = [f"{net}:Net", "--input", "x=3x8x8", "--args", '{"num_classes": 3}']
    result = cnnstat(*command[:at], *module, *command[at:])
    assert result.code == 0, result.err


def test_a_captured_graph_reads_back_from_yaml(net: str, cnnstat: Cnnstat, tmp_path: Path) -> None:
    path = str(tmp_path / "net.yaml")
    assert cnnstat("export", f"{net}:Net", "-i", "8", "-o", path).code == 0
    ours, theirs = api.analyze(f"{net}:Net", input=(3, 8, 8)), api.analyze(path)
    assert theirs.totals == ours.totals
    assert theirs.shaped.facts == ours.shaped.facts


def test_a_transformer_reads_back_from_yaml(tmp_path: Path) -> None:
    from cnnstat.importers.spec.writing import write_shaped

    module = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    report = api.analyze(module, input={"src": (5, 8)})
    (tmp_path / "layer.yaml").write_text(write_shaped(report.shaped))
    again = api.analyze(str(tmp_path / "layer.yaml"))
    assert again.totals == report.totals
    assert again.shaped.facts == report.shaped.facts
