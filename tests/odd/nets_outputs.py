"""Odd nets about what comes out, or barely anything."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from tests.odd.blocks import conv


class DictOut(nn.Module):
    """A dict with a list and a number in it."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.b = conv(8, 8)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> dict[str, object]:
        y = self.a(x)
        z = self.b(y)
        return {"feat": z, "out": [self.o(z + y)], "n": 3}


class NoParams(nn.Module):
    """No layer at all."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x) * 2


class OutConvItself(nn.Module):
    """A block read by the next and by the outside."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.b = conv(8, 6)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y = self.a(x)
        return (y, self.b(y))


class SeqEndAct(nn.Sequential):
    """A bare Sequential that ends in an activation."""

    def __init__(self) -> None:
        super().__init__(*conv(3, 8), *conv(8, 6))


class HalfM(nn.Module):
    """One block and a head, for every dtype."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(self.a(x))


NETS = (
    DictOut,
    NoParams,
    OutConvItself,
    SeqEndAct,
    HalfM,
)
