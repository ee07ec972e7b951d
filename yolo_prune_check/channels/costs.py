"""Parameters and multiply-accumulates, as torchinfo counts them."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from yolo_prune_check.channels.program import Program
from yolo_prune_check.channels.tensors import Tensor


class Costs:
    """Counts of a traced model, and what changed parameters make of them.

    A convolution's weights and bias count once per output pixel, other parameters once per image.
    """

    def __init__(self, program: Program) -> None:
        """Count the untouched model."""
        self.sizes = program.sizes
        self.times: dict[str, int] = {}
        for call in program.calls:
            if not call.is_leaf or call.output is None:
                continue
            shape = program.values[call.output].shape
            times = math.prod(shape[:1] + shape[2:]) if "Conv" in call.class_name else shape[0]
            for name in (f"{call.name}.weight", f"{call.name}.bias"):
                if name in self.sizes:
                    self.times[name] = self.times.get(name, 0) + times
        self._tied = program.tied
        self._params = sum(size for name, size in self.sizes.items() if self._tied.get(name, name) == name)
        self._macs = sum(self.sizes[name] * times for name, times in self.times.items())

    def params(self, changed: Mapping[str, Tensor] | None = None) -> int:
        """Parameters, some of which have other shapes."""
        changed = changed or {}
        growth = sum(self._growth(name, tensor) for name, tensor in changed.items())
        return self._params + growth + (self._copied(changed) if self._tied else 0)

    def macs(self, changed: Mapping[str, Tensor] | None = None) -> int:
        """Multiply-accumulates of one image at the traced size, feature maps being as large as they were."""
        return self._macs + sum(
            self._growth(name, tensor) * self.times.get(name, 0) for name, tensor in (changed or {}).items()
        )

    def _copied(self, changed: Collection[str]) -> int:
        """What copies add, which a plan makes of tensors that other modules hold as well."""
        copies = [name for name in changed if name in self._tied and name in self.sizes]
        kept = {first for name, first in self._tied.items() if name not in changed}
        given_up = {self._tied[name] for name in copies} - kept
        return sum(self.sizes[name] for name in copies) - sum(self.sizes[name] for name in given_up)

    def _growth(self, name: str, tensor: Tensor) -> int:
        return math.prod(tensor.shape) - self.sizes[name] if name in self.sizes else 0
