"""Memory by hand: sums that a reader can check, and what must hold for every model."""

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from cnnstat import api
from cnnstat.errors import UsageError
from cnnstat.ir.builder import Builder
from cnnstat.ir.shapes import infer_shapes
from cnnstat.ir.tensor import TensorSpec
from cnnstat.memory.memory import OPTIMIZERS, settings
from cnnstat.memory.passes import blocks
from cnnstat.ops import Conv2d, Input, Opaque, ReLU, Tanh

TRAINING = settings(mode="training")
VGG16_PARAMS = 138_357_544


def test_vgg16_at_inference() -> None:
    plan = api.memory("vgg16")
    assert plan.param_bytes == VGG16_PARAMS * 4
    # conv1_2 reads 64 maps of 224 x 224 and makes 64: both, and the image, which the caller holds.
    assert plan.forward_peak.bytes == 4 * (2 * 64 * 224 * 224 + 3 * 224 * 224)
    assert plan.forward_peak.layer == plan.ideal_peak_layer == "conv1_2"
    assert plan.ideal_peak_bytes == 4 * 2 * 64 * 224 * 224
    assert plan.total_bytes == plan.param_bytes + plan.forward_peak.bytes
    assert (plan.gradient_bytes, plan.optimizer_bytes, plan.saved_bytes) == (0, 0, 0)


def test_vgg16_keeps_inputs_indices_and_masks() -> None:
    """The image; each ReLU's result; each pooling's result and int64 places; masks; scores."""
    rectified = 2 * (64 * 224**2 + 128 * 112**2) + 3 * (256 * 56**2 + 512 * 28**2 + 512 * 14**2)
    pooled = 64 * 112**2 + 128 * 56**2 + 256 * 28**2 + 512 * 14**2 + 512 * 7**2
    classifier = 2 * (4096 + 4096 + 4096) + 1000  # ReLU, mask, product; softmax
    values = 3 * 224**2 + rectified + pooled + classifier
    assert api.memory("vgg16", TRAINING).saved_bytes == 4 * values + 8 * pooled


def test_the_peak_is_the_sum_of_its_parts_and_the_total_of_its_own() -> None:
    for name in ("vgg16", "resnet50", "googlenet-aux"):
        chosen = settings(mode="training", optimizer="adam", amp="bfloat16")
        plan = api.memory(name, chosen, batch=4)
        assert plan.backward_peak is not None
        for peak in (plan.forward_peak, plan.backward_peak):
            assert sum(peak.parts.values()) == peak.bytes
        highest = max(plan.peak.bytes, plan.update_bytes)
        assert plan.total_bytes == plan.state_bytes + highest
        assert plan.optimizer_bytes > 2 * plan.param_bytes


def test_rows_carry_the_whole() -> None:
    for name in ("densenet121", "lenet5", "googlenet-aux"):
        plan = api.memory(name, TRAINING, batch=2)
        rows = [plan.of(layer) for layer in plan.report.layers]
        assert sum(row.saved_bytes for row in rows) == plan.saved_bytes
        assert max(row.live_bytes for row in rows) == plan.forward_peak.bytes
        assert plan.backward_peak is not None
        assert max(row.backward_bytes for row in rows) == plan.backward_peak.bytes
        assert max(row.ideal_bytes for row in rows) == plan.ideal_peak_bytes


def test_the_ideal_peak_is_that_of_the_summary() -> None:
    for name in ("vgg16", "resnet50", "densenet121"):
        totals = api.analyze(name).totals
        assert api.memory(name).ideal_peak_bytes == totals.peak_activation_bytes


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimiser_state_of_lenet(name: str) -> None:
    plan = api.memory("lenet5", settings(mode="training", optimizer=name))
    trained = 60_000 * 4
    tensors = 12  # C1, S2, C3, S4, C5, F6: a kernel and a bias each
    state = {"sgd": 0, "momentum": trained}.get(name, 2 * trained + 4 * tensors)
    assert plan.optimizer_bytes == state
    assert plan.gradient_bytes == trained
    # On CUDA the steps of each tensor are counted in main memory.
    on_cuda = api.memory("lenet5", settings(mode="training", optimizer=name, device="cuda"))
    assert on_cuda.optimizer_bytes == {"sgd": 0, "momentum": trained}.get(name, 2 * trained)


def test_recomputing_and_a_lower_dtype_save_memory() -> None:
    plain = api.memory("resnet50", TRAINING, batch=8)
    again = api.memory("resnet50", settings(mode="training", checkpoint=True), batch=8)
    mixed = api.memory("resnet50", settings(mode="training", amp="bfloat16"), batch=8)
    assert again.saved_bytes < plain.saved_bytes / 3
    assert plain.saved_bytes / 2 < mixed.saved_bytes < plain.saved_bytes * 0.6
    assert again.total_bytes < plain.total_bytes
    assert mixed.total_bytes < plain.total_bytes


def test_a_block_is_a_module_or_a_resolution() -> None:
    shaped = api.analyze("vgg16").shaped
    names_of: dict[int | None, list[str]] = {}
    for node, block in zip(shaped.nodes, blocks(shaped), strict=True):
        names_of.setdefault(block, []).append(node.name)
    assert names_of[None] == ["input"]
    assert names_of[0] == ["conv1_1", "conv1_1/relu", "conv1_2", "conv1_2/relu"]
    assert names_of[1][0] == "pool1"
    residual = api.analyze("resnet50").shaped
    first = [n.name for n, b in zip(residual.nodes, blocks(residual), strict=True) if b == 2]
    assert {name.split("/")[0] for name in first} == {"conv2_1"}


def test_an_operator_without_kernels_is_a_lower_bound() -> None:
    b = Builder("net")
    x = b.add("input", Input((3, 8, 8)))
    x = b.add("conv", Conv2d(4, (3, 3)), x)
    x = b.add("strange", Opaque("strange", infer_shapes(b.graph(x), {}).facts[-1].outputs), x)
    graph = b.graph(b.add("relu", ReLU(), x))
    plan = api.memory(api.Model("net", {"input": TensorSpec((1, 3, 8, 8))}, graph), TRAINING)
    assert plan.status == "partial"
    assert plan.unknown == ("strange",)
    # The image and the ReLU's result; what the strange one keeps is not known.
    assert plan.saved_bytes == 4 * (3 * 8 * 8 + 4 * 6 * 6)


def test_an_opaque_operator_with_a_known_name_is_unknown() -> None:
    b = Builder("net")
    x = b.add("input", Input((3, 8, 8)))
    x = b.add("conv", Conv2d(4, (3, 3)), x)
    graph = b.graph(b.add("cat", Opaque("Concat", (TensorSpec((1, 8, 6, 6)),)), x, x))
    plan = api.memory(api.Model("net", {"input": TensorSpec((1, 3, 8, 8))}, graph), TRAINING)
    assert (plan.status, plan.unknown) == ("partial", ("Concat",))
    # its result may be memory that is there already, and so may its gradients
    assert plan.forward_peak.bytes == 4 * (3 * 8 * 8 + 4 * 6 * 6)


def test_a_branch_that_leaves_nothing_saves_nothing() -> None:
    b = Builder("net")
    x = b.add("conv", Conv2d(4, (3, 3)), b.add("input", Input((3, 8, 8))))
    b.add("tanh", Tanh(), b.add("side", Conv2d(9, (1, 1)), x))
    plan = api.memory(
        api.Model("net", {"input": TensorSpec((1, 3, 8, 8))}, b.graph(x)),
        settings(mode="training", optimizer="momentum"),
    )
    image, maps, side = 3 * 8 * 8, 4 * 6 * 6, 9 * 6 * 6
    assert plan.saved_bytes == 4 * image
    # while the branch runs: the image, the maps, its own maps and their tanh
    assert plan.forward_peak.bytes == 4 * (image + maps + 2 * side)
    assert plan.backward_peak is not None
    assert plan.backward_peak.bytes == 4 * (image + maps + 4 * 3 * 3 * 3 + 4)
    # parameters of the branch have no gradient, so no momentum
    assert plan.gradient_bytes == plan.optimizer_bytes == 4 * (4 * 3 * 3 * 3 + 4)
    assert plan.param_bytes == 4 * (4 * 3 * 3 * 3 + 4 + 9 * 4 + 9)


@hypothesis_settings(max_examples=15, deadline=None)
@given(batch=st.integers(2, 60), name=st.sampled_from(["lenet5", "resnet20-cifar", "nin-cifar"]))
def test_saved_bytes_are_linear_in_the_batch(batch: int, name: str) -> None:
    at = {n: api.memory(name, TRAINING, batch=n).saved_bytes for n in (1, 2, batch)}
    assert at[batch] == at[1] + (batch - 1) * (at[2] - at[1])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"mode": "train"}, "unknown mode 'train'"),
        ({"mode": "training", "optimizer": "adem"}, "unknown optimizer 'adem'"),
        ({"optimizer": "adam"}, "only training has one"),
        ({"checkpoint": True}, "only training recomputes"),
        ({"amp": "float32"}, "unknown dtype of --amp"),
        ({"device": "tpu"}, "unknown device"),
    ],
)
def test_settings_without_sense(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        settings(**wrong)  # type: ignore[arg-type]
