"""FractalNet: the expansion rule by hand, and table 3 of Larsson et al. 2017."""

import pytest

from cnnstat.api import analyze, load
from cnnstat.errors import UsageError

# Table 3: parameters in millions by depth, at a first width of 16 and 100 classes.
TABLE_3 = {5: 0.3, 10: 0.8, 20: 2.1, 40: 4.8, 80: 10.2, 160: 21.1}


def _paths(columns: int) -> int:
    """f_1 has one path; f_{C+1} has those of f_C after f_C, and one convolution beside them."""
    return 1 if columns == 1 else _paths(columns - 1) ** 2 + 1


@pytest.mark.parametrize("depth", TABLE_3)
def test_table_3_rounds(depth: int) -> None:
    totals = analyze(f"fractalnet{depth}-16-cifar").totals
    assert round(totals.params / 1e6, 1) == TABLE_3[depth]
    assert totals.depth == depth + 1  # the fully connected layer


@pytest.mark.parametrize(("depth", "columns"), [(5, 1), (10, 2), (20, 3), (40, 4), (80, 5)])
def test_paths(depth: int, columns: int) -> None:
    report = analyze(f"fractalnet{depth}-cifar").report
    assert report.totals.paths == _paths(columns) ** 5
    assert report.totals.depth == 5 * 2 ** (columns - 1) + 1
    assert report.shallowest_path == 5 + 1


def test_three_columns_by_hand() -> None:
    params, macs, read = 0, 0, 3
    for width, side in ((64, 32), (128, 16), (256, 8), (512, 4), (512, 2)):
        kernels = 9 * (
            3 * read * width + 4 * width * width
        )  # 7 convolutions, 3 read the block's input
        params += kernels + 7 * 2 * width
        macs += kernels * side * side
        read = width
    totals = analyze("fractalnet20-cifar").totals
    assert totals.params == params + 512 * 10 + 10
    assert totals.macs == macs + 512 * 10
    assert round(totals.params / 1e6, 1) == 33.7


def test_columns_and_joins_of_a_block() -> None:
    report = analyze("fractalnet40-cifar")
    rows = [layer.name for layer in report.layers if layer.path == "block2"]
    assert [name.removeprefix("block2/") for name in rows] == [
        *("conv4_1", "conv3_1", "conv4_2", "join2"),
        *("conv4_3", "conv2_1", "conv3_2", "conv4_4", "join4"),
        *("conv4_5", "conv3_3", "conv4_6", "join6"),
        *("conv4_7", "conv1_1", "conv2_2", "conv3_4", "conv4_8", "join8"),
    ]
    meeting = {2: 2, 4: 3, 6: 2, 8: 4}
    for level, columns in meeting.items():
        join = report.layer(f"block2/join{level}")
        assert join is not None
        assert len(join.inputs) == columns
        # a mean: k - 1 additions and a division per element
        assert join.figures.work.additions == (columns - 1) * 128 * 16 * 16
        assert join.figures.work.divisions == 128 * 16 * 16
        assert join.detail == "drop-path 0.15"


def test_dropout_grows_from_block_to_block() -> None:
    details = {
        layer.name: layer.detail
        for layer in analyze("fractalnet20-cifar").view(expand=True)
        if layer.name.endswith("conv3_1/dropout")
    }
    assert list(details.values()) == ["0.1", "0.2", "0.3", "0.4"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("fractalnet30-cifar", ("5*2^(C-1)", "fractalnet20-cifar, fractalnet40-cifar")),
        ("fractalnet41-16-cifar", ("5*2^(C-1)", "fractalnet40-16-cifar")),
        ("fractalnet20-0-cifar", ("first width", "got 0")),
        ("fractalnet20480-cifar", ("fractalnet10240-cifar",)),
        ("fractalnet20", ("fractalnet<depth>-cifar",)),
    ],
)
def test_illegal_names(name: str, said: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as error:
        load(name)
    assert all(part in str(error.value) for part in said)


def test_the_card_says_where_the_paper_prints_more() -> None:
    card = load("fractalnet20-cifar").card
    assert card is not None
    assert any("38.6M" in fact for fact in card.facts)
    assert [entry.top1_error for entry in card.accuracy][:3] == [10.18, 7.33, 7.27]
