"""cnnstat: every layer, parameter, byte and operation of a convolutional network, and their origin.

``load``, ``analyze``, ``compare`` and ``build`` are imported when first used: start-up time is a
feature.
"""

TYPE_CHECKING = False  # importing typing would take longer than this file; checkers know the name
if TYPE_CHECKING:
    from cnnstat.api import analyze, build, compare, load

__version__ = "0.1.0"
__all__ = ["__version__", "analyze", "build", "compare", "load"]


def __getattr__(name: str) -> object:
    """Return a public function of ``cnnstat.api``."""
    if name not in __all__:
        raise AttributeError(f"module 'cnnstat' has no attribute {name!r}")
    from cnnstat import api

    return getattr(api, name)


def __dir__() -> list[str]:
    """Return the public names, those that are not imported yet among them."""
    return sorted({*globals(), *__all__})
