"""cnnstat: parameters, memory and operations of convolutional networks, layer by layer.

``load``, ``analyze``, ``compare``, ``build`` and ``sweep`` are imported when first used: start-up
time is a feature.
"""

import sys

TYPE_CHECKING = False  # importing typing would take longer than this file; checkers know the name
if TYPE_CHECKING:
    from cnnstat.api import analyze, build, compare, load
    from cnnstat.api.sweeping import sweep
    from cnnstat.count.userrules import register

__version__ = "0.1.0"
__all__ = ["__version__", "analyze", "build", "compare", "load", "register", "sweep"]


def __getattr__(name: str) -> object:
    """Return a public function of ``cnnstat.api``."""
    if name not in __all__:
        raise AttributeError(f"module 'cnnstat' has no attribute {name!r}")
    if name == "register":
        from cnnstat.count.userrules import register

        return register
    from cnnstat import api

    if name == "sweep":  # its imports are those of no other function
        from cnnstat.api import sweeping

        return sweeping.sweep
    return getattr(api, name)


def __dir__() -> list[str]:
    """Return the public names."""
    return __all__


class _Package(type(sys)):  # type: ignore[misc]
    """The package ``cnnstat``, whose ``sweep`` is the function, not the package of that name.

    Importing ``cnnstat.sweep`` would put the package into the attribute. It stays importable:
    ``from cnnstat.sweep.space import Space``.
    """

    @property
    def sweep(self) -> object:
        """The function of ``cnnstat.api.sweeping``."""
        return __getattr__("sweep")

    @sweep.setter
    def sweep(self, package: object) -> None:
        """Take no notice of the package."""


sys.modules[__name__].__class__ = _Package
