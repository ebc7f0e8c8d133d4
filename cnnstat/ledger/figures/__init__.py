"""The ledger: every published figure, one file per family, imported when asked for.

The first file of a family holds what is said of its models as a whole, and is all that a summary
needs; further files hold tables of rows.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnnstat.ledger.figure import Figure

FILES: dict[str, tuple[str, ...]] = {
    "lenet": ("lenet", "lenet_rows"),
    "alexnet": ("alexnet", "alexnet_rows"),
    "vgg": ("vgg", "vgg_rows"),
    "googlenet": ("googlenet", "googlenet_rows"),
    "resnet": ("resnet", "resnet_rows"),
    "handson": ("handson",),
    "zfnet": ("zfnet",),
    "resnet_cifar": ("resnet_cifar",),
    "preresnet": ("preresnet",),
    "stochastic_depth": ("stochastic_depth",),
    "wide_resnet": ("wide_resnet",),
    "resnext": ("resnext",),
    "fractalnet": ("fractalnet",),
    "densenet": ("densenet",),
    "mobilenet": ("mobilenet",),
    "building_blocks": ("building_blocks",),
}
"""Files of the ledger by the zoo file of the family, in historical order."""


def headlines(stem: str) -> tuple[Figure, ...]:
    """Return the figures of a family that a summary shows; none where the ledger has none."""
    files = FILES.get(stem, ())
    return tuple(figure for figure in _read(files[0]) if figure.headline) if files else ()


def figures(*stems: str) -> tuple[Figure, ...]:
    """Return every figure of these families, or of all of them."""
    files = [file for stem in stems or FILES for file in FILES.get(stem, ())]
    return tuple(figure for file in files for figure in _read(file))


def _read(file: str) -> tuple[Figure, ...]:
    found = import_module(f"cnnstat.ledger.figures.{file}").FIGURES
    if not isinstance(found, tuple):
        raise TypeError(f"cnnstat.ledger.figures.{file}.FIGURES is no tuple")
    return found
