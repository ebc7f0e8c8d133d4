"""Losses, and the steps of optimisers that a file holds as operators.

A loss has operations for each element, then a sum or a mean of all unless there is no reduction:
``reduction`` is PyTorch's number, 0 none, 1 the mean, 2 the sum.
"""

from __future__ import annotations

from cnnstat.ir.work import Work
from cnnstat.ops.definitions.use import Definition, Use


def _reduced(use: Use, terms: int) -> Work:
    """Return the sum of ``terms`` numbers, divided where it is a mean."""
    how, n = int(use.arguments.get("reduction", 0)), use.n
    return Work(additions=terms - n if how else 0, divisions=n if how == 1 else 0)


def _loss(**per_element: int) -> Definition:
    def definition(use: Use) -> Work:
        work = Work(**{kind: k * use.m for kind, k in per_element.items()})
        return work.plus(_reduced(use, use.m))

    return definition


def _logits(use: Use) -> Work:
    """Return max(x, 0) - x * y + log(1 + exp(-abs(x))), each weight a product more."""
    weights = sum(use.tensor(name) is not None for name in ("weight", "pos_weight"))
    each = Work(exponentials=2, comparisons=2, multiplications=1 + weights, additions=3)
    return each.times(use.m).plus(_reduced(use, use.m))


def _picked(use: Use) -> Work:
    """Return the logarithms of the right classes, weighted, with the other sign, or added up."""
    a = use.arguments
    targets = int(a.get("targets", use.numel("target")))
    weighted = targets * bool(a.get("weighted", use.tensor("weight") is not None))
    how = int(a.get("reduction", 1))
    if not how:
        return Work(multiplications=targets + weighted)
    return Work(additions=targets, divisions=1 if how == 1 else 0, multiplications=weighted)


def _softmax_and_picked(use: Use) -> Work:
    """Return the logarithm of a softmax over the classes (axis 1), and the loss of it.

    Per element an exponential and two subtractions, a logarithm per row.
    """
    rows = use.m // max(use.first.shape[1], 1)
    softmax = Work(exponentials=use.m + rows, additions=3 * use.m - rows)
    return softmax.plus(_picked(use))


def _margins(use: Use) -> Work:
    """Return, for each class of each sample, margin - x[target] + x[class], clipped, added up."""
    factors = (int(use.arguments.get("p", 1)) == 2) + (use.tensor("weight") is not None)
    rows = use.m // max(use.length(), 1)
    each = Work(additions=3, comparisons=1, multiplications=factors).times(use.m)
    return each.plus(Work(divisions=rows)).plus(_reduced(use, rows))


def _label_margins(use: Use) -> Work:
    """Return, for each pair of a label and another class, 1 - (x[label] - x[class]), clipped."""
    rows = use.m // max(use.length(), 1)
    each = Work(additions=3, comparisons=1).times(use.m * use.length())
    return each.plus(Work(divisions=rows)).plus(_reduced(use, rows))


def _alignments(use: Use) -> Work:
    """Return the forward variables of Graves et al. 2006: 2 L + 1 states at each step.

    Each is the log of a sum of three exponentials, times a probability: 3 exponentials and a
    logarithm, 2 comparisons for the largest, 3 subtractions, 2 additions and one for the product.
    """
    steps, batch = use.shape("log_probs")[0], use.n
    longest = int(use.arguments.get("longest", 0)) or use.shape("targets")[-1]
    states = steps * batch * (2 * longest + 1)
    return Work(exponentials=4 * states, comparisons=2 * states, additions=6 * states)


LOSSES: dict[str, Definition] = {
    "mse_loss": _loss(additions=1, multiplications=1),
    "l1_loss": _loss(additions=1, comparisons=1),
    "smooth_l1_loss": _loss(additions=1, comparisons=2, multiplications=1),
    "huber_loss": _loss(additions=1, comparisons=2, multiplications=1),
    "soft_margin_loss": _loss(multiplications=1, exponentials=2, additions=1),
    "binary_cross_entropy": _loss(exponentials=2, multiplications=2, additions=3),
    "binary_cross_entropy_with_logits": _logits,
    "nll_loss_forward": _picked,
    "nll_loss2d_forward": _picked,
    "softmax_cross_entropy": _softmax_and_picked,
    "multi_margin_loss": _margins,
    "multilabel_margin_loss_forward": _label_margins,
    "_ctc_loss": _alignments,
}
"""Losses by PyTorch's names of their kernels."""

CAVEATS = {"_ctc_loss": "counts every step of every sequence with as many labels as the longest"}


def _per_parameter(**counts: int) -> Definition:
    def definition(use: Use) -> Work:
        elements = sum(spec.numel for spec in use.results[: int(use.arguments["tensors"])])
        return Work(**{kind: k * elements for kind, k in counts.items()})

    return definition


OPTIMISERS: dict[str, Definition] = {
    # g = norm * x + grad; h += g * g; x -= rate * g / (sqrt(h) + eps)
    "adagrad": _per_parameter(multiplications=3, additions=4, divisions=1, exponentials=1),
    # g = norm * x + grad; v = alpha * v + beta * g; x -= rate * v
    "momentum": _per_parameter(multiplications=4, additions=3),
    # g as above; v = a * v + (1 - a) * g; h = b * h + (1 - b) * g * g;
    # x -= rate * v / (sqrt(h) + eps)
    "adam": _per_parameter(multiplications=7, additions=5, divisions=1, exponentials=1),
}
"""Operators of ai.onnx.preview.training."""
