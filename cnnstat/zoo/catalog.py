"""Every name of the zoo and the file that builds it; a family's file is imported when one of its names is asked for.

The lists are literal so that ``cnnstat list`` and the nearest names of a typo need no import.
"""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

from cnnstat.errors import unknown
from cnnstat.zoo.card import ModelCard


class Family(NamedTuple):
    """One zoo file: its module, its title, its names in historical order. The file's ``card(name)`` makes the cards.

    ``prefixes`` are beginnings of further names that follow the family's rule; the file accepts or explains them.
    """

    module: str
    title: str
    names: tuple[str, ...]
    prefixes: tuple[str, ...] = ()


FAMILIES: tuple[Family, ...] = (
    Family(
        "vgg",
        "VGG",
        (
            "vgg11",
            "vgg11-bn",
            "vgg11-lrn",
            "vgg13",
            "vgg13-bn",
            "vgg16-1x1",
            "vgg16-1x1-bn",
            "vgg16",
            "vgg16-bn",
            "vgg19",
            "vgg19-bn",
        ),
    ),
)

ALIASES: dict[str, str] = {
    "vgg-a": "vgg11",
    "vgg-a-lrn": "vgg11-lrn",
    "vgg-b": "vgg13",
    "vgg-c": "vgg16-1x1",
    "vgg-d": "vgg16",
    "vgg-e": "vgg19",
}


def names() -> tuple[str, ...]:
    """Return every listed name, family by family."""
    return tuple(name for family in FAMILIES for name in family.names)


def canonical(name: str) -> str:
    """Return a name in the zoo's spelling: lower case, ``-`` for ``_``, an alias by what it stands for."""
    plain = name.lower().replace("_", "-")
    return ALIASES.get(plain, plain)


def find(name: str) -> ModelCard:
    """Return the card of a model; raise ``UsageError`` with the nearest names, or the family's rule, if there is none."""
    wanted = canonical(name)
    for family in FAMILIES:
        if wanted in family.names:
            return _card(family, wanted)
    for family in FAMILIES:
        if wanted.startswith(family.prefixes or ("\0",)):
            return _card(family, wanted)
    raise unknown("model", name, (*names(), *ALIASES), listing="'cnnstat list' shows all")


def _card(family: Family, name: str) -> ModelCard:
    found = import_module(f"cnnstat.zoo.{family.module}").card(name)
    if not isinstance(found, ModelCard):
        raise TypeError(f"cnnstat.zoo.{family.module}.card({name!r}) returned no card")
    return found
