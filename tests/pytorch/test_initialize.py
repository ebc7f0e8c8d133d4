"""First weights: the spread that each scheme asks for, and which sentence names which scheme."""

from math import sqrt

import pytest
import torch

from cnnstat.ir.builder import Builder
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ops import BatchNorm2d, Conv2d, ConvTranspose2d, Input, Linear
from cnnstat.pytorch.build import build_module
from cnnstat.pytorch.modules import SCHEMES, Scheme, scheme_of


def weights(scheme: Scheme) -> dict[str, torch.Tensor]:
    b = Builder("net")
    x = b.add("conv", Conv2d(256, (3, 3)), b.add("input", Input((32, 9, 9))))
    x = b.add("norm", BatchNorm2d(), x)
    x = b.add("up", ConvTranspose2d(64, (4, 4), (2, 2), bias=False), x)
    module = build_module(
        b.graph(b.add("fc", Linear(128), x)), {"input": TensorSpec((1, 32, 9, 9))}, scheme=scheme
    )
    return module.state_dict()


# conv reads 3*3*32 = 288 values per output; its 7*7*256 outputs share 9*9*32 inputs.
FAN_OUT = 7 * 7 * 256 * 288 / (9 * 9 * 32)


@pytest.mark.parametrize(
    ("scheme", "deviation"),
    [
        ("he", sqrt(2 / 288)),
        ("he-fan-out", sqrt(2 / FAN_OUT)),
        ("gaussian", 0.01),
        ("xavier", sqrt(6 / (288 + FAN_OUT)) / sqrt(3)),
        ("lecun", 2.4 / 288 / sqrt(3)),
    ],
)
def test_a_scheme_has_its_spread(scheme: Scheme, deviation: float) -> None:
    drawn = weights(scheme)
    conv = drawn["conv.weight"]
    # 73,728 draws: their deviation is known to about 0.3 percent.
    assert conv.std().item() == pytest.approx(deviation, rel=0.02)
    assert conv.mean().abs().item() < 0.02 * deviation
    if scheme in ("xavier", "lecun"):
        assert conv.abs().max().item() <= deviation * sqrt(3)
    for name in ("conv.bias", "norm.bias", "norm.running_mean", "norm.num_batches_tracked"):
        assert not drawn[name].any()
    assert bool((drawn["norm.weight"] == 1).all())
    assert bool((drawn["norm.running_var"] == 1).all())


def test_every_scheme_is_tested_and_named() -> None:
    sentences = {
        "He et al. 2015 (Gaussian of variance 2/fan-in; 'Xavier/2' on slides)": "he",
        "He et al. 2015, by fan-out": "he-fan-out",
        "": "he",
        "Xavier (Glorot and Bengio 2010)": "xavier",
        "Gaussian, standard deviation 0.01": "gaussian",
        "uniform in -2.4/fan-in to 2.4/fan-in": "lecun",
    }
    assert {sentence: scheme_of(sentence) for sentence in sentences} == sentences
    assert set(sentences.values()) == set(SCHEMES)
