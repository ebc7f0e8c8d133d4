"""Factories: what they import stays whole, and what they may return."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from cnnstat import api
from cnnstat.errors import ModelError
from cnnstat.pytorch.offmeta import meta_device

LIBRARY = """
import torch

class Holder:
    constant = torch.arange(3)
"""
SOURCE = """
from __future__ import annotations

import dataclasses
import torch
from torch import nn

@dataclasses.dataclass
class Config:
    width: int = 4

def net():
    from {library} import Holder
    made = nn.Conv2d(3, Config().width, 1)
    made.steps = Holder.constant
    return made

class Wrapper:
    def __init__(self):
        self.model, self.name = net(), "wrapped"

class Headless(nn.Module):
    def __init__(self):
        super().__init__()
        self.model, self.loss = net(), nn.MSELoss()

class Pipeline:
    def __init__(self):
        self.encoder, self.decoder = net(), nn.Linear(2, 2)

def several():
    return net(), "transform"

def nothing():
    return {{"name": 5}}
"""


@pytest.fixture
def file(tmp_path: Path, request: pytest.FixtureRequest) -> str:
    library = f"library_{abs(hash(request.node.name))}"
    (tmp_path / f"{library}.py").write_text(LIBRARY)
    path = tmp_path / "factories.py"
    path.write_text(SOURCE.format(library=library))
    return str(path)


def test_imports_inside_a_factory_keep_their_values(file: str) -> None:
    model = api.load(f"{file}:net")
    libraries = [each for name, each in sys.modules.items() if name.startswith("library_")]
    assert libraries
    assert not any(library.Holder.constant.is_meta for library in libraries)
    assert api.analyze(model, input=(3, 8, 8)).totals.macs == 64 * 3 * 4


def test_what_is_made_beside_the_imports_is_on_the_meta_device() -> None:
    with meta_device():
        import json.tool  # noqa: F401

        assert torch.zeros(1).is_meta
    assert not any(type(finder).__module__ == meta_device.__module__ for finder in sys.meta_path)


@pytest.mark.parametrize("name", ["Wrapper", "Headless", "several"])
def test_the_only_module_of_a_wrapper_is_taken(file: str, name: str) -> None:
    report = api.analyze(f"{file}:{name}", input=(3, 8, 8)).report
    assert (report.totals.params, report.totals.macs) == (3 * 4 + 4, 64 * 3 * 4)


def test_several_modules_are_named(file: str) -> None:
    with pytest.raises(ModelError, match=r"encoder \(Conv2d\), decoder \(Linear\); return one"):
        api.load(f"{file}:Pipeline")
    with pytest.raises(ModelError, match="returned dict, not an"):
        api.load(f"{file}:nothing")


def test_an_object_that_holds_a_module_is_analysed() -> None:
    class Held:
        def __init__(self) -> None:
            self.model = nn.Linear(3, 2)

    assert api.analyze(Held()).totals.macs == 3 * 2  # type: ignore[arg-type]


KERAS = """
import json

class Model:
    def to_json(self):
        return json.dumps(CONFIG)

Model.__module__ = "keras.src.models.model"
CONFIG = {
    "class_name": "Sequential",
    "config": {
        "name": "net",
        "layers": [
            {"class_name": "InputLayer", "config": {"name": "x", "batch_shape": [None, 8]}},
            {"class_name": "Dense", "config": {"name": "dense", "units": 4}},
        ],
    },
}
"""


def test_a_keras_model_of_a_factory_needs_no_pytorch(tmp_path: Path) -> None:
    (tmp_path / "made.py").write_text(KERAS)
    script = (
        "import sys; sys.modules['torch'] = None\n"
        "from cnnstat.cli.app import run\n"
        "sys.exit(run(['summary', 'made.py:Model', '--format', 'json']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["totals"]["params"] == 8 * 4 + 4
