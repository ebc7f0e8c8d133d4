"""The list of operators: complete, in the files that it names, and imported when used."""

import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from cnnstat import ops
from cnnstat.ir.op import Op

FOLDER = Path(ops.__file__).parent


def test_every_file_is_a_family_and_every_operator_is_in_the_list() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} - {"__init__", "moved"} == set(ops.FAMILIES)
    for stem, names in ops.FAMILIES.items():
        members = vars(import_module(f"cnnstat.ops.{stem}")).values()
        classes = {
            each.__name__
            for each in members
            if inspect.isclass(each)
            and issubclass(each, Op)
            and each.__module__ == f"cnnstat.ops.{stem}"
            and not (each.__name__.startswith("_") or inspect.isabstract(each))
        }
        assert classes == set(names), stem


def test_a_name_is_in_one_family() -> None:
    names = [name for family in ops.FAMILIES.values() for name in family]
    assert len(names) == len(set(names))
    assert [op.__name__ for op in ops.ALL_OPS] == names
    assert set(names) < set(dir(ops))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Conv4d"):
        ops.Conv4d  # type: ignore[attr-defined]  # noqa: B018


def test_a_network_of_the_zoo_does_not_pay_for_imported_ones() -> None:
    program = (
        "import sys\n"
        "from cnnstat import api\n"
        "api.analyze('vgg16').totals\n"
        "print(*[name for name in sys.modules if name.startswith('cnnstat.ops.')])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    beyond = (
        *("pointwise", "arrange", "product", "reduction", "layer_norm", "recurrent"),
        *("adaptive_pool", "unpool"),
    )
    assert not {f"cnnstat.ops.{stem}" for stem in beyond} & set(done.stdout.split())
