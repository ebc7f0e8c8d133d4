"""One row of a report: the operators in it, and every figure of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cnnstat.count.figures import Figures
from cnnstat.count.formulas import activation_formula, macs_formula, params_formula
from cnnstat.ir.graph import Value, without_number
from cnnstat.ir.op import Op
from cnnstat.ir.tensor import UNKNOWN, TensorSpec

if TYPE_CHECKING:
    from cnnstat.count.receptive.field import ReceptiveField
    from cnnstat.count.report import Report
    from cnnstat.count.traffic import Traffic
    from cnnstat.count.training import StepWork


class Layer(NamedTuple):
    """One row: ``nodes`` are the operators in it, ``anchor`` the one that names it."""

    report: Report
    name: str
    anchor: int
    nodes: tuple[int, ...]
    figures: Figures
    grouped: bool = False
    """Whether the row stands for a whole module (``--depth``) and not for one layer."""

    def __repr__(self) -> str:
        macs = "? MACs" if self.macs is None else f"{self.macs:,} MACs"
        shapes = f"{', '.join(map(str, self.inputs)) or 'nothing'} -> {self.output}"
        what = " ".join(filter(None, (self.type, self.detail)))
        return f"<Layer {self.name}: {what}, {shapes}, {self.params:,} parameters, {macs}>"

    @property
    def path(self) -> str:
        """The module that the row lies in; empty at the top."""
        return self.name.rpartition("/")[0]

    @property
    def type(self) -> str:
        """The operator's name; ``Module`` for a grouped row."""
        return "Module" if self.grouped else self.report.shaped.nodes[self.anchor].op.type_name

    @property
    def is_free_function(self) -> bool:
        """Whether it is a function that a module calls, without weights and multiplications."""
        figures = self.figures
        known = self.report.shaped.graph.classes
        return bool(
            known
            and not self.grouped
            and not self.class_name
            and not (figures.unknown or figures.params or figures.buffers or figures.work.macs)
            and not any(self.report.shaped.nodes[index].op.is_input for index in self.nodes)
        )

    @property
    def class_name(self) -> str:
        """The class of the module that the row stands for; empty where it is not known."""
        classes = self.report.shaped.graph.classes
        return classes.get(self.name) or classes.get(without_number(self.name), "")

    @property
    def detail(self) -> str:
        """The anchor's hyper-parameters and what acts on its output: ``3x3 pad 1 + ReLU``."""
        nodes = self.report.shaped.nodes
        if self.grouped:
            layers = len({self.report.placement.row[index] for index in self.nodes})
            return f"{layers} layer{'s' if layers != 1 else ''}"
        return " + ".join(
            [nodes[self.anchor].op.detail, *(op.type_name for op in self.acting)]
        ).removeprefix(" + ")

    @property
    def acting(self) -> tuple[Op, ...]:
        """The operators in the row with its anchor that are worth a word.

        Of what is prepared for them, a stored tensor is, if it is not the weight of a layer.
        """
        nodes, prepared = self.report.shaped.nodes, self.report.placement.prepared
        others = [i for i in self.nodes if i != self.anchor and not nodes[i].op.quiet]
        if prepared.isdisjoint(others):
            return tuple(nodes[i].op for i in others)
        stored = [i for i in others if i in prepared and nodes[i].is_stored]
        named = () if nodes[self.anchor].op.is_layer else stored[:1]
        return tuple(nodes[i].op for i in others if i in named or i not in prepared)

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Specs that enter the row from outside it."""
        shaped, inside = self.report.shaped, set(self.nodes)
        values = dict.fromkeys(
            v for i in self.nodes for v in shaped.nodes[i].inputs if v.node not in inside
        )
        return tuple(shaped.shown(value) for value in values)

    @property
    def output(self) -> TensorSpec:
        """Spec of what leaves the row: the result of its last operator, a layer's before views."""
        shaped, last = self.report.shaped, self.nodes[-1]
        anchor = shaped.nodes[self.anchor]
        if not self.grouped and not anchor.row and anchor.op.is_layer:
            place = self.report.placement
            made = (i for i in reversed(self.nodes) if place.owns[i] and i not in place.prepared)
            last = next(made, last)
        return shaped.shown(Value(last))

    @property
    def output_without_batch(self) -> tuple[int, ...]:
        """Shape of what leaves the row, without the batch."""
        return self.without_batch(self.output)

    def without_batch(self, spec: TensorSpec) -> tuple[int, ...]:
        """Return a shape without the batch; the whole shape where the first axis is another."""
        batched = not self.report.single and spec.shape[:1] == (self.report.batch,)
        return spec.shape[1:] if batched else spec.shape

    @property
    def weights(self) -> int:
        """Multiplicative parameters."""
        return self.figures.weights

    @property
    def biases(self) -> int:
        """Additive parameters."""
        return self.figures.biases

    @property
    def params(self) -> int:
        """Weights and biases."""
        return self.figures.params

    @property
    def buffers(self) -> int:
        """Stored values that are not trained."""
        return self.figures.buffers

    @property
    def macs(self) -> int | None:
        """Multiply-accumulates; None where an operator of the row has no rule."""
        return None if self.figures.unknown else self.figures.work.macs

    @property
    def flops(self) -> int | None:
        """FLOPs; None where an operator of the row has no rule."""
        return None if self.figures.unknown else self.figures.work.flops

    @property
    def counted(self) -> int | None:
        """Work under the report's convention; None where it is unknown."""
        return None if self.figures.unknown_counted else self.figures.counted

    @property
    def activation_bytes(self) -> int:
        """Bytes of the tensors that the row makes."""
        return self.figures.activation_bytes

    @property
    def cached_activation_bytes(self) -> int:
        """The same, plus a copy of the input of each weighted layer in the row."""
        return self.figures.activation_bytes + self.figures.cached_bytes

    @property
    def traffic(self) -> Traffic:
        """Bytes that the row reads and writes, each tensor once."""
        from cnnstat.count.traffic import sum_traffic

        return sum_traffic([self.report.traffic[index] for index in self.nodes])

    @property
    def intensity(self) -> float | None:
        """FLOPs per byte of traffic; None where the FLOPs are unknown or nothing is moved."""
        flops, size = self.flops, self.traffic.total
        return None if flops is None or not size else flops / size

    @property
    def training(self) -> StepWork | None:
        """Work of a training step; None without a rule, or where it was not requested."""
        training = self.report.training
        return None if training is None else training.of(self.nodes)

    @property
    def has_all_shapes(self) -> bool:
        """Whether ``activation_bytes`` are all that the row has: the shapes are known."""
        facts = self.report.shaped.facts
        return not any(UNKNOWN in facts[index].outputs for index in self.nodes)

    @property
    def counts_all_weights(self) -> bool:
        """Whether ``weights``, ``biases`` and ``params`` are all that the row has."""
        nodes, uncounted = self.report.shaped.nodes, self.report.uncounted
        return not uncounted or uncounted.isdisjoint(nodes[index].name for index in self.nodes)

    @property
    def receptive_field(self) -> ReceptiveField | None:
        """The input elements that one element of the output reads."""
        return self.report.receptive_field(self.nodes[-1])

    @property
    def formulas(self) -> dict[str, str]:
        """Figures as products, under ``params``, ``activation`` and ``macs``."""
        shaped = self.report.shaped
        if self.grouped:
            return {}
        untied = [shaped.facts[i] for i in self.nodes if shaped.nodes[i].tied_to is None]
        anchor = shaped.facts[self.anchor]
        before = self.inputs[0].shape[1:] if self.inputs else ()
        return {
            "params": params_formula(untied, before),
            "activation": activation_formula(shaped.facts[self.nodes[-1]].outputs[0]),
            "macs": macs_formula(anchor, before) if not self.figures.unknown else "?",
        }
