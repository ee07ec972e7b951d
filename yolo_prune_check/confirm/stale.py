"""Module attributes that no longer say how wide the module is.

PyTorch's own, such as a convolution's ``in_channels``, must fit the weight. Of others, such as ``c`` of Ultralytics'
C2f, it is not known what they mean. But where one held, before pruning, the width of a layer in its module, or half of
it, it still has to hold the width, or half, of one of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from yolo_prune_check.prune.scatter import ChannelScatter, Scattering

_NO_WIDTHS = frozenset({"i", "f", "np"})
"""What Ultralytics notes of a block: its place, its input's place, how many parameters it had when it was built."""


@dataclass(frozen=True)
class Stale:
    """An attribute that is not true any more: where it is, what it holds, and what it was held against."""

    module: str
    attribute: str
    value: int
    why: str

    def __str__(self) -> str:
        return f"{self.module}.{self.attribute} is {self.value}, {self.why}"


def stale_attributes(untouched: nn.Module, pruned: nn.Module) -> list[Stale]:
    """All stale attributes of a pruned model.

    Args:
        untouched: The model before, or one of its widths.
        pruned: The model after; it has the same modules, but for those that an execution has added.
    """
    found = [item for name, module in pruned.named_modules() for item in _of_torch(name, module)]
    before = dict(untouched.named_modules())
    for name, module in pruned.named_modules():
        if name in before and not _is_torch(module):
            found += _of_others(name, before[name], module)
    return found


def _is_torch(module: nn.Module) -> bool:
    return type(module).__module__.startswith("torch.")


def _of_torch(name: str, module: nn.Module) -> Iterator[Stale]:
    """Of a convolution, a batch norm or a linear layer."""
    weight = module._parameters.get("weight")
    if weight is None:
        return
    true: dict[str, int] = {}
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        true = {"out_channels": weight.shape[0], "in_channels": weight.shape[1] * module.groups}
    elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.SyncBatchNorm):
        true = {"num_features": weight.shape[0]}
    elif isinstance(module, nn.Linear):
        true = {"out_features": weight.shape[0], "in_features": weight.shape[1]}
    for attribute, width in true.items():
        held = getattr(module, attribute)
        if held != width:
            yield Stale(name, attribute, held, f"its weight is {_shape(weight)}")


def _shape(weight: torch.Tensor) -> str:
    return " x ".join(map(str, weight.shape))


def _of_others(name: str, before: nn.Module, after: nn.Module) -> Iterator[Stale]:
    meant, there, widened = _widths(before), _widths(after), _widened(after)
    for attribute, value in vars(after).items():
        held = vars(before).get(attribute)
        if type(value) is not int or type(held) is not int or attribute in _NO_WIDTHS:
            continue
        sources = [source for source, width in meant.items() if width == held and source in there]
        if sources and value not in widened and all(there[source] != value for source in sources):
            what, width = sources[0], there[sources[0]]
            yield Stale(name, attribute, value, f"{what} is {width}; both were {held}")


def _widths(module: nn.Module) -> dict[str, int]:
    """Widths of the convolutions in a module, and their halves, by what they are."""
    found: dict[str, int] = {}
    for name, child in module.named_modules():
        if isinstance(child, nn.Conv2d):
            found[f"the width of {name}"] = child.out_channels
            found[f"what {name} takes"] = child.in_channels
            if child.out_channels % 2 == 0:
                found[f"half of the width of {name}"] = child.out_channels // 2
    return found


def _widened(module: nn.Module) -> set[int]:
    """How wide adapters in a module make what narrower layers emit."""
    return {len(child.source) for child in module.modules() if isinstance(child, ChannelScatter | Scattering)}
