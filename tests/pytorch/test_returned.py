"""Tensors in the result of a forward pass."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from cnnstat.pytorch.tensors import returned


@dataclass
class Result:
    scores: float
    hidden: list[float]


class Slotted:
    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value


def test_containers_data_classes_and_objects_are_entered() -> None:
    result: Any = OrderedDict(a=(1.5, [2.5, "text", None, 7]), b=Result(3.5, [4.5]), c=Slotted(5.5))
    assert returned(result, float) == (1.5, 2.5, 3.5, 4.5, 5.5)


def test_each_once_and_circles_end() -> None:
    again: Any = [0.5]
    again += [again[0], again]
    assert returned(again, float) == (0.5,)
    assert returned(0.5, float) == (0.5,)
    assert returned(None, float) == ()
