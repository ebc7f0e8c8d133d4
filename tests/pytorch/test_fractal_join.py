"""The join of FractalNet in PyTorch: a mean in use, the mean of the survivors in training."""

import torch

from cnnstat.pytorch.layers import FractalJoin


def test_evaluation_is_the_mean() -> None:
    join = FractalJoin(0.15).eval()
    columns = [torch.full((2, 3), float(value)) for value in (1, 2, 6)]
    assert torch.equal(join(*columns), torch.full((2, 3), 3.0))


def test_training_averages_the_survivors_and_never_drops_all() -> None:
    torch.manual_seed(0)
    join = FractalJoin(0.9).train()
    columns = [torch.full((1,), float(value)) for value in (1, 2, 4)]
    means = {1.0, 2.0, 4.0, 1.5, 2.5, 3.0, 7 / 3}
    seen = [join(*columns).item() for _ in range(300)]
    assert all(min(abs(value - mean) for mean in means) < 1e-6 for value in seen)
    assert {1.0, 2.0, 4.0} <= set(seen)


def test_without_drop_path_training_is_the_mean_too() -> None:
    join = FractalJoin(0.0).train()
    assert join(torch.ones(1), torch.full((1,), 3.0)).item() == 2.0
