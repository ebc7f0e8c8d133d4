"""The work of a training step: its keys in JSON, and its totals in words."""

from __future__ import annotations

from collections.abc import Iterator

from cnnstat.count.layer import Layer
from cnnstat.count.training import StepWork, Training
from cnnstat.render.numbers import count, scaled

FIELDS = {
    "input_gradient_macs": "input_gradient_macs",
    "weight_gradient_macs": "weight_gradient_macs",
    "training_macs": "macs",
    "torch_training_flops": "flop_counter",
}
"""Keys of a training step, and the figure of each."""


def layer_payload(layer: Layer) -> dict[str, object]:
    """Return the keys of a layer; null where an operator has no rule."""
    step = layer.training
    return {key: None if step is None else getattr(step, field) for key, field in FIELDS.items()}


def totals_payload(training: Training) -> dict[str, object]:
    """Return the keys of the totals, and those of an epoch where its images are known."""
    step, epoch = training.total, training.epoch
    keys: dict[str, object] = {key: getattr(step, field) for key, field in FIELDS.items()}
    if epoch is not None:
        keys |= {f"epoch_{key}": figure for key, figure in epoch._asdict().items()}
    return keys


def training_totals(training: Training, batch: int) -> Iterator[tuple[str, str, str]]:
    """Yield name, figure and definition of each total of a training step."""
    step, least = training.total, "" if training.is_complete else ">= "
    images = f"{batch:,} image{'' if batch == 1 else 's'}"
    yield (
        "training step",
        f"{least}{count(step.macs)}",
        f"{scaled(step.macs)} MACs for {images}: forward {count(step.forward_macs)} + input "
        f"gradients {count(step.input_gradient_macs)} + weight gradients "
        f"{count(step.weight_gradient_macs)}",
    )
    yield "FlopCounterMode", f"{least}{count(step.flop_counter)}", _counter(step)
    if training.epoch is not None:
        epoch = training.epoch
        words = (
            f"{scaled(epoch.macs)} MACs for {count(epoch.images)} images in "
            f"{count(epoch.steps)} steps"
        )
        yield "epoch", f"{least}{count(epoch.macs)}", words


def _counter(step: StepWork) -> str:
    """Return how PyTorch's count comes about, and why it is not twice that of the products."""
    words = "FLOPs of the forward and backward pass as PyTorch counts them"
    more = step.flop_counter - 2 * step.macs
    if more > 0:
        return (
            f"{words}: 2 per MAC, plus {count(more)} that no kernel computes (the counter "
            "multiplies weight gradients of grouped convolutions by the number of groups)"
        )
    if more < 0:
        return f"{words}: 2 per MAC, for operators with a formula"
    return f"{words}: 2 per MAC"
