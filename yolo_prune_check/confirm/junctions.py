"""Look at every concat, split and residual add of a running model: how wide, and how many channels are not silent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from yolo_prune_check.confirm.running import Running

_CATS = (torch.cat, torch.concat, torch.concatenate)
_SPLITS = (torch.chunk, torch.Tensor.chunk, torch.split, torch.Tensor.split)
_ADDS = (torch.add, torch.Tensor.add, torch.Tensor.add_, torch.Tensor.__add__, torch.Tensor.__iadd__)


@dataclass(frozen=True)
class SeenPort:
    """Channels and active channels of one operand or result."""

    channels: int
    active: int


@dataclass
class JunctionWatch(TorchFunctionMode):
    """Record the operands and results of each junction by ``module:operator`` and port, while the mode is on."""

    running: Running
    ports: dict[tuple[str, str], SeenPort] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        name = "cat" if func in _CATS else "split" if func in _SPLITS else "add" if func in _ADDS else None
        if name is not None:
            inputs = _flat(args[:1] if name != "add" else args)
            outputs = _flat(output)
            if self._counts(name, inputs, outputs, args, kwargs):
                self._record(name, inputs, outputs)
        return output

    def _counts(
        self, name: str, inputs: list[torch.Tensor], outputs: list[torch.Tensor], args: Any, kwargs: Any
    ) -> bool:
        """Only feature maps (N, C, H, W) count, joined or cut along C, added to another feature map."""
        if any(tensor.ndim != 4 for tensor in (*inputs, *outputs)):
            return False
        if name == "add":
            return len(inputs) == 2
        position = 1 if name == "cat" else 2
        axis = kwargs.get("dim", args[position] if len(args) > position else 0)
        return int(axis) % 4 == 1

    def _record(self, name: str, inputs: list[torch.Tensor], outputs: list[torch.Tensor]) -> None:
        base = f"{self.running.innermost}:{name}"
        self.seen[base] += 1
        operator = base if self.seen[base] == 1 else f"{base}#{self.seen[base]}"
        for side, tensors in (("in", inputs), ("out", outputs)):
            for index, tensor in enumerate(tensors):
                self.ports[operator, f"{side}{index}"] = SeenPort(tensor.shape[1], active_channels(tensor))


def active_channels(tensor: torch.Tensor) -> int:
    """Number of channels of ``(N, C, ...)`` that are not zero everywhere."""
    return int((tensor != 0).transpose(0, 1).flatten(1).any(1).sum())


def _flat(tree: Any) -> list[torch.Tensor]:
    if isinstance(tree, torch.Tensor):
        return [tree]
    if isinstance(tree, (list, tuple)):
        return [tensor for item in tree for tensor in _flat(item)]
    return []
