"""Odd nets that write into tensors: slices, buffers, chunks, in-place activations."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from tests.odd.blocks import conv


class InplaceChunk(nn.Module):
    """Adds in place into one chunk of a tensor read later."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.b = conv(4, 4)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        u, v = y.chunk(2, 1)
        v.add_(self.b(u))
        return self.o(y)


class InplaceRelu(nn.Module):
    """Reads a tensor after an in-place ReLU has changed it."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, padding=1)
        self.r = nn.ReLU(inplace=True)
        self.o = nn.Conv2d(8, 4, 1)
        self.p = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        z = self.r(y)
        return self.o(y) + self.p(z)


class SlicesAssign(nn.Module):
    """Sets the first half of the channels to zero."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x).clone()
        y[:, :4] = 0
        return self.o(y)


class BufWrite(nn.Module):
    """Copies all channels into a fresh buffer of literal width."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.b = conv(8, 8)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        z = torch.zeros(1, 8, *y.shape[2:])
        z[:, :8] = y
        return self.o(self.b(z))


class BufWrite2(nn.Module):
    """Copies all channels into a fresh buffer of the same shape."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.b = conv(8, 8)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        z = torch.zeros_like(y)
        z[:] = y
        return self.o(self.b(z))


class OutKw(nn.Module):
    """Adds into a buffer by ``out=``."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.b = conv(3, 8)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        z = torch.empty_like(y)
        torch.add(y, self.b(x), out=z)
        return self.o(z)


class PartWrite(nn.Module):
    """Two maps written into the halves of a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 4)
        self.b = conv(3, 4)
        self.m = conv(8, 8)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        z = y.new_zeros(1, 8, *y.shape[2:])
        z[:, :4] = y
        z[:, 4:] = self.b(x)
        return self.o(self.m(z))


class PartWriteKept(nn.Module):
    """Adds into the first half of another map."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 4)
        self.b = conv(3, 8)
        self.m = conv(8, 8)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = self.b(x).clone()
        z[:, :4] += self.a(x)
        return self.o(self.m(z))


class NarrowWrite(nn.Module):
    """Writes into half of the channels, taken by narrow."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.b = conv(3, 4)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        y.narrow(1, 4, 4).copy_(self.b(x))
        return self.o(y)


class PartWriteOut(nn.Module):
    """Pads by writing into the middle of a larger buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.m = conv(8, 8)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        z = torch.zeros(1, 8, y.shape[2] + 2, y.shape[3] + 2, dtype=y.dtype)
        z[:, :, 1:-1, 1:-1] = y
        return self.o(F.relu(self.m(z)))


NETS = (
    InplaceChunk,
    InplaceRelu,
    SlicesAssign,
    BufWrite,
    BufWrite2,
    OutKw,
    PartWrite,
    PartWriteKept,
    NarrowWrite,
    PartWriteOut,
)
