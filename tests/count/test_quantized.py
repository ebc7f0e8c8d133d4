"""A model in fewer bits: bytes shrink, shapes and work stay."""

import pytest

from cnnstat.api import analyze, memory
from cnnstat.api.reports import QUANTIZED_DTYPES
from cnnstat.count.quantized import QUANTIZED
from cnnstat.errors import UsageError
from cnnstat.ir.tensor import bytes_of
from cnnstat.memory.memory import settings

VALUES, WEIGHTS = 15_237_608, 138_357_544  # of VGG-16: its rows' outputs, its parameters


def test_one_list_of_names() -> None:
    assert set(QUANTIZED_DTYPES) == set(QUANTIZED)


@pytest.mark.parametrize(
    ("dtype", "param_bytes"),
    [("int8", WEIGHTS), ("uint8", WEIGHTS), ("int4", WEIGHTS // 2), ("torch.int8", WEIGHTS)],
)
def test_a_byte_or_half_of_one_a_weight_and_a_byte_a_value(dtype: str, param_bytes: int) -> None:
    whole, small = analyze("vgg16").totals, analyze("vgg16", dtype=dtype).totals
    assert small.param_bytes == param_bytes
    assert small.activation_bytes == VALUES
    assert small.peak_activation_bytes * 4 == whole.peak_activation_bytes
    assert (small.macs, small.flops, small.params) == (whole.macs, whole.flops, whole.params)


def test_packed_weights_fill_whole_bytes() -> None:
    assert [bytes_of(numel, "int4") for numel in (0, 1, 2, 3)] == [0, 1, 1, 2]
    assert bytes_of(3, "float32") == 12


def test_traffic_of_an_int4_layer() -> None:
    row = analyze("lenet5", dtype="int4").layer("F6")
    assert row is not None
    # 120 values, 84*120 weights and 84 biases of half a byte, 84 values
    assert row.traffic == (120, 84 * 120 // 2 + 84 // 2, 84)


def test_a_note_says_how_it_is_sized() -> None:
    (note,) = [note for note in analyze("lenet5", dtype="int4").notes if note.code == "quantized"]
    assert "every floating-point weight were int4 and every activation int8" in note.message
    assert not [note for note in analyze("lenet5").notes if note.code == "quantized"]


def test_memory_of_an_inference_pass() -> None:
    whole, small = memory("vgg16"), memory("vgg16", dtype="int8")
    assert 4 * small.param_bytes == whole.param_bytes
    assert 4 * small.ideal_peak_bytes == whole.ideal_peak_bytes


@pytest.mark.parametrize("dtype", QUANTIZED_DTYPES)
def test_training_needs_floating_point(dtype: str) -> None:
    message = f"dtype {dtype}: training needs a floating-point type"
    with pytest.raises(UsageError, match=message):
        analyze("lenet5", dtype=dtype, mode="training")
    with pytest.raises(UsageError, match=message):
        memory("lenet5", settings(mode="training"), dtype=dtype)


def test_unknown_names_get_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown dtype 'int9': did you mean int8"):
        analyze("lenet5", dtype="int9")
