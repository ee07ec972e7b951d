"""Odd nets of layers other than plain convolutions: transposed, 1-D, depthwise, Linear, pooling, padding."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from tests.odd.blocks import conv


class Transposed(nn.Module):
    """A transposed convolution with a norm."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.t = nn.ConvTranspose2d(8, 6, 2, 2)
        self.n = nn.BatchNorm2d(6)
        self.o = nn.Conv2d(6, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(F.relu(self.n(self.t(self.a(x)))))


class TransposedG(nn.Module):
    """A grouped transposed convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.t = nn.ConvTranspose2d(8, 6, 2, 2, groups=2)
        self.o = nn.Conv2d(6, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(F.relu(self.t(self.a(x))))


class Conv1(nn.Module):
    """A 1-D convolution over flattened pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.c = nn.Conv1d(8, 6, 3, padding=1)
        self.l = nn.Linear(6, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x).flatten(2)
        y = F.relu(self.c(y)).mean(2)
        return self.l(y)


class DWmult(nn.Module):
    """Depthwise out and in again with a multiplier of two."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 4)
        self.b = conv(4, 8, 3, groups=4)
        self.c = conv(8, 4, 3, groups=4)
        self.o = nn.Conv2d(4, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(self.c(self.b(self.a(x))))


class LinBN1(nn.Module):
    """A 1-D batch norm before a Linear."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.n = nn.BatchNorm1d(8)
        self.l = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.l(self.n(self.a(x).mean((2, 3))))


class Drop(nn.Module):
    """Dropout before a Linear."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.d = nn.Dropout(0.5)
        self.l = nn.Linear(8, 4)
        self.p = nn.AdaptiveAvgPool2d(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.l(self.d(self.p(self.a(x)).flatten(1)))


class PR(nn.Module):
    """PReLU per channel and shared, Hardswish and Dropout2d."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, padding=1)
        self.p = nn.PReLU(8)
        self.b = nn.Conv2d(8, 8, 1)
        self.q = nn.PReLU()
        self.h = nn.Hardswish()
        self.c = nn.Conv2d(8, 8, 1)
        self.d = nn.Dropout2d(0.3)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(self.d(self.h(self.c(self.q(self.b(self.p(self.a(x))))))))


class Inter(nn.Module):
    """Bilinear and bicubic resizing."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8, stride=2)
        self.b = conv(8, 8, stride=2)
        self.o = nn.Conv2d(16, 4, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y = self.a(x)
        z = F.interpolate(self.b(y), size=y.shape[2:], mode="bilinear")
        z2 = F.interpolate(z, scale_factor=2, mode="bicubic")
        return (self.o(torch.cat([y, z], 1)), z2)


class AvgPad(nn.Module):
    """Average pooling with and without counted padding, and max pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.p = nn.AvgPool2d(3, 2, 1)
        self.p2 = nn.AvgPool2d(3, 2, 1, count_include_pad=False)
        self.m = nn.MaxPool2d(3, 2, 1, ceil_mode=True)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        return self.o(self.p(y) + self.p2(y) + self.m(y)[:, :, : self.p(y).shape[2], : self.p(y).shape[3]])


def pad_reflect() -> nn.Module:
    """Convolutions that mirror the edge."""
    return _padded("reflect")


def pad_circular() -> nn.Module:
    """Convolutions that wrap around."""
    return _padded("circular")


def pad_replicate() -> nn.Module:
    """Convolutions that repeat the edge."""
    return _padded("replicate")


def _padded(mode: str) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.SiLU(),
        nn.Conv2d(8, 8, 3, padding=1, padding_mode=mode),
        nn.ReLU(),
        nn.Conv2d(8, 8, 5, padding=2, padding_mode=mode, groups=8),
        nn.Conv2d(8, 4, 1),
    )


NETS = (
    Transposed,
    TransposedG,
    Conv1,
    DWmult,
    LinBN1,
    Drop,
    PR,
    Inter,
    AvgPad,
    pad_reflect,
    pad_circular,
    pad_replicate,
)
