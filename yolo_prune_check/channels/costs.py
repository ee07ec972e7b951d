"""Parameters and multiply-accumulates, as torchinfo counts them."""

from __future__ import annotations

import math
from collections.abc import Mapping

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
        self._params = sum(self.sizes.values())
        self._macs = sum(self.sizes[name] * times for name, times in self.times.items())

    def params(self, changed: Mapping[str, Tensor] | None = None) -> int:
        """Parameters, some of which have other shapes."""
        return self._params + sum(self._growth(name, tensor) for name, tensor in (changed or {}).items())

    def macs(self, changed: Mapping[str, Tensor] | None = None) -> int:
        """Multiply-accumulates of one image at the traced size, feature maps being as large as they were."""
        return self._macs + sum(
            self._growth(name, tensor) * self.times.get(name, 0) for name, tensor in (changed or {}).items()
        )

    def _growth(self, name: str, tensor: Tensor) -> int:
        return math.prod(tensor.shape) - self.sizes[name] if name in self.sizes else 0
