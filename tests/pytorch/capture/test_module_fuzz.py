"""Random modules against PyTorch; ``tests/compat/fuzz_modules.py`` runs as many as one likes."""

import pytest

from tests.compat.fuzz_modules import case, main, problem

TENS = range(0, 200, 10)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("start", TENS)
def test_random_modules(start: int) -> None:
    problems = {seed: problem(seed) for seed in range(start, start + 10)}
    assert {seed: said for seed, said in problems.items() if said} == {}


def test_a_case_is_the_same_every_time() -> None:
    first, second = case(7), case(7)
    assert str(first) == str(second)
    assert len({str(case(seed)) for seed in range(20)}) == 20


def test_a_wrong_figure_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tests.compat.fuzz_modules.BATCH", 3)
    assert main(["--cases", "2"]) == 0
    monkeypatch.setattr("torch.utils.flop_counter.FlopCounterMode.get_total_flops", lambda _: -1)
    assert main(["--cases", "2"]) == 1
    assert "2 cases from 0: 2 wrong" in capsys.readouterr().out
