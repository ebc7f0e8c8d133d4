"""Every operator written to ONNX: it computes what PyTorch computes and reads back to its counts.

What is refused, and what is not run, is a ``Limitation`` with its reason.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import pytest

from cnnstat import api, ops
from cnnstat.errors import CnnstatError, ModelError
from cnnstat.importers.onnx.emit.maps import LOST, NONLINEARITIES, POINTWISE
from cnnstat.importers.onnx.emit.reductions import REDUCERS, RESIZING, SPECIAL
from cnnstat.importers.onnx.emitters import EMITTERS, REFUSED
from cnnstat.importers.onnx.writing import onnx_blocks
from cnnstat.ir.op import Op
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ops import pointwise, reduction
from cnnstat.pytorch.general import POINTWISE as RUNNABLE
from tests.cases import CASES, Case
from tests.importers.onnx_running import Both, written


class Limitation(NamedTuple):
    """Cases that something does not hold for, and why; of refused ones, what the error says."""

    why: str
    cases: Callable[[Case], bool]


TRANSPOSED = (ops.ConvTranspose1d, ops.ConvTranspose2d, ops.ConvTranspose3d)
MAX_POOLS = (ops.MaxPool1d, ops.MaxPool2d, ops.MaxPool3d)
AVG_POOLS = (ops.AvgPool1d, ops.AvgPool2d, ops.AvgPool3d)
ADAPTIVE_AVG_POOLS = (ops.AdaptiveAvgPool1d, ops.AdaptiveAvgPool2d, ops.AdaptiveAvgPool3d)
ADAPTIVE_MAX_POOLS = (ops.AdaptiveMaxPool1d, ops.AdaptiveMaxPool2d, ops.AdaptiveMaxPool3d)
ADAPTIVE_POOLS = ADAPTIVE_AVG_POOLS + ADAPTIVE_MAX_POOLS


def uneven(case: Case) -> bool:
    if not isinstance(case.op, ADAPTIVE_POOLS):
        return False
    wanted = case.op.output_size
    axes = zip(case.inputs[0].shape[2:], wanted, strict=True)
    return set(wanted) != {1} and any(n % out for n, out in axes)


def beside_the_map(case: Case) -> bool:
    if not isinstance(case.op, MAX_POOLS):
        return False
    windows = zip(case.op.windows(case.inputs[0].shape[2:]), case.op.kernel, strict=True)
    return any(max(w.before, w.after) >= k for w, k in windows)


def reduces(*kinds: str) -> Callable[[Case], bool]:
    return lambda case: isinstance(case.op, ops.Reduce) and case.op.kind in kinds


def dtypes(*names: str) -> Callable[[Case], bool]:
    return lambda case: not {spec.dtype for spec in case.inputs}.isdisjoint(names)


REFUSES = (
    Limitation("do not divide evenly by", uneven),
    Limitation("runtimes take no padding as long as the kernel", beside_the_map),
    Limitation("ONNX has no such operator", lambda case: isinstance(case.op, ops.WeightNorm)),
    Limitation("from opset 18 on", lambda case: isinstance(case.op, ops.Fold)),
    Limitation("ONNX has no running product", reduces("cumprod")),
    Limitation(
        r"opset 17 says .* unsupported type: tensor\(bfloat16\)",
        lambda case: isinstance(case.op, ops.Conv2d) and dtypes("bfloat16")(case),
    ),
)
NOT_RUN = (
    Limitation("ONNX Runtime has no such kernels", dtypes("bfloat16", "float16", "float64")),
    Limitation(
        "an unpooling's indices come from a pooling: zfnet-deconv has both",
        lambda case: isinstance(case.op, ops.MaxUnpool2d),
    ),
)
PER_TENSOR = Limitation(
    "max-pooling's indices: ONNX counts them over the whole tensor, PyTorch in each map",
    lambda case: isinstance(case.op, MAX_POOLS),
)
NOT_COUNTED = Limitation(
    "the tensor that gives an unpooling its size is known by its pooling alone",
    lambda case: isinstance(case.op, ops.MaxUnpool2d) and len(case.inputs) > 2,
)
SPLIT = ("remainder", "floor_divide", "addcmul", "addcdiv", "lerp", "rsqrt")
IN_PARTS = (
    Limitation(
        "opset 17 has no such operator and its parts are no one's alone",
        lambda case: (
            isinstance(case.op, ops.ConnectedConv2d | ops.RBF | ops.DropPath | ops.ZeroPadShortcut)
            or (isinstance(case.op, ops.BatchNorm2d) and not case.op.tracked)
            or (isinstance(case.op, ops.Pointwise) and case.op.kind in SPLIT)
        ),
    ),
    Limitation(
        "ONNX has no truth values to compare, no variance, and no two results of a reduction",
        lambda case: (
            reduces("var", "std", "any", "all")(case)
            or (isinstance(case.op, ops.Reduce) and case.op.with_indices)
        ),
    ),
    Limitation(
        "ONNX's recurrent layers are one layer each, over (length, batch, features)",
        lambda case: isinstance(case.op, ops.Recurrent),
    ),
)
OTHERWISE = (
    Limitation(
        "ONNX's numbers have 32 bits and LeNet's 2/3 has more",
        lambda case: isinstance(case.op, ops.ScaledTanh),
    ),
    Limitation(
        "a pooling to one element is global, one that divides evenly has a window",
        lambda case: isinstance(case.op, ADAPTIVE_AVG_POOLS + ADAPTIVE_MAX_POOLS),
    ),
    Limitation(
        "windows that overhang are padded for, since ceil_mode is not the same everywhere",
        lambda case: isinstance(case.op, MAX_POOLS + AVG_POOLS) and case.op.ceil_mode,
    ),
    Limitation(
        "asked extents and uneven padding are output padding and pads",
        lambda case: (
            isinstance(case.op, TRANSPOSED)
            or (isinstance(case.op, (ops.Conv2d, *MAX_POOLS)) and case.op.padding == "same")
        ),
    ),
    Limitation(
        "what acts in training alone, or stands for nothing, is not in the file",
        lambda case: isinstance(case.op, ops.FractalJoin | ops.LayerNorm),
    ),
    Limitation(
        "ONNX has no beta, and clips for many reasons",
        lambda case: (
            isinstance(case.op, ops.Nonlinearity)
            and case.op.kind in ("Softplus", "Hardtanh")
            and len(case.op.numbers) > 0
        ),
    ),
    Limitation(
        "a vector flattened, and a difference turned round, are their own twins",
        lambda case: (
            isinstance(case.op, ops.Flatten)
            or (isinstance(case.op, ops.Pointwise) and case.op.kind == "rsub")
        ),
    ),
)
"""Uses that read back as another operator, or another form of it, that means the same."""

each_case = pytest.mark.parametrize(
    "case",
    [case for case in CASES if not case.op.is_input],
    ids=lambda case: f"{CASES.index(case)}-{case.id}",
)


def met(limitations: tuple[Limitation, ...], case: Case) -> list[str]:
    return [each.why for each in limitations if each.cases(case)]


@each_case
def test_computes_the_same_for_its_batch_and_for_another(case: Case, tmp_path: Path) -> None:
    shaped = case.shaped()
    if met(NOT_RUN, case) or met(REFUSES, case):
        return
    both = Both(shaped, tmp_path / "op.onnx")
    for specs in filter(None, (both.specs, larger(case))):
        for number, (found, expected) in enumerate(both.run(specs)):
            assert found.shape == expected.shape
            assert found.dtype == expected.dtype
            if not (number and PER_TENSOR.cases(case)):
                np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def larger(case: Case) -> dict[str, TensorSpec] | None:
    """Return inputs with one more in the batch, None where the operator's weights forbid it."""
    batch = case.inputs[0].shape[0]
    specs = tuple(
        TensorSpec((batch + 1, *spec.shape[1:]), spec.dtype) if spec.shape[0] == batch else spec
        for spec in case.inputs
    )
    try:
        made = Case(case.op, specs).shaped().facts[-1]
    except CnnstatError:
        return None
    if made.weights != case.shaped().facts[-1].weights:
        return None
    return {f"x{number}": spec for number, spec in enumerate(specs)}


@each_case
def test_reads_back_to_equal_counts(case: Case, tmp_path: Path) -> None:
    shaped = case.shaped()
    refused = met(REFUSES, case)
    if refused:
        with pytest.raises(ModelError, match=refused[0]) as raised:
            onnx_blocks(shaped)
        assert str(raised.value).startswith(f"{type(case.op).__name__}: op: the operator ")
        assert "\n" not in str(raised.value)
        return
    path = written(shaped, tmp_path / "op.onnx")
    onnx.checker.check_model(path, full_check=True)
    report = api.analyze(path, batch=case.inputs[0].shape[0])
    weights, work = shaped.facts[-1].weights, shaped.facts[-1].work
    assert work is not None
    assert (report.status == "complete") != NOT_COUNTED.cases(case)
    assert report.totals.params == sum(w.numel for w in weights if w.role != "buffer")
    assert report.totals.buffers == sum(w.numel for w in weights if w.role == "buffer")
    assert report.totals.macs == work.macs
    back = [node.op for node in report.shaped.nodes if not enters(node.op)]
    limited = met((*IN_PARTS, *OTHERWISE, NOT_COUNTED), case)
    assert back == [case.op] or limited


def enters(op: Op) -> bool:
    """Return whether an operator is an input, of the first one's batch or of another."""
    return op.is_input or (isinstance(op, ops.Rearrange) and op.kind == "input")


# -- completeness ---------------------------------------------------------------------------------


@pytest.mark.parametrize("op", ops.ALL_OPS, ids=lambda op: op.__name__)
def test_every_operator_is_written_or_refused_with_a_reason(op: type[Op]) -> None:
    assert (op in EMITTERS) + (op in REFUSED) + op.is_input == 1


def test_the_tables_have_no_other_lines() -> None:
    assert {*EMITTERS, *REFUSED} <= set(ops.ALL_OPS)


def test_every_kind_is_written_or_refused() -> None:
    assert set(NONLINEARITIES) == set(pointwise.NONLINEARITIES)
    assert set(REDUCERS) | set(SPECIAL) == set(reduction.REDUCTIONS)
    assert {*RESIZING, "area"} == set(reduction.TAPS_PER_AXIS)
    assert set(POINTWISE) == set(RUNNABLE)
    assert {kind for kind, _ in POINTWISE} | set(LOST) == set(pointwise.POINTWISE)


@pytest.mark.parametrize("limitation", [*REFUSES, *NOT_RUN, NOT_COUNTED, *IN_PARTS, *OTHERWISE])
def test_every_limitation_has_a_case(limitation: Limitation) -> None:
    assert any(limitation.cases(case) for case in CASES)
