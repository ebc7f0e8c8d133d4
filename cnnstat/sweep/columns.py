"""The figures of a sweep: one entry each, with how to read it from a counted model.

Each entry is the figure of the same name in ``summary`` or ``memory``; a figure that no column asks
for is not computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeVar

from cnnstat.errors import UsageError, unknown

if TYPE_CHECKING:
    from cnnstat.count.counted import Counted
    from cnnstat.memory.memory import MemoryPlan

Mode = Literal["inference", "training"]
Source = TypeVar("Source")


class Figure(NamedTuple, Generic[Source]):
    """A column of figures: its key (the unit in it), title and definition, and how to read it."""

    key: str
    title: str
    definition: str
    read: Callable[[Source], int | None]
    mode: Mode | None = None
    """The mode that alone has it."""

    @property
    def kind(self) -> Literal["count", "bytes"]:
        """Its unit."""
        return "bytes" if self.key.endswith("_bytes") else "count"


COUNTED: tuple[Figure[Counted], ...] = (
    Figure("params", "Parameters", "weights and biases", lambda c: c.totals.params),
    Figure("weights", "Weights", "multiplicative parameters", lambda c: c.totals.weights),
    Figure("biases", "Biases", "additive parameters", lambda c: c.totals.biases),
    Figure(
        "trainable_params",
        "Trainable",
        "parameters that training changes",
        lambda c: c.totals.params - c.frozen_params,
    ),
    Figure("buffers", "Buffers", "stored values that are not trained", lambda c: c.totals.buffers),
    Figure("macs", "MACs", "multiply-accumulates of a forward pass", lambda c: c.totals.macs),
    Figure(
        "flops",
        "FLOPs",
        "2 per MAC plus every other operation of the forward pass",
        lambda c: c.totals.flops,
    ),
    Figure("param_bytes", "Weights", "bytes of the parameters", lambda c: c.totals.param_bytes),
    Figure(
        "activation_bytes",
        "Activations",
        "sum of the layers' outputs, the input included",
        lambda c: c.totals.activation_bytes,
    ),
    Figure(
        "cached_activation_bytes",
        "Cached",
        "that, plus a copy of each weighted layer's input",
        lambda c: c.totals.activation_bytes + c.totals.cached_bytes,
    ),
    Figure(
        "peak_activation_bytes",
        "Peak",
        "the most bytes alive at once in the forward pass",
        lambda c: c.peak_activation_bytes,
    ),
    Figure("depth", "Depth", "weighted layers on the longest path", lambda c: c.depth),
    Figure("paths", "Paths", "distinct paths from input to output", lambda c: c.paths),
    Figure(
        "receptive_field",
        "Field",
        "input elements that an element of the last map reads, along the axis where it is largest",
        lambda c: c.receptive_field,
    ),
)
"""Figures that are read off a count."""

PLANNED: tuple[Figure[MemoryPlan], ...] = (
    Figure(
        "inference_bytes",
        "Inference",
        "what an inference pass of eager PyTorch needs, parameters included",
        lambda plan: plan.total_bytes,
        "inference",
    ),
    Figure(
        "training_bytes",
        "Training",
        "what a training step of eager PyTorch needs, parameters and optimiser state included",
        lambda plan: plan.total_bytes,
        "training",
    ),
    Figure(
        "saved_bytes",
        "Saved",
        "what the forward pass leaves for the backward pass",
        lambda plan: plan.saved_bytes,
        "training",
    ),
    Figure(
        "gradient_bytes",
        "Gradients",
        "bytes of the parameters' gradients",
        lambda plan: plan.gradient_bytes,
        "training",
    ),
    Figure(
        "optimizer_bytes",
        "Optimiser",
        "bytes of the optimiser's state",
        lambda plan: plan.optimizer_bytes,
        "training",
    ),
    Figure(
        "peak_live_bytes",
        "Pass",
        "the most bytes alive at once in the passes, parameters left out",
        lambda plan: plan.peak.bytes,
    ),
)
"""Figures that are read off a memory plan."""

FIGURES: tuple[Figure[Any], ...] = (*COUNTED, *PLANNED)
BY_KEY = {figure.key: figure for figure in FIGURES}
DEFAULT = ("params", "macs", "activation_bytes", "peak_activation_bytes", "depth")
DEFAULT_TRAINING = (*DEFAULT, "training_bytes")


def check_mode(keys: Iterable[str], mode: Mode) -> None:
    """Raise ``UsageError`` for a figure that the mode does not have."""
    for key in keys:
        figure = BY_KEY.get(key)
        if figure is not None and figure.mode not in (None, mode):
            raise UsageError(f"column {key}: {mode} has none; add --mode {figure.mode}")


def chosen(text: str | None, mode: Mode) -> tuple[str, ...]:
    """Return the keys that ``--columns`` names: ``a,b``, ``+a,b`` for more, ``all``.

    Raises ``UsageError`` for an unknown key with the nearest ones, and for one of another mode.
    """
    default = DEFAULT_TRAINING if mode == "training" else DEFAULT
    if text is None:
        return default
    if text.strip() == "all":
        return tuple(key for key, figure in BY_KEY.items() if figure.mode in (None, mode))
    plus = text.strip().startswith("+")
    keys = [key.strip().replace("-", "_") for key in text.strip().removeprefix("+").split(",")]
    for key in keys:
        if key not in BY_KEY:
            raise unknown("column", key, BY_KEY)
    check_mode(keys, mode)
    return tuple(dict.fromkeys([*(default if plus else ()), *keys]))
