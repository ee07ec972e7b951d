"""Look at every concat, split and residual add of a running model: how wide, and how many channels are not silent.

Seen are the calls that Python makes, not those that an operator makes inside, so that the ``cat`` in a ``stack`` is no
junction, and a ``chunk`` is one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from yolo_prune_check.prune.oplog import OpLog
from yolo_prune_check.prune.running import Running

_CATS = (torch.cat, torch.concat, torch.concatenate)
_SPLITS = (
    *(torch.chunk, torch.split, torch.split_with_sizes),
    *(torch.Tensor.chunk, torch.Tensor.split, torch.Tensor.split_with_sizes),
)
_ADDS = (
    *(torch.add, torch.Tensor.add, torch.Tensor.add_),
    *(torch.Tensor.__add__, torch.Tensor.__radd__, torch.Tensor.__iadd__),
)
_NAMES: dict[Any, str] = {
    **dict.fromkeys(_CATS, "cat"),
    **dict.fromkeys(_SPLITS, "split"),
    **dict.fromkeys(_ADDS, "add"),
}


@dataclass(frozen=True)
class SeenPort:
    """Channels and active channels of one operand or result."""

    channels: int
    active: int


class JunctionWatch(TorchFunctionMode):
    """Record the operands and results of each junction by ``module:operator`` and port, while the mode is on.

    Args:
        running: Which module runs.
        log: The log that is kept of the same pass, to which this adds nothing.

    Attributes:
        ports: What was seen at each operand and result.
    """

    def __init__(self, running: Running, log: OpLog) -> None:
        super().__init__()
        self.ports: dict[tuple[str, str], SeenPort] = {}
        self._running = running
        self._log = log
        self._seen: Counter[str] = Counter()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = _NAMES.get(func)
        if name is None:
            return func(*args, **kwargs)
        inputs = _flat((*args, *(item for key, item in kwargs.items() if key != "out")))
        # Before the call, which may write into its operand.
        seen = self._ports("in", inputs) if _joins(name, inputs, args, kwargs) else None
        output = func(*args, **kwargs)
        outputs = _flat(output)
        if seen is not None and _maps(outputs):
            base = f"{self._running.innermost}:{name}"
            self._seen[base] += 1
            operator = base if self._seen[base] == 1 else f"{base}#{self._seen[base]}"
            for port, state in {**seen, **self._ports("out", outputs)}.items():
                self.ports[operator, port] = state
        return output

    def _ports(self, side: str, tensors: list[torch.Tensor]) -> dict[str, SeenPort]:
        with self._log.pause():
            return {
                f"{side}{index}": SeenPort(tensor.shape[1], int(active_channels(tensor).sum()))
                for index, tensor in enumerate(tensors)
            }


def active_channels(tensor: torch.Tensor) -> torch.Tensor:
    """Which channels of ``(N, C, ...)`` are not zero everywhere: ``(C,)``, boolean."""
    return tensor.ne(0).any(dim=tuple(axis for axis in range(tensor.ndim) if axis != 1))


def _joins(name: str, inputs: list[torch.Tensor], args: Any, kwargs: Any) -> bool:
    """Only feature maps (N, C, H, W) count, joined or cut along C, added to another feature map."""
    if not _maps(inputs):
        return False
    if name == "add":
        return len(inputs) == 2
    position = 1 if name == "cat" else 2
    axis = kwargs.get("dim", kwargs.get("axis", args[position] if len(args) > position else 0))
    return int(axis) % 4 == 1


def _maps(tensors: list[torch.Tensor]) -> bool:
    return all(tensor.ndim == 4 for tensor in tensors)


def _flat(tree: Any) -> list[torch.Tensor]:
    if isinstance(tree, torch.Tensor):
        return [tree]
    if isinstance(tree, (list, tuple)):
        return [tensor for item in tree for tensor in _flat(item)]
    return []
