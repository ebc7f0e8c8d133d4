"""One step of a mode: a function without arguments that a clock can run again and again.

Inference: the forward pass in evaluation mode under ``torch.inference_mode``. Training: gradients
cleared, forward pass in training mode, loss against random labels, backward pass, one SGD step with
momentum 0.9. Inputs and labels are random and seeded; they are made once, on the device.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from types import MappingProxyType
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from cnnstat.ir.graph import ShapedGraph
from cnnstat.ops import Softmax
from cnnstat.pytorch.device import reset_peak_memory
from cnnstat.pytorch.named import call_arguments
from cnnstat.pytorch.tensors import main_dtype, returned

Step = Callable[[], object]

LEARNING_RATE = 1e-5
"""So small that weights stay finite however often the same batch is repeated."""

MOMENTUM = 0.9
AUXILIARY_WEIGHT = 0.3
"""Weight of an auxiliary head's loss, as in "Going Deeper with Convolutions", section 5."""

CAPTURE_WARM_UP = 3
"""Steps on a side stream before a capture, so that libraries choose their kernels outside of it."""


class InOrder(nn.Module):
    """A module that takes the inputs of these names in this order, as its forward pass has them."""

    def __init__(self, inner: nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self.inner, self.names = inner, tuple(names)

    def forward(self, *inputs: torch.Tensor) -> Any:
        """Pass each input by its name."""
        named = dict(zip(self.names, inputs, strict=True))
        arguments, keywords = call_arguments(self.inner.forward, named)
        return self.inner(*arguments, **keywords)


def called_as_captured(module: nn.Module, shaped: ShapedGraph) -> nn.Module:
    """Return a module of the user's own that takes its inputs in the order of its graph's.

    The capture passes them by name where the forward pass knows all of them.
    """
    names = list(shaped.entering)
    arguments, keywords = call_arguments(module.forward, {name: name for name in names})
    return module if list(arguments) == names and not keywords else InOrder(module, names)


def take_dtype(module: nn.Module, dtype: torch.dtype) -> None:
    """Convert what a module stores in its main dtype, that of its first floating-point parameter.

    Like the capture, which leaves tensors of another dtype as they are.
    """
    main = main_dtype(module)
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.dtype == main:
            tensor.data = tensor.data.to(dtype)


def empty_inputs(shaped: ShapedGraph) -> tuple[torch.Tensor, ...]:
    """Return the inputs as empty tensors, on the current device; fake ones in a fake mode."""
    specs = shaped.entering.values()
    return tuple(torch.empty(spec.shape, dtype=getattr(torch, spec.dtype)) for spec in specs)


def random_inputs(
    shaped: ShapedGraph,
    device: torch.device,
    dtype: torch.dtype,
    *,
    seed: int,
    channels_last: bool = False,
    examples: Mapping[str, torch.Tensor] = MappingProxyType({}),
) -> tuple[torch.Tensor, ...]:
    """Return a batch for each input: its example, or standard normal; 0 or 1 for integers."""
    generator = torch.Generator().manual_seed(seed)
    batches = []
    for name, (shape, kind) in shaped.entering.items():
        if name in examples:
            batch = examples[name].to(device, getattr(torch, kind), copy=True)
        elif "float" in kind:
            batch = torch.randn(shape, generator=generator).to(device, dtype)
        else:
            batch = torch.randint(2, shape, generator=generator).to(device, getattr(torch, kind))
        if channels_last and batch.dim() == 4:
            batch = batch.contiguous(memory_format=torch.channels_last)
        batches.append(batch)
    return tuple(batches)


def inference_step(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> Step:
    """Return the forward pass in evaluation mode. The module is left in that mode."""
    module.eval()

    def step() -> object:
        with torch.inference_mode():
            return module(*inputs)

    return step


def training_step(
    module: nn.Module, inputs: tuple[torch.Tensor, ...], objective: Callable[[Any], torch.Tensor]
) -> Step:
    """Return one step of training. The module is left in training mode, with gradients."""
    module.train()
    optimizer = torch.optim.SGD(module.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)

    def step() -> object:
        optimizer.zero_grad(set_to_none=True)
        loss = objective(module(*inputs))
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return loss

    return step


def objective_for(
    shaped: ShapedGraph, device: torch.device, *, seed: int
) -> Callable[[Any], torch.Tensor]:
    """Return the loss of a model's outputs as training returns them: its own, then auxiliary heads.

    Scores of shape (n, classes) get the cross entropy to random labels: of probabilities where the
    model ends in a softmax, of logits otherwise. Other outputs get the mean of their squares.
    Auxiliary heads count ``AUXILIARY_WEIGHT``.
    """
    generator = torch.Generator().manual_seed(seed)
    own = shaped.graph.outputs
    terms: list[tuple[float, Callable[[torch.Tensor], torch.Tensor]]] = []
    for place, value in enumerate((*own, *shaped.graph.training_outputs)):
        shape = shaped.spec(value).shape
        weight = 1.0 if place < len(own) else AUXILIARY_WEIGHT
        if len(shape) != 2:
            terms.append((weight, lambda out: out.float().square().mean()))
            continue
        labels = torch.randint(shape[1], shape[:1], generator=generator).to(device)
        ends_in_softmax = isinstance(shaped.nodes[value.node].op, Softmax)
        entropy = probability_cross_entropy if ends_in_softmax else functional.cross_entropy
        terms.append((weight, partial(entropy, target=labels)))

    def objective(outputs: Any) -> torch.Tensor:
        tensors = returned(outputs, torch.Tensor)
        losses = [weight * term(out) for (weight, term), out in zip(terms, tensors, strict=True)]
        return sum(losses[1:], losses[0])

    return objective


def probability_cross_entropy(input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return -mean(log p[label]) of probabilities (n, classes), which may underflow to 0."""
    floor = torch.finfo(torch.float32).tiny
    return functional.nll_loss(input.float().clamp_min(floor).log(), target)


def captured(step: Step, device: torch.device) -> Step:
    """Return the replay of a step that was captured once into a CUDA graph.

    The peak of allocated memory counts from the capture on. A capture that fails leaves the stream
    that was current before.
    """
    current = torch.cuda.current_stream(device)
    with torch.cuda.device(device), torch.cuda.stream(current):
        side = side_stream(device)
        side.wait_stream(current)
        with torch.cuda.stream(side):
            for _ in range(CAPTURE_WARM_UP):
                step()
        current.wait_stream(side)
        reset_peak_memory(device)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=side):
            step()

    def replay(_holds: Step = step) -> None:  # inputs, labels, optimiser: the graph has addresses
        graph.replay()

    return replay


@cache
def side_stream(device: torch.device) -> torch.cuda.Stream:
    """Return the stream on which steps are warmed up and captured.

    One for each device: libraries keep a workspace for every stream that they have seen.
    """
    make: Callable[..., torch.cuda.Stream] = torch.cuda.Stream
    return make(device)
