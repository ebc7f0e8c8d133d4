"""Operators keep the arguments of the functions that they stand for, and spec files write them."""

import pytest
import torch
from torch import Tensor, nn

import cnnstat
from cnnstat import ops
from cnnstat.count.report import Report
from cnnstat.importers.spec.reading import read_text
from cnnstat.importers.spec.writing import write_shaped
from cnnstat.ir.op import Arguments, Op
from cnnstat.ir.tensor import TensorSpec


class Moved(nn.Module):
    """Views, moved elements and numbers."""

    def forward(self, x: Tensor) -> Tensor:
        y = x.permute(0, 2, 3, 1)[:, 1:, ::2].roll(3, 1)
        return torch.nn.functional.pad(y.clamp(0, 6) * 0.5 - 1, (1, 2), mode="constant")


def operators(module: nn.Module) -> list[Op]:
    report = cnnstat.analyze(module, input=(3, 8, 8)).report
    return [node.op for node in report.shaped.nodes]


def arguments(kind: str) -> Arguments:
    kinds = ops.View, ops.Rearrange, ops.Pointwise
    (operator,) = [op for op in operators(Moved()) if isinstance(op, kinds) and op.kind == kind]
    return operator.arguments


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("permute", {"dims": (0, 2, 3, 1)}),
        ("roll", {"shifts": (3,), "dims": (1,)}),
        ("clamp", {"min": 0, "max": 6}),
        ("mul", {"other": 0.5}),
        ("sub", {"other": 1}),
    ],
)
def test_arguments_of_a_module(kind: str, expected: dict[str, object]) -> None:
    assert dict(arguments(kind)) == expected


def test_a_spec_file_has_them() -> None:
    shaped = cnnstat.analyze(Moved(), input=(3, 8, 8)).report.shaped
    text = write_shaped(shaped)
    assert "arguments: {dims: [0, 2, 3, 1]}" in text
    assert "arguments: {other: 0.5}" in text
    assert [node.op for node in read_text(text).graph.nodes[1:]] == [n.op for n in shaped.nodes[1:]]


class Complex(nn.Module):
    """A convolution and a matrix of complex numbers, their product with a real one, its modulus."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, dtype=torch.complex64)
        self.fc = nn.Linear(6, 5, dtype=torch.complex64)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.fc(self.conv(x))
        return (y * 0.5 + y.conj() * y).abs()


def analyzed(module: nn.Module, name: str, *shape: int) -> Report:
    return cnnstat.analyze(module, input={name: TensorSpec(shape, "complex64")}).report


def test_complex_work_is_that_of_its_real_parts() -> None:
    report = analyzed(Complex(), "x", 3, 8, 8)
    rows = {row.name: row.figures.work for row in report.view(expand=True)}
    # three real convolutions, and what they are put together of
    assert rows["conv"].macs == 3 * 36 * 4 * 27
    assert rows["conv"].additions == 3 * 64 + 4 * 27 + 3 * 36 * 4
    assert rows["fc"].macs == 4 * 4 * 6 * 5 * 6
    numel = 4 * 6 * 5
    assert rows["mul"].flops == 2 * numel
    assert rows["mul_2"].flops == (4 + 2) * numel
    assert rows["add"].flops == 2 * numel
    assert rows["abs"].flops == (2 + 1 + 1) * numel
    assert report.status == "complete"


def test_what_nobody_defined_for_complex_numbers_is_unknown() -> None:
    report = analyzed(nn.Tanh(), "input", 4)
    assert report.status == "partial"
