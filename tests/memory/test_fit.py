"""Largest batch and input: every answer fits, and the next one does not."""

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from cnnstat import api
from cnnstat.errors import UsageError
from cnnstat.memory.fit import memory
from cnnstat.memory.memory import settings

CASES = [
    ("vgg16", settings()),
    ("vgg16", settings(mode="training", optimizer="adam")),
    ("resnet18", settings(mode="training", checkpoint=True)),
    ("densenet40-12-cifar", settings(mode="training", amp="bfloat16")),
]


@pytest.mark.parametrize(("name", "chosen"), CASES)
def test_one_image_more_does_not_fit(name: str, chosen: object) -> None:
    assert isinstance(chosen, type(settings()))
    limit = memory("7GiB")
    (fit,) = api.fit(name, [limit], chosen)
    assert fit.at_batch is not None
    batch = fit.at_batch.batch
    assert fit.at_batch.total_bytes <= limit.bytes
    assert api.memory(name, chosen, batch=batch + 1).total_bytes > limit.bytes
    assert fit.at_input is not None
    side = fit.at_input.report.input.shape[-1]
    assert fit.at_input.total_bytes <= limit.bytes
    assert api.memory(name, chosen, input=(side + 32,)).total_bytes > limit.bytes


def test_a_graphics_card_keeps_a_part_for_itself() -> None:
    limit = memory("8GiB")
    chosen = settings(mode="training", optimizer="adam", device="cuda")
    (fit,) = api.fit("resnet50", [limit], chosen, search_input=False)
    assert fit.reserved_bytes == 8 * 1024**3 // 20
    assert fit.at_batch is not None
    left = limit.bytes - fit.reserved_bytes
    more = api.memory("resnet50", chosen, batch=fit.at_batch.batch + 1).total_bytes
    assert fit.at_batch.total_bytes <= left < more
    # A batch a tenth larger is beyond the whole memory.
    tenth = api.memory("resnet50", chosen, batch=fit.at_batch.batch * 11 // 10 + 1)
    assert tenth.total_bytes > limit.bytes


@hypothesis_settings(max_examples=25, deadline=None)
@given(limit=st.integers(300_000, 3_000_000))
def test_the_batch_is_that_of_a_linear_search(limit: int) -> None:
    chosen = settings(mode="training", optimizer="adam")
    (fit,) = api.fit("lenet5", [memory(str(limit))], chosen, search_input=False)
    fitting = [
        n for n in range(1, 30) if api.memory("lenet5", chosen, batch=n).total_bytes <= limit
    ]
    assert (fit.at_batch.batch if fit.at_batch else 0) == max(fitting, default=0)


def test_units_are_told_apart() -> None:
    said = {text: memory(text) for text in ("24G", "24GB", "24GiB", "24 gib", "1.5kB", "100")}
    assert said["24G"].bytes == said["24GiB"].bytes == said["24 gib"].bytes == 24 * 1024**3
    assert said["24GB"].bytes == 24 * 1000**3
    assert (said["1.5kB"].bytes, said["100"].bytes) == (1500, 100)
    assert [said[text].with_unit for text in ("24G", "24GB", "100")] == ["24 GiB", "24 GB", "100 B"]


@pytest.mark.parametrize("text", ["", "GiB", "24X", "-3GB", "1.2.3G", "1e3GB", "0GB", "0"])
def test_no_memory(text: str) -> None:
    with pytest.raises(UsageError, match="memory"):
        memory(text)


def test_what_is_missing() -> None:
    (short,) = api.fit("vgg16", [memory("300MB")])
    assert short.at_batch is None
    assert short.missing_state_bytes == 138_357_544 * 4 - 300_000_000
    (one,) = api.fit("vgg16", [memory("560MB")])
    assert one.at_batch is None
    assert one.missing_state_bytes == 0
    assert one.missing_bytes == api.memory("vgg16").total_bytes - 560_000_000
    # A smaller image still fits: its first fully connected layer is smaller too.
    assert one.at_input is not None
    assert one.at_input.report.input.shape[-1] < 224
