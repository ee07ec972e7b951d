"""Parameters and multiply-accumulates, as torchinfo counts them."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import NamedTuple

from yolo_prune_check.channels.program import ModuleCall, Program
from yolo_prune_check.channels.tensors import Tensor


class _Use(NamedTuple):
    """A parameter of a module in one of its calls, which makes a value and counts the parameter so many times."""

    parameter: str
    call: ModuleCall
    output: int
    times: int


class Costs:
    """Counts of a traced model, and what changed parameters make of them.

    A convolution's weights and bias count once per output pixel, other parameters once per image; those with longer
    names (``weight_v``), once per entry of the first two axes. Of several tensors that a module returns the first is
    looked at.
    """

    def __init__(self, program: Program) -> None:
        """Count the untouched model."""
        self.sizes = program.sizes
        self.times: dict[str, int] = {}
        self._uses: list[_Use] = []
        self._tied = program.tied
        owned: dict[str, dict[str, str]] = {}  # a module counts a tensor once that it has under two names
        for name in self.sizes:
            owned.setdefault(name.rpartition(".")[0], {}).setdefault(self._tied.get(name, name), name)
        for call in program.calls:
            if call.sized is None:
                continue
            for name in owned.get(call.name, {}).values():
                times = _times(name, call, program.values[call.sized].shape)
                if times:
                    self.times[name] = self.times.get(name, 0) + times
                    self._uses.append(_Use(name, call, call.sized, times))
        self._params = sum(size for name, size in self.sizes.items() if self._tied.get(name, name) == name)
        self._macs = sum(self.sizes[name] * times for name, times in self.times.items())

    def params(self, changed: Mapping[str, Tensor] | None = None) -> int:
        """Parameters, some of which have other shapes."""
        changed = changed or {}
        growth = sum(self._growth(name, tensor) for name, tensor in changed.items())
        return self._params + growth + (self._copied(changed) if self._tied else 0)

    def macs(self, changed: Mapping[str, Tensor] | None = None, tensors: Mapping[int, Tensor] | None = None) -> int:
        """Multiply-accumulates of one image at the traced size.

        Args:
            changed: Parameters that have other shapes.
            tensors: Values that changed: one may have another number of pixels than it had, or of images.
        """
        changed, tensors = changed or {}, tensors or {}
        total = self._macs
        for name, tensor in changed.items():
            total += self._growth(name, tensor) * self.times.get(name, 0)
        for use in self._uses:
            made = tensors.get(use.output)
            if made is not None:
                more = _times(use.parameter, use.call, made.shape) - use.times
                total += more * self._size(use.parameter, changed)
        return total

    def _copied(self, changed: Collection[str]) -> int:
        """What copies add, which a plan makes of tensors that other modules hold as well."""
        copies = [name for name in changed if name in self._tied and name in self.sizes]
        kept = {first for name, first in self._tied.items() if name not in changed}
        given_up = {self._tied[name] for name in copies} - kept
        return sum(self.sizes[name] for name in copies) - sum(self.sizes[name] for name in given_up)

    def _size(self, name: str, changed: Mapping[str, Tensor]) -> int:
        return math.prod(changed[name].shape) if name in changed else self.sizes[name]

    def _growth(self, name: str, tensor: Tensor) -> int:
        return math.prod(tensor.shape) - self.sizes[name] if name in self.sizes else 0


def _times(parameter: str, call: ModuleCall, shape: tuple[int, ...]) -> int:
    """How often a parameter counts in a call of its module with a result of this shape."""
    part = parameter.rpartition(".")[2]
    if part in ("weight", "bias"):
        return math.prod(shape[:1] + shape[2:]) if "Conv" in call.class_name else shape[0]
    return math.prod(shape[:2]) if "weight" in part or "bias" in part else 0
