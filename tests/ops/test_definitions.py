"""Every definition of work, on small tensors, as the sum of what it does."""

from typing import Any, NamedTuple

import pytest

from cnnstat.ir.op import OpError
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.work import NO_WORK, Work
from cnnstat.ops import Function
from cnnstat.ops.definitions import CAVEATS, DEFINITIONS
from cnnstat.ops.definitions.elementwise import COMPARISONS, EXPONENTIALS, WHOLE_NUMBERS

N = 2 * 6 * 8
X = (2, 6, 8)
MAPS = (2, 3, 4, 5)
SQUARE = (2, 4, 4)


class Case(NamedTuple):
    """Shapes by the names of the arguments, of the results, other arguments, and the FLOPs."""

    inputs: dict[str, tuple[int, ...]]
    results: tuple[tuple[int, ...], ...]
    flops: int
    arguments: dict[str, Any]


def of(flops: int, inputs: Any = X, results: Any = None, **arguments: Any) -> Case:
    entering = inputs if isinstance(inputs, dict) else {"self": inputs}
    made = results if results is not None else next(iter(entering.values()))
    many = made if made and isinstance(made[0], tuple) else (made,)
    return Case(entering, many, flops, arguments)


LU = 2 * ((9 + 4 + 1) * 2 + (3 + 2 + 1) + 4)  # two of 4x4: 9, 4, 1 products and sums, reciprocals

CASES: dict[str, Case] = {
    **{name: of(N) for name in (*EXPONENTIALS, *COMPARISONS)},
    **{name: of(0) for name in WHOLE_NUMBERS},
    "glu": of(2 * 2 * 3 * 8, X, (2, 3, 8), dim=1),
    "shrink": of(N),
    "rrelu": of(N),
    "rrelu_with_noise": of(N),
    "rrelu_with_noise_functional": of(N),
    "fmod": of(N),
    "ldexp": of(2 * N),
    "deg2rad": of(N),
    "rad2deg": of(N),
    "conj_physical": of(0),
    "fake_quantize": of(5 * N),
    "hypot": of(4 * N),
    "xlogy": of(2 * N),
    "special_xlog1py": of(2 * N),
    "special_entr": of(2 * N),
    "swiglu": of(2 * N),
    "scaler": of(2 * N),
    "elementwise_sum": of(2 * N, terms=3),
    "elementwise_mean": of(3 * N, terms=3),
    "elementwise_extreme": of(2 * N, terms=3),
    "vector_norm": of(2 * N + N - 12 + 12, X, (2, 6), ord=3.0, dim=(2,)),
    "dist": of(N + (N + (N - 1) + 1), {"self": X, "other": X}, (), p=2),
    "_cdist_forward": of(2 * 6 * 5 * (8 + 8 + 7 + 1), {"x1": X, "x2": (2, 5, 8)}, (2, 6, 5), p=2.0),
    "_pdist_forward": of(15 * (8 + 8 + 7 + 1), {"self": (6, 8)}, (15,), p=2.0),
    "var_mean": of(3 * N - 2 * 12 + N + 2 * 12, X, ((2, 6), (2, 6)), dim=(2,)),
    "std_mean": of(3 * N - 2 * 12 + N + 3 * 12, X, ((2, 6), (2, 6)), dim=(2,)),
    "nansum": of(2 * N - 12, X, (2, 6), dim=(2,)),
    "sort": of(N * 4, X, (X, X), dim=-1),  # 8 places and one beyond: 4 comparisons
    "argsort": of(N * 4),
    "msort": of(N * 4),
    "topk": of(N * 2, X, ((2, 6, 3), (2, 6, 3)), k=3, dim=-1),
    "kthvalue": of(N * 2, X, ((2, 6), (2, 6)), k=2, dim=-1),
    "median": of(N * 4, X, (2, 6)),
    "nanmedian": of(N * 4, X, (2, 6)),
    "mode": of(N * 4, X, (2, 6)),
    "_unique": of(N * 7 + N - 1),
    "_unique2": of(N * 7 + N - 1),
    "unique_dim": of((6 * 3 + 5) * 16, dim=1),
    "unique_consecutive": of(N - 1),
    "unique_dim_consecutive": of(5 * 16, dim=1),
    "searchsorted": of(N * 3, {"sorted_sequence": (7,), "self": X}, X),
    "bucketize": of(N * 3, {"self": X, "boundaries": (7,)}, X),
    "isin": of((N + 7) * 3, {"elements": X, "test_elements": (7,)}, X),
    "nonzero": of(N),
    "nonzero_static": of(N),
    "count_nonzero": of(N),
    "_to_sparse": of(N),
    "aminmax": of(2 * N),
    "_aminmax": of(2 * N),
    "cummax": of(N),
    "cummin": of(N),
    "logcumsumexp": of(3 * N),
    "histc": of(5 * N, X, (10,)),
    "histogram": of(5 * N, X, (10,)),
    "_histogramdd_bin_edges": of(2 * N, X, (3,)),
    "_histogramdd_from_bin_cts": of(5 * N, X, (3, 3)),
    "_histogramdd_from_bin_tensors": of(5 * N, X, (3, 3)),
    "bincount": of(20, {"self": (20,), "weights": (20,)}, (5,)),
    "hardmax": of(2 * 6 * 7, dim=2),
    # 5 boxes: order, areas, 10 pairs of 7 comparisons, 4 additions, a product and a division
    "nms": of(5 * 3 + 10 * (7 + 4 + 1 + 1) + 5 * 3, {"dets": (5, 4), "scores": (5,)}, (5,)),
    "index_add": of(2 * 30, {"self": X, "source": (30,)}, X, alpha=2),
    "scatter_add": of(30, {"self": X, "index": (30,)}, X),
    "scatter_reduce": of(30 + N, {"self": X, "index": (30,)}, X, reduce="mean"),
    "index_reduce": of(30, {"self": X, "source": (30,)}, X, reduce="prod"),
    "segment_reduce": of(N),
    "accumulated": of(30, {"self": X, "values": (30,)}, X, accumulate=True),
    "_embedding_bag": of((7 - 3) * 4 + 3 * 4, {"weight": (9, 4), "indices": (7,)}, (3, 4), mode=1),
    "_embedding_bag_forward_only": of(
        (7 - 3) * 4 + 7 * 4,
        {"weight": (9, 4), "indices": (7,), "per_sample_weights": (7,)},
        (3, 4),
    ),
    "_trilinear": of(
        2 * (2 * 4 * 6 * 8) + 2 * 4 * 6 * 8 - 2 * 4,
        {"i1": (2, 6), "i2": (4, 6, 8), "i3": (2, 8)},
        (2, 4),
        expand1=(1, 3),
        expand2=(0,),
        expand3=(1, 2),
    ),
    "_grouped_mm": of(2 * 6 * 8 * 5, {"self": (6, 8), "mat2": (3, 8, 5)}, (6, 5)),
    "_scaled_grouped_mm": of(2 * 3 * 6 * 8 * 5, {"self": (3, 6, 8), "mat2": (3, 8, 5)}, (3, 6, 5)),
    **{
        name: of(2 * 6 * 8 * 5, {"self": (6, 8), "mat2": (8, 5)}, (6, 5))
        for name in ("_scaled_mm", "_scaled_mm_v2", "_int_mm", "_weight_int8pack_mm")
    },
    **{
        name: of(2 * 6 * 8 * 5, {"self": (6, 8), "mat2": (8, 5)}, (6, 5))
        for name in ("_weight_int4pack_mm", "_weight_int4pack_mm_for_cpu")
    },
    "_addmm_activation": of(
        2 * 6 * 8 * 5 + 2 * 30, {"self": (5,), "mat1": (6, 8), "mat2": (8, 5)}, (6, 5)
    ),
    "addbmm": of(
        2 * 3 * 6 * 8 * 5 + 30, {"self": (6, 5), "batch1": (3, 6, 8), "batch2": (3, 8, 5)}, (6, 5)
    ),
    "addr": of(2 * 30, {"self": (6, 5), "vec1": (6,), "vec2": (5,)}, (6, 5)),
    "conv_tbc": of(2 * 40 * 3 * 6 + 40, {"self": (7, 2, 6), "weight": (3, 6, 4)}, (5, 2, 4)),
    "quantized": of(2 * N * 9 + N + N, terms=9, biased=True, activated=True),
    # 2 batches of 3 heads, 4 queries, 5 keys: products of 8 and 6, then the softmax and the mask
    "attention": of(
        2 * 120 * (8 + 6) + 3 * 120 + (120 - 24) + 120,
        {"q": (2, 3, 4, 8)},
        ((2, 3, 4, 6), (2, 3, 5, 8), (2, 3, 5, 6), (2, 3, 4, 5)),
        masked=True,
    ),
    "rotary_embedding": of(3 * 40, rotated=40),
    "contraction": of(2 * 100 + 10 + 1, macs=100, multiplications=10, additions=1),
    "linalg_cross": of(3 * 12, (2, 2, 3)),
    "trace": of(3, (4, 5), ()),
    "linalg_lu_factor_ex": of(LU, SQUARE),
    "linalg_lu": of(LU, SQUARE),
    "_lu_with_info": of(LU, SQUARE),
    "_linalg_det": of(LU + 2 * 3, SQUARE, (2,)),
    "_linalg_slogdet": of(LU + 2 * (3 + 4), SQUARE, (2,)),
    "linalg_cholesky_ex": of(2 * (20 + 10), SQUARE),
    "cholesky": of(2 * (20 + 10), SQUARE),
    "linalg_ldl_factor_ex": of(2 * (32 + 10), SQUARE),
    "cholesky_inverse": of(2 * (40 + 14), SQUARE),
    "linalg_inv_ex": of(LU + 2 * (54 + 22), SQUARE),
    "linalg_solve_ex": of(LU + 2 * 3 * (16 + 12), {"A": SQUARE, "B": (2, 4, 3)}, (2, 4, 3)),
    "_linalg_solve_ex": of(LU + 2 * 3 * (16 + 12), {"A": SQUARE, "B": (2, 4, 3)}, (2, 4, 3)),
    "linalg_lu_solve": of(2 * 3 * (16 + 12), {"LU": SQUARE, "B": (2, 4, 3)}, (2, 4, 3)),
    "cholesky_solve": of(2 * 3 * (20 + 12), {"self": (2, 4, 3), "input2": SQUARE}, (2, 4, 3)),
    "linalg_solve_triangular": of(2 * 3 * (10 + 6), {"self": SQUARE, "B": (2, 4, 3)}, (2, 4, 3)),
    "triangular_solve": of(2 * 3 * (10 + 6), {"self": (2, 4, 3), "A": SQUARE}, (2, 4, 3)),
    # 4x4: 64 - 64/3 + 8 = 152/3; products 152/3 + 16 + 46/3 = 82, sums 152/3 + 10/3 = 54
    "geqrf": of(2 * (82 + 54), SQUARE),
    # its columns: 128 - 128 + 128/3; products + 32 - 16 - 20/3 = 52, sums + 4/3 = 44
    "linalg_qr": of(2 * (82 + 54 + 52 + 44), SQUARE),
    "linalg_householder_product": of(2 * (52 + 44), {"self": SQUARE, "tau": (2, 4)}, SQUARE),
    "linalg_lstsq": of(
        2 * (82 + 54) + 2 * ((96 - 48 + 24) + (96 - 48 + 12)) + 2 * 3 * (10 + 6),
        {"self": SQUARE, "b": (2, 4, 3)},
        (2, 4, 3),
    ),
    "_linalg_svd": of(2 * (6 + 20) * 64, SQUARE),
    "linalg_svdvals": of(2 * (2 + 2) * 64, SQUARE, (2, 4)),
    "linalg_pinv": of(2 * ((6 + 20) * 64 + 4 * 4 * 5 + 4 * 4 * 3 + 4), SQUARE),
    "_linalg_eigh": of(2 * 9 * 64, SQUARE),
    "linalg_eigvalsh": of(2 * 4 * 216 // 3, (2, 6, 6), (2, 6)),
    "linalg_eig": of(2 * 25 * 64, SQUARE),
    "linalg_eigvals": of(2 * 10 * 64, SQUARE),
    "_linalg_eigvals": of(2 * 10 * 64, SQUARE),
    "_fft_r2c": of(N * (2 + 3) * 3 // 2, X, (2, 6, 5), dim=(2,)),
    "_fft_c2r": of(N * (2 + 3) * 3 // 2, (2, 6, 5), X, dim=(2,)),
    "_fft_c2c": of(N * (2 + 3) * 3 // 2, X, X, dim=(2,)),
    "unfold_backward": of(N),
    "discrete_fourier": of(2 * 8 * (2 + 3) * 3 // 2, (2, 8, 1), (2, 8, 2), dim=1, length=8),
    "short_time_fourier": of(
        2 * 4 * 8 * (2 + 3) * 3 // 2 + 2 * 4 * 8, (2, 20, 1), (2, 4, 5, 2), frame=8, windowed=True
    ),
    "hann": of(4 * 9, {}, (9,)),
    "hamming": of(4 * 9, {}, (9,)),
    "blackman": of(8 * 9, {}, (9,)),
    "mel_weight_matrix": of(6 * 20, {}, (5, 4)),
    "causal_convolution": of(N * (2 * 4 + 1 + 1), taps=4, bias=True, activation=True),
    "grid_sampler_2d": of(2 * 3 * 6 * (4 + 3), MAPS, (2, 3, 2, 3), interpolation_mode=0),
    "grid_sampler_3d": of(
        2 * 3 * 6 * (8 + 7), (2, 3, 4, 5, 6), (2, 3, 1, 2, 3), interpolation_mode=0
    ),
    "_grid_sampler_2d_cpu_fallback": of(
        2 * 3 * 6 * (16 + 15), MAPS, (2, 3, 2, 3), interpolation_mode=2
    ),
    "affine_grid_generator": of(2 * 2 * 20 * 2 * 3, (2, 2, 3), (2, 4, 5, 2)),
    # 7 regions of 2x2 bins, 4 samples of 4 elements each
    "roi_align": of(7 * 3 * 4 * (16 + 15 + 1), MAPS, (7, 3, 2, 2), sampling_ratio=2),
    "ps_roi_align": of(7 * 3 * 4 * (16 + 15 + 1), MAPS, (7, 3, 2, 2), sampling_ratio=2),
    "roi_pool": of(7 * 3 * 20, MAPS, (7, 3, 2, 2)),
    "ps_roi_pool": of(7 * 3 * 20, MAPS, (7, 3, 2, 2)),
    "fractional_max_pool2d": of(2 * 3 * 6 * 3, MAPS, (2, 3, 2, 3), kernel_size=(2, 2)),
    "fractional_max_pool3d": of(2 * 6 * 7, (2, 4, 5, 6), (2, 1, 2, 3), kernel_size=(2, 2, 2)),
    "max_pool": of(2 * 3 * 6 * 3, MAPS, (2, 3, 2, 3), kernel=(2, 2)),
    "lp_pool": of(2 * 3 * 6 * (4 + 3 + 1), MAPS, (2, 3, 2, 3), kernel=(2, 2), p=2),
    "dilated_avg_pool": of(2 * 3 * 6 * (3 + 1), MAPS, (2, 3, 2, 3), kernel=(2, 2)),
    "lp_normalization": of(N + 12 + (N - 12) + N, dim=2, p=2),
    "mean_variance_normalization": of(2 * N + 3 * N + N),
    "renorm": of(2 * N + (N - 6) + 6 + 6, dim=1),
    "embedding_renorm": of(2 * N + (N - 6) + 6 + 6, dim=1),
    "overlap_add": of(N),
    "mse_loss": of(2 * N + N - 1 + 1, X, (), reduction=1),
    "l1_loss": of(2 * N + N - 1, X, (), reduction=2),
    "smooth_l1_loss": of(4 * N, X, X, reduction=0),
    "huber_loss": of(4 * N, X, X, reduction=0),
    "soft_margin_loss": of(4 * N + N, X, (), reduction=1),
    "binary_cross_entropy": of(7 * N + N, X, (), reduction=1),
    "binary_cross_entropy_with_logits": of(8 * N + N, X, (), reduction=1),
    "nll_loss_forward": of(2 + 1, {"self": (2, 6), "target": (2,)}, (), reduction=1),
    "nll_loss2d_forward": of(
        2 * 8 * 2 + 1, {"self": (2, 6, 8), "target": (2, 8), "weight": (6,)}, (), reduction=1
    ),
    "softmax_cross_entropy": of(
        (12 + 2) + (36 - 2) + 3, {"self": (2, 6), "target": (2,)}, (), reduction=1
    ),
    "multi_margin_loss": of(
        4 * 12 + 2 + 1 + 1, {"self": (2, 6), "target": (2,)}, (), reduction=1, p=1
    ),
    "multilabel_margin_loss_forward": of(4 * 2 * 36 + 2 + 1 + 1, (2, 6), (), reduction=1),
    # 5 steps of 2 sequences with 3 labels: 7 states of 12 operations
    "_ctc_loss": of(5 * 2 * 7 * 12, {"log_probs": (5, 2, 6), "targets": (2, 3)}, (2,)),
    "adagrad": of(9 * N, X, (X, X), tensors=1),
    "momentum": of(7 * N, X, (X, X), tensors=1),
    "adam": of(14 * N, X, (X, X, X), tensors=1),
}


def function(
    kind: str, case: Case, dtype: str = "float32"
) -> tuple[Function, tuple[TensorSpec, ...]]:
    inputs = tuple(TensorSpec(shape, dtype) for shape in case.inputs.values())
    results = tuple(TensorSpec(shape, dtype) for shape in case.results)
    return Function(kind, results, tuple(case.arguments.items()), tuple(case.inputs)), inputs


def test_every_definition_has_a_case() -> None:
    assert CASES.keys() == DEFINITIONS.keys()
    assert CAVEATS.keys() <= DEFINITIONS.keys()


@pytest.mark.parametrize("kind", CASES)
def test_work_is_the_sum_of_its_products(kind: str) -> None:
    op, inputs = function(kind, CASES[kind])
    work = op.work(inputs, op.infer(inputs))
    assert work is not None
    assert work.flops == CASES[kind].flops


@pytest.mark.parametrize("kind", ["topk", "scatter_add", "cummax"])
def test_whole_numbers_are_no_work(kind: str) -> None:
    op, inputs = function(kind, CASES[kind], "int64")
    assert op.work(inputs, op.results) == NO_WORK


def test_products_of_whole_numbers_are_counted() -> None:
    op, inputs = function("_int_mm", CASES["_int_mm"], "int8")
    assert op.work(inputs, op.results) == Work(macs=6 * 8 * 5)


@pytest.mark.parametrize("kind", ["sort", "linalg_qr", "mse_loss", "_trilinear"])
def test_complex_numbers_are_unknown_without_a_definition(kind: str) -> None:
    op, inputs = function(kind, CASES[kind], "complex64")
    assert op.work(inputs, op.results) is None


def test_a_missing_argument_is_unknown_and_never_free() -> None:
    spec = TensorSpec(X)
    assert Function("roi_align", (spec,)).work((spec,), (spec,)) is None
    adaptive = Function("roi_align", (spec,), (("sampling_ratio", 0),))
    assert adaptive.work((spec,), (spec,)) is None
    assert "size of each region" in adaptive.caveat


def test_a_function_without_definition_is_refused() -> None:
    with pytest.raises(OpError, match="no definition"):
        Function("wavelet", (TensorSpec(X),))


def test_norms_by_their_order() -> None:
    each = dict.fromkeys((float("inf"), float("-inf")), 2 * N - 1) | {0: 2 * N - 1, 1: 2 * N - 1}
    for order, flops in (each | {2: 2 * N, 3: 3 * N}).items():
        case = of(0, X, (), ord=order)
        op, inputs = function("vector_norm", case)
        work = op.work(inputs, op.results)
        assert work is not None
        assert work.flops == flops, order
