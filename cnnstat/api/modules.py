"""Models that are PyTorch modules: captured, counted and copied as they are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cnnstat.api.inputs import is_example
from cnnstat.api.model import Model
from cnnstat.errors import UsageError
from cnnstat.importers.reference import Imported
from cnnstat.ir.tensor import TensorSpec

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from cnnstat.count.check import ModuleMeasurement
    from cnnstat.pytorch.capture.entrance import Entrance
    from cnnstat.pytorch.capture.standins import Given


def module_model(
    reference: str, module: Module, remake: Callable[[], Module] | None = None
) -> Model:
    """Return the model that a module is.

    ``remake`` returns a new module with weights, where a reference names the module.
    """
    return _ModuleModel(reference, module, remake).model()


@dataclass(frozen=True)
class _ModuleModel:
    """A module and the arguments of its forward pass that are known."""

    reference: str
    module: Module
    remake: Callable[[], Module] | None
    constants: Mapping[str, Any] = field(default_factory=dict)
    latest: dict[str, TensorSpec] = field(default_factory=dict)
    """The inputs of the last trace: what a lazy module gets its shapes from."""

    def model(self) -> Model:
        from cnnstat.pytorch.capture.entrance import entrance

        entering = entrance(self.module)
        default = {"input": TensorSpec((1, *entering.shape), entering.dtype)}
        return Model(
            self.reference,
            default,
            trace=self.trace,
            complete=lambda shape: self._completed(entering, shape),
            count=self.count,
            own_module=lambda: self.own_module(default),
            filled_copy=lambda filling: self.filled_copy(filling, default),
            with_call=self._with_call,
            argument_names=self._argument_names,
            training_trace=lambda specs: self.trace(specs, training=True),
            real_copy=lambda: self.real_copy(default),
            missing_argument=self._missing_argument,
            examples={name: each for name, each in self.constants.items() if is_example(each)},
        )

    def trace(self, specs: Mapping[str, TensorSpec], *, training: bool = False) -> Imported:
        from cnnstat.pytorch.capture.importing import import_module
        from cnnstat.pytorch.capture.standins import Given

        self.latest.clear()
        self.latest.update(specs)
        with self._quiet():
            return import_module(
                self.reference,
                self.module,
                Given(specs, self.constants),
                remake=self.remake,
                training=training,
            )

    def count(self, specs: Mapping[str, TensorSpec]) -> ModuleMeasurement:
        from cnnstat.pytorch.capture.importing import count_module
        from cnnstat.pytorch.capture.standins import Given

        with self._quiet():
            given = Given(specs, self.constants)
            return count_module(self.reference, self.module, given, remake=self.remake)

    def own_module(self, default: Mapping[str, TensorSpec]) -> Module:
        from copy import deepcopy

        from cnnstat.pytorch.capture.importing import with_shapes
        from cnnstat.pytorch.named import use_settings

        made = deepcopy(self.module) if self.remake is None else self.remake()
        made = with_shapes(made, self._given(default), kinds=("real",))
        use_settings(made, self._settings())
        return made

    def filled_copy(
        self, filling: Callable[[Tensor], Tensor], default: Mapping[str, TensorSpec]
    ) -> Module:
        from cnnstat.pytorch.capture.copying import filled_copy
        from cnnstat.pytorch.capture.importing import with_shapes
        from cnnstat.pytorch.named import use_settings

        inner = getattr(self.module, "_orig_mod", self.module)
        made = filled_copy(with_shapes(inner, self._given(default)), filling)
        use_settings(made, self._settings())
        return made

    def real_copy(self, default: Mapping[str, TensorSpec]) -> Module:
        from cnnstat.pytorch.capture.copying import filled_copy, with_contents
        from cnnstat.pytorch.capture.importing import with_shapes
        from cnnstat.pytorch.named import use_settings

        inner = getattr(self.module, "_orig_mod", self.module)
        inner = inner if self.remake is None else self.remake()
        inner = with_shapes(inner, self._given(default), kinds=("real",))
        made = filled_copy(inner, with_contents)
        use_settings(made, self._settings())
        return made

    def _given(self, default: Mapping[str, TensorSpec]) -> Given:
        from cnnstat.pytorch.capture.standins import Given

        return Given(self.latest or default, self.constants)

    def _settings(self) -> dict[str, Any]:
        return {name: each for name, each in self.constants.items() if not is_example(each)}

    def _completed(self, entering: Entrance, shape: tuple[int, ...] | None) -> TensorSpec:
        try:
            return TensorSpec(entering.completed(shape), entering.dtype)
        except UsageError as error:
            raise UsageError(f"{self.reference}: {error}") from None

    def _with_call(self, constants: Mapping[str, Any], method: str | None) -> Model:
        from cnnstat.pytorch.named import with_method

        constants = {**self.constants, **constants}
        if method is None:
            return replace(self, constants=constants).model()
        module = with_method(self.module, method, self.reference)
        old = self.remake
        remake = None if old is None else lambda: with_method(old(), method, self.reference)
        return replace(self, module=module, remake=remake, constants=constants).model()

    def _argument_names(self) -> tuple[str, ...]:
        from cnnstat.pytorch.named import positional_names

        return positional_names(self.module.forward)

    def _missing_argument(self, message: str) -> str:
        from cnnstat.pytorch.capture.refusals import needed_in_training

        return needed_in_training(self.module, self.latest, self.constants, message)

    def _quiet(self) -> AbstractContextManager[object]:
        # A model by reference may print what it likes; results alone go to standard output.
        return nullcontext() if self.remake is None else redirect_stdout(sys.stderr)
