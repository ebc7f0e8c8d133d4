"""Recurrent layers: LSTM, GRU and the plain recurrent net."""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from cnnstat.ir.op import Op, OpError, Specs, Weight
from cnnstat.ir.reach import AxisReach, ByAxis, Reach, Slide, so_far
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.work import Work

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
"""Matrices per direction and layer, by kind."""


@dataclass(frozen=True, slots=True)
class Recurrent(Op):
    """Layers of an LSTM, a GRU or a plain recurrent net over a sequence.

    Shape: (n, l, in), or (l, n, in) without ``batch_first`` -> the same with hidden * directions
        features; then the last hidden state, (layers * directions, n, hidden), and for an LSTM the
        cell state alike. An LSTM with a ``projection`` p has p in the place of hidden, except in
        the cell state. Packed: (steps of all ``sequences``, in) -> (steps, hidden * directions).
    Weights: per layer and direction g*hidden*in + g*hidden*hidden, and 2*g*hidden biases, or
        g*hidden with ``single_bias``; g is 4 for an LSTM, 3 for a GRU, 1 for the plain net. With a
        projection g*hidden*in + g*hidden*p + p*hidden.
    Work: macs = n * l * the matrices; bias_adds = n * l * the biases; activations = n * l * g *
        hidden, for an LSTM one more per unit; multiplications and additions of the gates: 3 and 1
        per unit.
    Source: torch.nn.LSTM, torch.nn.GRU, torch.nn.RNN.
    """

    reads: ClassVar[tuple[int, int | None]] = (1, 3)

    is_layer: ClassVar[bool] = True
    kind: str
    hidden: int
    layers: int = 1
    directions: int = 1
    bias: bool = True
    batch_first: bool = True
    single_bias: bool = False
    """One vector of biases instead of two, as Keras stores them."""
    projection: int = 0
    sequences: int = 0
    """How many sequences of their own lengths are packed into rows; 0: they are not."""
    longest: int = 0
    """How many of the packed sequences are as long as the longest; 0: it is not known."""

    def __post_init__(self) -> None:
        if self.kind not in GATES:
            raise OpError(f"kind (={self.kind!r}) must be one of {', '.join(GATES)}")
        if min(self.hidden, self.layers) < 1 or self.directions not in (1, 2):
            raise OpError("hidden and layers must be at least 1, directions 1 or 2")
        if self.projection and not (self.kind == "LSTM" and 0 < self.projection < self.hidden):
            raise OpError(f"projection (={self.projection}) must be less than an LSTM's hidden")

    @property
    def type_name(self) -> str:
        """The kind."""
        return self.kind

    @property
    def detail(self) -> str:
        """Return units, layers and directions."""
        both = " both ways" if self.directions == 2 else ""
        return f"{self.hidden} units x {self.layers}{both}"

    def infer(self, inputs: Specs) -> Specs:
        """Return the sequence and the final states."""
        if not inputs or inputs[0].rank != (2 if self.sequences else 3):
            raise OpError("it needs 3 axes (batch, length, features), packed 2 (steps, features)")
        shape, dtype = inputs[0].shape, inputs[0].dtype
        n = self.sequences or (shape[0] if self.batch_first else shape[1])
        out = TensorSpec((*shape[:-1], self._shown * self.directions), dtype)
        state = TensorSpec((self.layers * self.directions, n, self._shown), dtype)
        cell = TensorSpec((self.layers * self.directions, n, self.hidden), dtype)
        return (out, state, cell) if self.kind == "LSTM" else (out, state)

    @property
    def _shown(self) -> int:
        """Features of a direction's result."""
        return self.projection or self.hidden

    def weights(self, inputs: Specs) -> tuple[Weight, ...]:
        """Return the matrices and biases, layer by layer, direction by direction."""
        rows = GATES[self.kind] * self.hidden
        features = inputs[0].shape[-1]
        stored = []
        for layer in range(self.layers):
            width = features if layer == 0 else self._shown * self.directions
            for way in range(self.directions):
                end = f"l{layer}" + ("_reverse" if way else "")
                stored.append(Weight(f"weight_ih_{end}", (rows, width)))
                stored.append(Weight(f"weight_hh_{end}", (rows, self._shown)))
                if self.bias:
                    stored.append(Weight(f"bias_ih_{end}", (rows,), "bias"))
                    if not self.single_bias:
                        stored.append(Weight(f"bias_hh_{end}", (rows,), "bias"))
                if self.projection:
                    stored.append(Weight(f"weight_hr_{end}", (self.projection, self.hidden)))
        return tuple(stored)

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return the matrix products of every step, the gates and the biases."""
        steps = prod(inputs[0].shape[:-1])
        weights = self.weights(inputs)
        matrices = sum(w.numel for w in weights if w.role == "weight")
        biases = sum(w.numel for w in weights if w.role == "bias")
        units = self.hidden * self.layers * self.directions
        gated = self.kind != "RNN"
        return Work(
            macs=steps * matrices,
            bias_adds=steps * biases,
            activations=steps * units * (GATES[self.kind] + (self.kind == "LSTM")),
            multiplications=3 * steps * units if gated else 0,
            additions=steps * units * (1 if gated else 0),
        )

    def reach(self, inputs: Specs) -> Reach:
        """Return the steps so far (both ways: all), of all features; unknown if packed."""
        if self.sequences:  # of which step of which sequence a row is, the graph does not know
            return "unknown"
        n, length = (0, 1) if self.batch_first else (1, 0)
        axes: list[AxisReach] = [Slide(0), Slide(1), "whole"]
        steps = inputs[0].shape[length]
        axes[length] = "whole" if self.directions == 2 else so_far(length, steps)
        states: tuple[AxisReach, ...] = ("whole", Slide(n), "whole")
        return ByAxis((tuple(axes), *[states for _ in inputs[1:3]]))

    def reach_of_result(self, inputs: Specs, number: int) -> Reach:
        """Return the whole sequence for a final state."""
        if number == 0 or self.sequences:
            return self.reach(inputs)
        axes: list[AxisReach] = ["whole"] * 3
        axes[0 if self.batch_first else 1] = Slide(1)
        states: tuple[AxisReach, ...] = ("whole", Slide(1), "whole")
        return ByAxis((tuple(axes), *[states for _ in inputs[1:3]]))
