"""Numbered values and the operators on them, in the order in which a running model makes them."""

from __future__ import annotations

from collections.abc import Mapping
from operator import index
from typing import Any

import torch
from torch import nn

from yolo_prune_check.channels.called import Called
from yolo_prune_check.channels.program import Op, Value


class Tape:
    """Values and operators of a pass, as they come.

    Attributes:
        names: The first name of every module.
        parameters: By id of a parameter or buffer, its name; of one that several modules hold, that last read.
        sizes: By a parameter's name, how many numbers it holds.
        tied: By id of a parameter or buffer that several modules hold, all its names.
        values: Everything that operators read and make.
        ids: By id of a tensor, its value.
        derived: Ids of tensors that depend on the image.
        alive: The tensor of each value; kept, for ids are memory addresses.
        storages: By memory, the values that lie in it.
        ops: The operators.
        stack: Modules that run, the innermost last.
        image: The image's value.
        called: The function of PyTorch's that runs.
        visited: Parameters that constants were computed from.
        elsewhere: Parameters of which something is made that the program does not hold.
    """

    def __init__(self, names: Mapping[nn.Module, str]) -> None:
        """Nothing has run yet."""
        self.names = names
        self.parameters: dict[int, str] = {}
        self.sizes: dict[str, int] = {}
        self.tied: dict[int, list[str]] = {}
        for module, owner in names.items():
            prefix = f"{owner}." if owner else ""
            for name, parameter in module._parameters.items():
                if parameter is not None:
                    self._call(parameter, prefix + name)
                    self.sizes[prefix + name] = parameter.numel()
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    self._call(buffer, prefix + name)
        self.values: list[Value] = []
        self.ids: dict[int, int] = {}
        self.derived: set[int] = set()
        self.alive: list[torch.Tensor] = []
        self.storages: dict[int, list[int]] = {}
        self.ops: list[Op] = []
        self.stack: list[str] = []
        self.image = 0
        self.called = Called()
        self.visited: set[str] = set()
        self.elsewhere: set[str] = set()

    def _call(self, tensor: torch.Tensor, name: str) -> None:
        first = self.parameters.setdefault(id(tensor), name)
        if first != name:
            self.tied.setdefault(id(tensor), [first]).append(name)

    @property
    def running(self) -> str:
        """The module that runs."""
        return self.stack[-1] if self.stack else ""

    def add(self, tensor: torch.Tensor, *, derived: bool) -> int:
        """A number for a tensor; ``derived`` if it depends on the image."""
        value = Value(len(self.values), tuple(map(index, tensor.shape)), self.parameters.get(id(tensor)), derived)
        self.values.append(value)
        self.ids[id(tensor)] = value.id
        self.alive.append(tensor)
        self.storages.setdefault(memory_of(tensor), []).append(value.id)
        if derived:
            self.derived.add(id(tensor))
        return value.id

    def value_of(self, tensor: torch.Tensor) -> int:
        """The number of a tensor; a new one is a constant."""
        if self.tied and id(tensor) in self.tied and id(tensor) not in self.derived:
            return self._tied_value(tensor)
        found = self.ids.get(id(tensor))
        return self.add(tensor, derived=False) if found is None else found

    def _tied_value(self, tensor: torch.Tensor) -> int:
        """The number of a tensor that several modules hold: to each of them it is a parameter of its own."""
        names = self.tied[id(tensor)]
        running = self.running
        name = next((name for name in names if name.rpartition(".")[0] == running), names[0])
        for value in self.storages.get(memory_of(tensor), ()):
            if self.values[value].parameter == name:
                return value
        self.parameters[id(tensor)] = name
        return self.add(tensor, derived=False)

    def is_derived(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor depends on the image."""
        return id(tensor) in self.derived

    def is_parameter(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor is a parameter or buffer of the model."""
        return id(tensor) in self.parameters

    def append(
        self,
        target: str,
        args: Any,
        kwargs: Any,
        operands: list[torch.Tensor],
        results: list[torch.Tensor],
        *,
        in_place: bool = False,
        derived: bool = True,
    ) -> None:
        """Add an operator of the running module.

        Args:
            target: Its name.
            args: Its arguments, as ``Op`` has them.
            kwargs: Likewise, by name.
            operands: The tensors that it reads.
            results: The tensors that it makes, each a new value.
            in_place: Whether it writes into its first operand.
            derived: Whether the results depend on the image.
        """
        inputs = tuple([self.value_of(t) for t in operands])
        outputs = tuple([self.add(t, derived=derived) for t in results])
        called = self.called
        unpacked, enough = (called.unpacked, called.enough) if len(outputs) > 1 else (None, None)
        self.ops.append(
            Op(len(self.ops), target, self.running, args, kwargs, inputs, outputs, in_place, unpacked, enough)
        )


def memory_of(tensor: torch.Tensor) -> int:
    """The memory that a tensor lies in; views of one tensor lie in the same."""
    return int(tensor.untyped_storage()._cdata)
