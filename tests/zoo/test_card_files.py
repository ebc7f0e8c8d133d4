"""The files of the cards: of the families, and of models that there are."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from cnnstat.zoo import card
from cnnstat.zoo.catalog import FAMILIES, family_of, find

FOLDER = Path(card.__file__).parent / "cards"
MODULES = [family.module for family in FAMILIES]


def test_every_family_has_a_file() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.toml")) == sorted(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_a_file_speaks_of_models_of_its_family(module: str) -> None:
    content: dict[str, Any] = tomllib.loads((FOLDER / f"{module}.toml").read_text(encoding="utf-8"))
    parts = [name for part in content["card"] for name in part.get("names", ()) if "*" not in name]
    rows = content.get("accuracy", ())
    measured = [name for row in rows for key in ("top1", "top5") for name in row.get(key, ())]
    assert all(family_of(name).module == module for name in (*parts, *measured))
    assert all(find(name).name == name for name in measured)
