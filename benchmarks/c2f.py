"""C2f without its chunk, as Torch-Pruning needs it: two convolutions in place of one whose result is cut in halves.

Its own YOLOv8 example does the same. What comes out is another class, which a saved file then needs.
"""

from __future__ import annotations

from copy import copy

import torch
from torch import nn


class TwoConvC2f(nn.Module):
    """A C2f whose first convolution is two: ``cv0`` makes the first half of its channels, ``cv1`` the second.

    Args:
        block: An Ultralytics ``C2f`` or a class made from it; its other modules are shared with this one.
    """

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        first = block.get_submodule("cv1")
        self.cv0, self.cv1 = (_half(first, rows) for rows in _halves(first))
        self.cv2 = block.get_submodule("cv2")
        self.m = block.get_submodule("m")
        for name in ("i", "f", "type", "np"):  # by which Ultralytics routes its blocks
            if hasattr(block, name):
                setattr(self, name, getattr(block, name))
        self.train(block.training)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = [self.cv0(x), self.cv1(x)]
        for inner in self.m.children():
            parts.append(inner(parts[-1]))
        result: torch.Tensor = self.cv2(torch.cat(parts, 1))
        return result


def replace_c2f(model: nn.Module) -> int:
    """Replace every C2f of a model in place, those made from it (C3k2, C2fCIB) included; how many there were."""
    from ultralytics.nn.modules import C2f

    found = [(name, block) for name, block in model.named_modules() if isinstance(block, C2f)]
    for name, block in found:
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, TwoConvC2f(block))
    return len(found)


def _halves(first: nn.Module) -> tuple[slice, slice]:
    width = first.get_parameter("conv.weight").shape[0]
    return slice(0, width // 2), slice(width // 2, width)


def _half(first: nn.Module, rows: slice) -> nn.Module:
    """A copy of an Ultralytics ``Conv`` with these of its channels."""
    part = copy(first)
    part._modules = dict(first._modules)
    old, norm = first.get_submodule("conv"), first.get_submodule("bn")
    assert isinstance(old, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    width = old.weight[rows].shape[0]
    conv = nn.Conv2d(old.in_channels, width, old.kernel_size, old.stride, old.padding, bias=False)  # type: ignore[arg-type]
    conv.weight = nn.Parameter(old.weight.detach()[rows].clone())
    fresh = nn.BatchNorm2d(width, norm.eps, norm.momentum)
    for tensor in ("weight", "bias", "running_mean", "running_var"):
        getattr(fresh, tensor).data.copy_(getattr(norm, tensor).detach()[rows])
    part._modules["conv"], part._modules["bn"] = conv, fresh
    return part
