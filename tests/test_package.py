"""The package as it is installed: version, typing marker, public names, imports of the core."""

import ast
import pkgutil
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points, metadata, version
from importlib.resources import files
from pathlib import Path

import cnnstat
from cnnstat import bench, count, ir, ledger, memory, ops, zoo
from cnnstat.errors import EXTRAS, MissingDependencyError
from cnnstat.sweep import __path__ as sweep_path

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PUBLIC = ["__version__", "analyze", "build", "compare", "load", "register", "sweep"]


def test_the_version_is_one() -> None:
    assert cnnstat.__version__ == version("cnnstat") == PROJECT["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{cnnstat.__version__}]" in changelog


def test_the_version_is_printed() -> None:
    command = [sys.executable, "-m", "cnnstat", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"cnnstat {cnnstat.__version__}\n"


def test_types_reach_the_user() -> None:
    assert files("cnnstat").joinpath("py.typed").is_file()


def test_the_console_script_is_the_command_line() -> None:
    (script,) = entry_points(group="console_scripts", name="cnnstat")
    from cnnstat.cli import main

    assert script.load() is main


def test_public_names() -> None:
    assert sorted(cnnstat.__all__) == PUBLIC
    assert all(callable(getattr(cnnstat, name)) for name in PUBLIC if name != "__version__")
    assert all(getattr(ops, op.__name__) is op for op in ops.ALL_OPS)


def test_the_core_needs_two_packages() -> None:
    plain = [name for name in metadata("cnnstat").get_all("Requires-Dist", []) if ";" not in name]
    assert sorted(name.split(">")[0] for name in plain) == ["rich", "typer"]


def test_the_core_imports_the_standard_library_alone() -> None:
    modules = ["cnnstat.errors"]
    packages = [(p.__path__, p.__name__) for p in (ir, ops, zoo, count, memory, bench, ledger)]
    for path, package in (*packages, (sweep_path, "cnnstat.sweep")):
        submodules = pkgutil.walk_packages(path, f"{package}.")
        modules += [package, *(module.name for module in submodules)]
    program = f"""
import sys
from importlib import import_module

class Wall:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top != "cnnstat" and top not in sys.stdlib_module_names:
            raise ImportError(f"the core must not import {{name}}")
        return None

sys.meta_path.insert(0, Wall())
for name in {modules!r}:
    import_module(name)
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (0, "")


FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in (ROOT / "cnnstat").rglob("*.py")
}
"""Every file of the package by the name under which it is imported."""


def imported(path: Path) -> set[str]:
    """Files that a file imports, inside functions too; what only a type checker reads is none."""
    names: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            inner = {alias.name: f"{module}.{alias.name}" for alias in node.names}
            names |= {full if full in FILES else module for full in inner.values()}
        waiting += ast.iter_child_nodes(node)
    return names & FILES.keys()


def circles(imports: dict[str, set[str]]) -> set[str]:
    """Files that import themselves by way of others, or stand between such."""
    left = dict(imports)
    while (
        True
    ):  # what imports nothing of the rest, or is imported by nothing of it, is in no circle
        read = set().union(*left.values())
        ends = {
            name for name, others in left.items() if not others & left.keys() or name not in read
        }
        if not ends:
            return set(left)
        left = {name: others - ends for name, others in left.items() if name not in ends}


def test_no_two_files_import_each_other_in_a_circle() -> None:
    assert circles({name: imported(path) - {name} for name, path in FILES.items()}) == set()


def test_a_circle_is_seen() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": set()}) == {"a", "b", "c"}


def test_ci_pins_everything_that_it_installs() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(pin.count("==") == 1 and "/" not in pin for pin in pins)
    pinned = {pin.split("==")[0].lower().replace("_", "-") for pin in pins}
    wanted = [
        name.split(">")[0].lower()
        for extra in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
        for name in extra
        if not name.startswith("cnnstat")
    ]
    assert set(wanted) <= pinned


def test_an_error_names_packages_that_its_extra_brings() -> None:
    """``pip install PACKAGES`` works from a checkout, where the name of the extra may not."""
    extras = PROJECT["optional-dependencies"]
    assert set(EXTRAS) == set(extras) - {"all", "test", "dev"}
    for extra, packages in EXTRAS.items():
        names = {requirement.split(">")[0] for requirement in extras[extra]}
        assert set(packages.split()) <= names
        assert f": pip install {packages} " in str(MissingDependencyError("it", extra))
