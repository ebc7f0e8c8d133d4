"""Models that are PyTorch modules: captured, counted and copied as they are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

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


def module_model(
    reference: str, module: Module, remake: Callable[[], Module] | None = None
) -> Model:
    """Return the model that a module is.

    ``remake`` returns a new module with weights, where a reference names the module.
    """
    from cnnstat.pytorch.capture.entrance import entrance

    return OwnModule(reference, module, remake, entrance(module)).model()


@dataclass(frozen=True)
class OwnModule:
    """A module and the arguments of its forward pass that are known."""

    reference: str
    module: Module
    remake: Callable[[], Module] | None
    entrance: Entrance
    constants: Mapping[str, Any] = field(default_factory=dict)
    latest: dict[str, TensorSpec] = field(default_factory=dict)
    """The inputs of the last trace: what a lazy module gets its shapes from."""

    def model(self) -> Model:
        """Return the model."""
        return Model(
            self.reference, self._usual(), trace=self.trace, complete=self._completed, own=self
        )

    @property
    def examples(self) -> dict[str, Tensor]:
        """The inputs that have contents."""
        return {name: each for name, each in self.constants.items() if is_example(each)}

    def trace(self, specs: Mapping[str, TensorSpec], *, training: bool = False) -> Imported:
        """Return the graph of the module on inputs of these specs."""
        from cnnstat.pytorch.capture.importing import import_module
        from cnnstat.pytorch.capture.standins import ForwardArguments

        self.latest.clear()
        self.latest.update(specs)
        with self._quiet():
            return import_module(
                self.reference,
                self.module,
                ForwardArguments(specs, self.constants),
                remake=self.remake,
                training=training,
            )

    def count(self, specs: Mapping[str, TensorSpec]) -> ModuleMeasurement:
        """Return what FlopCounterMode counts of the module."""
        from cnnstat.pytorch.capture.importing import count_module
        from cnnstat.pytorch.capture.standins import ForwardArguments

        with self._quiet():
            arguments = ForwardArguments(specs, self.constants)
            return count_module(self.reference, self.module, arguments, remake=self.remake)

    def made(self, specs: Mapping[str, TensorSpec] | None = None) -> Module:
        """Return the user's own module, a new one with weights each time.

        A lazy module gets its shapes from inputs of ``specs``, by default of the last trace.
        """
        from copy import deepcopy

        made = deepcopy(self.module) if self.remake is None else self.remake()
        return self._set(made, "real", specs=specs)

    def filled_copy(self, filling: Callable[[Tensor], Tensor]) -> Module:
        """Return a copy whose stored tensors are what a function makes of each."""
        return self._set(self._inner, filling=filling)

    def real_copy(self) -> Module:
        """Return a copy with real tensors, which reaches nothing outside itself."""
        from cnnstat.pytorch.capture.copying import with_contents

        made = self._inner if self.remake is None else self.remake()
        return self._set(made, "real", filling=with_contents)

    @property
    def _inner(self) -> Module:
        inner: Module = getattr(self.module, "_orig_mod", self.module)
        return inner

    def _set(
        self,
        module: Module,
        *kinds: Literal["real"],
        filling: Callable[[Tensor], Tensor] | None = None,
        specs: Mapping[str, TensorSpec] | None = None,
    ) -> Module:
        """Return a module with all shapes, a copy if it is to be filled, with the call's settings.

        ``kinds`` are the tensors that a lazy module may run on.
        """
        from cnnstat.pytorch.capture.copying import filled_copy
        from cnnstat.pytorch.capture.importing import ALL_KINDS, with_shapes
        from cnnstat.pytorch.capture.standins import ForwardArguments
        from cnnstat.pytorch.named import use_settings

        arguments = ForwardArguments(specs or self.latest or self._usual(), self.constants)
        made = with_shapes(self.reference, module, arguments, kinds=kinds or ALL_KINDS)
        made = made if filling is None else filled_copy(made, filling)
        settings = {name: each for name, each in self.constants.items() if not is_example(each)}
        use_settings(made, settings)
        return made

    def _usual(self) -> dict[str, TensorSpec]:
        return {"input": TensorSpec((1, *self.entrance.shape), self.entrance.dtype)}

    def _completed(self, shape: tuple[int, ...] | None) -> TensorSpec:
        try:
            return TensorSpec(self.entrance.completed(shape), self.entrance.dtype)
        except UsageError as error:
            raise UsageError(f"{self.reference}: {error}") from None

    def with_call(self, constants: Mapping[str, Any], method: str | None = None) -> Model:
        """Return the model with arguments of the forward pass that are known, or another method."""
        from cnnstat.pytorch.capture.entrance import entrance
        from cnnstat.pytorch.named import with_method

        constants = {**self.constants, **constants}
        if method is None:
            return replace(self, constants=constants).model()
        module, old = with_method(self.module, method, self.reference), self.remake
        remake = None if old is None else lambda: with_method(old(), method, self.reference)
        return OwnModule(
            self.reference, module, remake, entrance(module), constants, self.latest
        ).model()

    def argument_names(self) -> tuple[str, ...]:
        """Return the names of the positional arguments of the forward pass."""
        from cnnstat.pytorch.named import positional_names

        return positional_names(self.module.forward)

    def missing_argument(self, message: str) -> str:
        """Return what a message of the forward pass in training mode asks for; "" for nothing."""
        from cnnstat.pytorch.capture.refusals import needed_in_training

        return needed_in_training(self.module, self.latest, self.constants, message)

    def _quiet(self) -> AbstractContextManager[object]:
        # A model by reference may print what it likes; results alone go to standard output.
        return nullcontext() if self.remake is None else redirect_stdout(sys.stderr)
