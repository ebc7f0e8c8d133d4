"""Uses of every operator, declared once: each oracle and each property runs over all of them.

A case is an operator and the specs that enter it, the batch included. Extents are small, odd and
unequal where that can tell one axis from the other.
"""

from dataclasses import dataclass

from cnnstat import ops
from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import ShapedGraph
from cnnstat.ir.op import Op
from cnnstat.ir.shapes import infer_shapes
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ops.pointwise import NONLINEARITIES
from cnnstat.ops.reduction import REDUCTIONS as REDUCTION_KINDS
from cnnstat.pytorch.modules import POINTWISE

# LeNet-5, table I of LeCun et al. 1998, cut down to rows of three different lengths, not in order
# of length.
TABLE = ((0, 1, 2), (0, 1, 2, 3), (1, 2, 3), (0, 1, 2, 3, 4, 5), (2, 3, 4, 5), (0, 3))


@dataclass(frozen=True)
class Case:
    """One use of one operator."""

    op: Op
    inputs: tuple[TensorSpec, ...]

    @property
    def id(self) -> str:
        shapes = "+".join(f"{spec}{_suffix(spec)}" for spec in self.inputs)
        return f"{type(self.op).__name__}({self.op.detail})[{shapes}]"

    def shaped(self) -> ShapedGraph:
        """A graph of the operator alone."""
        b = Builder(type(self.op).__name__)
        entering = [
            b.add(f"x{number}", ops.Input(spec.shape[1:], spec.dtype))
            for number, spec in enumerate(self.inputs)
        ]
        first = b.add("op", self.op, *entering)
        results = range(len(self.op.infer(self.inputs)))
        graph = b.graph(*[b.result(first, number) for number in results])
        specs = {f"x{number}": spec for number, spec in enumerate(self.inputs)}
        return infer_shapes(graph, specs)


def _suffix(spec: TensorSpec) -> str:
    return "" if spec.dtype == "float32" else f":{spec.dtype}"


def case(op: Op, *shapes: tuple[int, ...], dtype: str = "float32") -> Case:
    return Case(op, tuple(TensorSpec(shape, dtype) for shape in shapes))


def unpool(op: Op, *shapes: tuple[int, ...]) -> Case:
    """Values, their indices, and the tensor that gives the size where there is one."""
    kinds = ("float32", "int64", "float32")
    return Case(op, tuple(TensorSpec(s, k) for s, k in zip(shapes, kinds, strict=False)))


CONVOLUTIONS = (
    case(ops.Conv1d(8, (3,)), (1, 4, 17)),
    case(ops.Conv1d(8, (5,), (2,), (2,), (2,), 4, False), (3, 4, 31)),
    case(ops.Conv1d(6, (4,), (3,), "same"), (2, 3, 20)),
    case(ops.Conv2d(16, (3, 3)), (1, 3, 11, 13)),
    case(ops.Conv2d(16, (3, 3), padding=(1, 1)), (4, 3, 11, 13)),
    case(ops.Conv2d(16, (7, 7), (2, 2), (3, 3), bias=False), (1, 3, 33, 29)),
    case(ops.Conv2d(8, (1, 1)), (2, 12, 5, 7)),
    case(ops.Conv2d(8, (1, 1), (2, 2)), (1, 12, 7, 6)),
    case(ops.Conv2d(10, (1, 7), padding=(0, 3)), (1, 6, 9, 9)),
    case(ops.Conv2d(10, (5, 3), (3, 2), (2, 1), (1, 2)), (1, 6, 23, 19)),
    case(ops.Conv2d(12, (3, 3), dilation=(3, 2)), (1, 4, 15, 15)),
    case(ops.Conv2d(12, (3, 3), padding=(1, 1), groups=4), (1, 8, 9, 9)),
    case(ops.Conv2d(8, (3, 3), padding=(1, 1), groups=8, bias=False), (1, 8, 9, 9)),
    case(ops.Conv2d(16, (3, 3), padding=(1, 1), groups=8), (2, 8, 9, 9)),
    case(ops.Conv2d(6, (3, 3), padding="same"), (1, 3, 10, 9)),
    case(ops.Conv2d(6, (4, 2), padding="same"), (1, 3, 10, 9)),
    case(ops.Conv2d(6, (3, 3), (2, 2), "same"), (1, 3, 10, 9)),
    case(ops.Conv2d(6, (5, 4), (3, 2), "same", (1, 2)), (2, 3, 16, 11)),
    case(ops.Conv2d(6, (1, 1), (2, 2), "same"), (1, 3, 8, 8)),
    case(ops.Conv2d(6, (3, 3), padding=(1, 1)), (1, 3, 8, 8), dtype="float16"),
    case(ops.Conv2d(6, (3, 3), padding=(1, 1)), (1, 3, 8, 8), dtype="bfloat16"),
    case(ops.Conv2d(6, (3, 3), padding=(1, 1)), (1, 3, 8, 8), dtype="float64"),
    case(ops.Conv2d(6, (3, 3), (2, 2), ((0, 1), (2, 0))), (1, 3, 10, 9)),
    case(ops.Conv1d(6, (4,), padding=((3, 0),)), (2, 3, 20)),
    case(ops.Conv3d(4, (3, 3, 3)), (1, 2, 6, 7, 8)),
    case(ops.Conv3d(4, (1, 3, 2), (1, 2, 2), (0, 1, 0), (1, 1, 2), 2, False), (2, 2, 6, 7, 8)),
    case(ops.Conv3d(4, (2, 3, 4), (2, 2, 2), "same"), (1, 2, 5, 7, 8)),
    case(ops.ConnectedConv2d(TABLE, (5, 5)), (1, 6, 14, 14)),
    case(ops.ConnectedConv2d(TABLE, (3, 2)), (3, 7, 9, 8)),
    case(ops.ConvTranspose1d(6, (4,), (2,), (1,)), (2, 4, 9)),
    case(ops.ConvTranspose1d(6, (3,), (3,), (1,), (2,), (1,), 2, False), (1, 4, 9)),
    case(ops.ConvTranspose1d(3, (7,), (2,)), (1, 8, 5), (1, 3, 16)),
    case(ops.ConvTranspose3d(6, (2, 2, 2), (2, 2, 2)), (1, 4, 3, 5, 4)),
    case(
        ops.ConvTranspose3d(6, (3, 2, 1), (2, 2, 3), (1, 0, 0), (2, 1, 1), (1, 0, 2), 2, False),
        (2, 4, 3, 5, 4),
    ),
    case(ops.ConvTranspose3d(3, (3, 3, 3), (2, 2, 2)), (1, 2, 3, 4, 2), (1, 1, 8, 9, 5)),
    case(ops.ConvTranspose2d(6, (3, 3)), (1, 4, 5, 7)),
    case(ops.ConvTranspose2d(6, (4, 4), (2, 2), (1, 1), bias=False), (2, 4, 5, 7)),
    case(ops.ConvTranspose2d(6, (3, 3), (2, 2), (1, 1), (1, 1), (1, 1), 2), (1, 4, 5, 7)),
    case(ops.ConvTranspose2d(6, (3, 2), (3, 2), (0, 1), (2, 1)), (1, 4, 5, 7)),
    case(ops.ConvTranspose2d(3, (7, 7), (2, 2)), (1, 8, 5, 6), (1, 3, 16, 18)),
    case(ops.ConvTranspose2d(3, (4, 3), (2, 2), ((1, 0), (0, 2))), (2, 4, 5, 6)),
    case(ops.ConvTranspose1d(3, (3,), (2,), ((0, 1),), output_padding=(1,)), (2, 4, 5)),
    case(ops.ConvTranspose2d(3, (3, 3), (2, 2), ((0, 1), 1)), (1, 4, 5, 6), (1, 3, 11, 12)),
    case(ops.ConvTranspose2d(3, (3, 3), (2, 2), (1, 1), bias=False), (2, 8, 5, 6), (2, 1, 10, 11)),
)
LAYERS = (
    case(ops.Linear(10), (1, 84)),
    case(ops.Linear(10, bias=False), (4, 84)),
    case(ops.Linear(7), (2, 5, 12)),
    case(ops.Linear(7, bias=False), (2, 5, 3, 12)),
    case(ops.Linear(10), (2, 84), dtype="float16"),
    case(ops.RBF(10), (1, 84)),
    case(ops.RBF(3), (5, 7)),
)
POOLS = (
    case(ops.MaxPool1d((3,), (2,)), (1, 4, 17)),
    case(ops.MaxPool1d((3,), (2,), (1,), ceil_mode=True), (2, 4, 16)),
    case(ops.MaxPool1d((3,), (1,), dilation=(4,)), (1, 4, 17)),
    case(ops.MaxPool1d((4,), (3,), "same"), (2, 3, 20)),
    case(ops.MaxPool1d((2,), (2,), return_indices=True), (1, 3, 9)),
    case(ops.MaxPool1d((4,), (3,), "same", return_indices=True), (2, 3, 20)),
    case(ops.MaxPool2d((2, 2), (2, 2)), (1, 3, 8, 9)),
    case(ops.MaxPool2d((3, 3), (2, 2)), (2, 3, 12, 13)),
    case(ops.MaxPool2d((3, 3), (2, 2), ceil_mode=True), (1, 3, 12, 13)),
    case(ops.MaxPool2d((3, 3), (2, 2), (1, 1)), (1, 3, 12, 13)),
    case(ops.MaxPool2d((2, 2), (2, 2), (1, 1), ceil_mode=True), (1, 3, 7, 8)),
    case(ops.MaxPool2d((2, 3), (1, 3), (0, 1), ceil_mode=True), (1, 3, 7, 11)),
    case(ops.MaxPool2d((3, 4), (2, 3), ceil_mode=True), (1, 3, 2, 2)),
    case(ops.MaxPool2d((3, 3), (1, 1), "same"), (1, 3, 7, 8)),
    case(ops.MaxPool2d((3, 2), (2, 2), "same"), (1, 3, 8, 7)),
    case(ops.MaxPool2d((2, 2), (2, 2), return_indices=True), (1, 3, 8, 9)),
    case(ops.MaxPool2d((3, 3), (2, 2), "same", return_indices=True), (2, 3, 8, 8)),
    case(ops.MaxPool2d((3, 3), (2, 2)), (1, 3, 12, 13), dtype="float16"),
    case(ops.MaxPool2d((3, 2), (2, 1), (1, 1), dilation=(2, 3)), (1, 3, 12, 13)),
    case(ops.MaxPool2d((3, 3), (2, 2), ceil_mode=True, dilation=(2, 2)), (2, 3, 12, 14)),
    case(ops.MaxPool2d((3, 3), (1, 1), "same", dilation=(2, 1)), (1, 3, 9, 8)),
    case(ops.MaxPool2d((3, 2), (2, 1), "same", dilation=(1, 3)), (1, 3, 9, 8)),
    case(ops.MaxPool2d((3, 3), (1, 1), "same", dilation=(3, 2)), (1, 3, 9, 8)),
    case(ops.MaxPool3d((2, 2, 2), (2, 2, 2)), (1, 3, 4, 6, 7)),
    case(ops.MaxPool3d((1, 3, 2), (1, 2, 2), (0, 1, 1), ceil_mode=True), (2, 3, 4, 8, 7)),
    case(ops.MaxPool3d((2, 3, 2), (1, 1, 2), dilation=(2, 1, 3)), (1, 2, 5, 6, 9)),
    case(ops.MaxPool3d((2, 3, 3), (2, 2, 2), "same"), (1, 2, 5, 6, 7)),
    case(ops.MaxPool3d((2, 2, 2), (2, 2, 2), return_indices=True), (1, 2, 4, 6, 7)),
    case(ops.MaxPool3d((2, 3, 2), (1, 2, 2), "same", return_indices=True), (2, 2, 4, 6, 7)),
    case(ops.AvgPool1d((4,), (3,)), (1, 4, 17)),
    case(ops.AvgPool1d((3,), (2,), (1,), ceil_mode=True), (2, 4, 16)),
    case(ops.AvgPool1d((3,), (1,), (1,), count_include_pad=False), (1, 4, 9)),
    case(ops.AvgPool1d((4,), (2,), "same", count_include_pad=False), (2, 3, 9)),
    case(ops.AvgPool2d((2, 2), (2, 2)), (1, 3, 8, 9)),
    case(ops.AvgPool2d((5, 5), (3, 3)), (1, 3, 14, 14)),
    case(ops.AvgPool2d((3, 3), (2, 2), (1, 1), ceil_mode=True), (1, 3, 12, 13)),
    case(ops.AvgPool2d((3, 3), (2, 2), ceil_mode=True), (1, 3, 2, 4)),
    case(ops.AvgPool2d((3, 3), (1, 1), (1, 1), count_include_pad=False), (2, 3, 6, 5)),
    case(ops.AvgPool2d((2, 3), (2, 2), "same"), (1, 3, 7, 8)),
    case(ops.AvgPool2d((3, 3), (2, 2), "same", count_include_pad=False), (1, 3, 8, 8)),
    case(ops.AvgPool2d((3, 3), (2, 2), ((0, 1), (1, 0))), (1, 3, 8, 8)),
    case(ops.AvgPool2d((3, 3), (2, 2), ((0, 1), (2, 0)), count_include_pad=False), (1, 3, 8, 8)),
    case(ops.AvgPool2d((3, 3), (2, 2), ((0, 1), (1, 0)), ceil_mode=True), (1, 3, 8, 7)),
    case(ops.AvgPool1d((4,), (2,), (2,)), (1, 3, 9)),
    case(ops.AvgPool3d((2, 2, 2), (2, 2, 2)), (1, 3, 4, 6, 7)),
    case(ops.AvgPool3d((1, 3, 2), (1, 2, 2), (0, 1, 1), ceil_mode=True), (2, 3, 4, 8, 7)),
    case(ops.AvgPool3d((3, 3, 2), (1, 1, 2), (1, 1, 0), count_include_pad=False), (1, 2, 4, 5, 6)),
    case(ops.AvgPool3d((2, 3, 3), (2, 2, 2), "same"), (2, 2, 5, 6, 7)),
    case(ops.Subsampling((2, 2)), (1, 6, 28, 28)),
    case(ops.Subsampling((2, 3)), (2, 4, 7, 10)),
    case(ops.AdaptiveAvgPool1d((1,)), (2, 8, 7)),
    case(ops.AdaptiveAvgPool1d((5,)), (1, 8, 15)),
    case(ops.AdaptiveAvgPool1d((4,)), (2, 8, 13)),
    case(ops.AdaptiveAvgPool2d((1, 1)), (1, 8, 7, 7)),
    case(ops.AdaptiveAvgPool2d((6, 6)), (1, 8, 13, 13)),
    case(ops.AdaptiveAvgPool2d((7, 7)), (2, 8, 14, 21)),
    case(ops.AdaptiveAvgPool2d((3, 5)), (1, 8, 11, 9)),
    case(ops.AdaptiveAvgPool3d((1, 1, 1)), (2, 8, 2, 7, 5)),
    case(ops.AdaptiveAvgPool3d((1, 3, 2)), (1, 8, 4, 6, 8)),
    case(ops.AdaptiveAvgPool3d((3, 2, 4)), (1, 4, 5, 7, 6)),
    case(ops.AdaptiveMaxPool1d((1,)), (1, 8, 7)),
    case(ops.AdaptiveMaxPool1d((4,)), (2, 8, 13)),
    case(ops.AdaptiveMaxPool2d((1, 1)), (1, 8, 7, 7)),
    case(ops.AdaptiveMaxPool2d((4, 3)), (2, 8, 13, 9)),
    case(ops.AdaptiveMaxPool3d((1, 1, 1)), (1, 8, 2, 7, 5)),
    case(ops.AdaptiveMaxPool3d((2, 2, 3)), (2, 4, 5, 6, 7)),
    case(ops.GlobalAvgPool2d(), (1, 8, 7, 7)),
    case(ops.GlobalAvgPool2d(), (3, 8, 5, 9)),
    unpool(ops.MaxUnpool2d((2, 2), (2, 2)), (1, 3, 4, 5), (1, 3, 4, 5)),
    unpool(ops.MaxUnpool2d((3, 3), (2, 2), (1, 1)), (2, 3, 4, 5), (2, 3, 4, 5)),
    unpool(ops.MaxUnpool2d((3, 3), (2, 2)), (1, 3, 4, 5), (1, 3, 4, 5), (1, 3, 10, 11)),
)
NORMS = (
    case(ops.BatchNorm2d(), (1, 8, 5, 7)),
    case(ops.BatchNorm2d(affine=False), (2, 8, 5, 7)),
    case(ops.BatchNorm2d(), (4, 8)),
    case(ops.BatchNorm2d(), (4, 8, 9)),
    case(ops.BatchNorm2d(), (1, 8, 3, 4, 5)),
    case(ops.BatchNorm2d(), (2, 8, 5, 7), dtype="bfloat16"),
    case(ops.LocalResponseNorm(), (1, 8, 5, 7)),
    case(ops.LocalResponseNorm(3, 1e-3, 0.5, 1.0), (2, 4, 5, 7)),
)
ELEMENTWISE = tuple(
    case(op, *shapes)
    for op in (
        ops.ReLU(),
        ops.Tanh(),
        ops.ScaledTanh(),
        ops.Sigmoid(),
        ops.Softmax(),
        ops.LogSoftmax(),
        ops.Dropout(),
        ops.Dropout(0.2),
        ops.DropPath(0.5),
        ops.DropPath(1.0),
    )
    for shapes in (((1, 8, 5, 7),), ((3, 10),))
)
MERGES = (
    case(ops.Input((3, 8, 8))),
    case(ops.Input((7,))),
    case(ops.Softmax(1), (2, 3, 4, 5)),
    case(ops.LogSoftmax(2), (2, 3, 4, 5)),
    case(ops.Add(), (2, 3, 4, 5), (2, 3, 4, 5)),
    case(ops.Add(), (1, 7), (1, 7), (1, 7)),
    case(ops.FractalJoin(), (2, 3, 4, 5), (2, 3, 4, 5)),
    case(ops.FractalJoin(0.15), (1, 3, 4, 5), (1, 3, 4, 5), (1, 3, 4, 5)),
    case(ops.Concat(), (2, 3, 4, 5), (2, 6, 4, 5)),
    case(ops.Concat(), (1, 3, 4, 5), (1, 1, 4, 5), (1, 2, 4, 5), (1, 8, 4, 5)),
    case(ops.Concat(-1), (1, 3, 4, 5), (1, 3, 4, 2)),
    case(ops.Concat(), (1, 3, 4, 5)),
    case(ops.Flatten(), (2, 3, 4, 5)),
    case(ops.Flatten(), (2, 7)),
    case(ops.ZeroPadShortcut(16), (1, 16, 5, 7)),
    case(ops.ZeroPadShortcut(16, 2), (2, 8, 5, 8)),
)
GENERAL_NORMS = (
    case(ops.BatchNorm2d(tracked=False), (2, 8, 5, 7)),
    case(ops.BatchNorm2d(affine=False, tracked=False), (4, 8, 9)),
    case(ops.LayerNorm(), (2, 5, 12)),
    case(ops.LayerNorm(2), (2, 3, 5, 12)),
    case(ops.LayerNorm(1, True, False), (2, 5, 12)),
    case(ops.LayerNorm(1, False), (2, 5, 12)),
    case(ops.WeightNorm(), (8, 3, 3, 3), (8, 1, 1, 1)),
    case(ops.WeightNorm(2), (4, 6, 5), (1, 1, 5)),
    case(ops.RMSNorm(), (2, 5, 12)),
    case(ops.RMSNorm(2, False), (2, 5, 12)),
    case(ops.GroupNorm(4), (2, 8, 5, 7)),
    case(ops.GroupNorm(1, False), (2, 8, 5)),
    case(ops.InstanceNorm(), (2, 8, 5, 7)),
    case(ops.InstanceNorm(affine=True), (2, 8, 5)),
    case(ops.InstanceNorm(affine=True), (1, 4, 3, 5, 2)),
    case(ops.BatchNorm2d(eps=0.1), (2, 8, 5, 7)),
    case(ops.BatchNorm2d(tracked=False, eps=0.1), (2, 8, 5, 7)),
    case(ops.LayerNorm(eps=0.1), (2, 5, 12)),
    case(ops.RMSNorm(eps=0.1), (2, 5, 12)),
    case(ops.GroupNorm(4, eps=0.1), (2, 8, 5, 7)),
    case(ops.InstanceNorm(eps=0.1), (2, 8, 5, 7)),
)
ARITHMETIC = (
    *(case(ops.Nonlinearity(kind), (2, 8, 5, 7)) for kind in NONLINEARITIES),
    case(ops.Nonlinearity("LeakyReLU", (0.2,)), (2, 8, 5, 7)),
    case(ops.Nonlinearity("ELU", (0.5,)), (2, 8, 5, 7)),
    case(ops.Nonlinearity("CELU", (0.5,)), (2, 8, 5, 7)),
    case(ops.Nonlinearity("Softplus", (2.0,)), (2, 8, 5, 7)),
    case(ops.Nonlinearity("Hardtanh", (-0.5, 2.0)), (2, 8, 5, 7)),
    case(ops.Nonlinearity("Hardshrink", (0.2,)), (2, 8, 5, 7)),
    case(ops.Nonlinearity("Threshold", (0.1, 2.0)), (2, 8, 5, 7)),
    case(ops.PReLU(), (2, 8, 5, 7)),
    case(ops.PReLU(8), (2, 8, 5, 7)),
    *(
        case(ops.Pointwise(kind), *[(2, 8, 5, 7), (8, 1, 7), (1,)][:tensors])
        for kind, tensors in POINTWISE
        if kind != "where"
    ),
    Case(
        ops.Pointwise("where", "float32"),
        (TensorSpec((2, 1, 5), "bool"), TensorSpec((2, 3, 5)), TensorSpec((3, 1))),
    ),
    case(ops.MatMul(), (3, 4), (4, 5)),
    case(ops.MatMul(), (2, 3, 4), (2, 4, 5)),
    case(ops.MatMul(), (2, 6, 3, 4), (6, 4, 5)),
    case(ops.MatMul(), (3, 4), (4, 5), (5,)),
    case(ops.Attention(), (2, 3, 7, 4), (2, 3, 5, 4), (2, 3, 5, 6)),
    case(ops.Attention(), (2, 3, 7, 4), (2, 3, 5, 4), (2, 3, 5, 4), (7, 5)),
)
REDUCTIONS = (
    *(
        case(ops.Reduce(kind, (1,)), (2, 8, 5, 7))
        for kind in REDUCTION_KINDS
        if kind not in ("any", "all")
    ),
    *(
        case(ops.Reduce(kind, (2, -1), True), (2, 8, 5, 7))
        for kind in ("sum", "mean", "max", "var")
    ),
    case(ops.Reduce("mean"), (2, 8, 5, 7)),
    case(ops.Reduce("max", (1,), False, True), (2, 8, 5, 7)),
    case(ops.Reduce("min", (-1,), True, True), (2, 8, 5, 7)),
    *(case(ops.Reduce(kind, (1,)), (2, 8, 5), dtype="bool") for kind in ("any", "all")),
    case(ops.Fold((6, 9), (3, 3), padding=(1, 1)), (2, 36, 54)),
    case(ops.Fold((6, 9), (2, 3), (2, 3)), (1, 12, 9)),
    case(ops.Fold((6, 9), (3, 2), (1, 2), (1, 0), (2, 1)), (2, 12, 16)),
    case(ops.Interpolate((10, 13)), (2, 3, 5, 7)),
    case(ops.Interpolate((10, 13), "linear"), (2, 3, 5, 7)),
    case(ops.Interpolate((10, 13), "bicubic"), (2, 3, 5, 7)),
    case(ops.Interpolate((9,), "linear"), (2, 3, 5)),
    case(ops.Interpolate((4, 6, 5), "linear"), (2, 3, 2, 4, 5)),
)
SEQUENCES = (
    case(ops.Embedding(20, 6), (2, 5), dtype="int64"),
    case(ops.Recurrent("LSTM", 6), (2, 5, 4)),
    case(ops.Recurrent("LSTM", 6, 2, 2, False, False), (5, 2, 4)),
    case(ops.Recurrent("LSTM", 6, 2, 2, projection=3), (2, 5, 4)),
    case(ops.Recurrent("GRU", 6, 2), (2, 5, 4)),
    case(ops.Recurrent("GRU", 6, 1, 2), (2, 5, 4)),
    case(ops.Recurrent("RNN", 6, 3, 2, False), (2, 5, 4)),
)
CASES: tuple[Case, ...] = (
    *(*CONVOLUTIONS, *LAYERS, *POOLS, *NORMS, *ELEMENTWISE, *MERGES),
    *(*GENERAL_NORMS, *ARITHMETIC, *REDUCTIONS, *SEQUENCES),
)
"""Every case; an operator without one fails a test, unless it cannot be built at all."""
