"""Odd nets that add, scale and reduce over channels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from tests.odd.blocks import conv


class BroadcastRes(nn.Module):
    """One channel scales and shifts eight."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.b = conv(3, 1)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(self.a(x) * self.b(x).sigmoid() + self.b(x))


class SE(nn.Module):
    """Squeeze and excitation."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.f1 = nn.Conv2d(8, 2, 1)
        self.f2 = nn.Conv2d(2, 8, 1)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        return self.o(y * self.f2(F.relu(self.f1(y.mean((2, 3), keepdim=True)))).sigmoid())


class PlusOne(nn.Module):
    """A constant added to every channel."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(self.a(x) + 1)


class PlusPos(nn.Module):
    """A parameter added per channel."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.p = nn.Parameter(torch.randn(1, 8, 1, 1))
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(self.a(x) + self.p)


class LayerScale(nn.Module):
    """A parameter scales each channel."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.p = nn.Parameter(torch.randn(8))
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(self.a(x) * self.p.view(1, -1, 1, 1))


class PlusImage(nn.Module):
    """The image added to a map of three channels."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 3)
        self.o = nn.Conv2d(3, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(self.a(x) + x)


class PlusMean(nn.Module):
    """The mean of the image subtracted."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(self.a(x) - x.mean(1, keepdim=True))


class SoftmaxCh(nn.Module):
    """A softmax over the channels."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(self.a(x).softmax(1))


class ChanMean(nn.Module):
    """The mean over the channels subtracted."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        return self.o(y - y.mean(1, keepdim=True))


class ChanSum(nn.Module):
    """Mean and maximum over the channels."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.o = nn.Conv2d(2, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        return self.o(torch.cat([y.mean(1, keepdim=True), y.max(1, keepdim=True)[0]], 1))


class MaxCh(nn.Module):
    """A gate from the maximum over the channels."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        return self.o(y) * y.amax(1, keepdim=True).sigmoid()


class CBAM(nn.Module):
    """Spatial attention from mean and maximum over the channels."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.b = conv(8, 8)
        self.sp = nn.Conv2d(2, 1, 7, padding=3)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.b(self.a(x))
        return self.o(y * self.sp(torch.cat([y.mean(1, keepdim=True), y.amax(1, keepdim=True)], 1)).sigmoid())


class Maxout(nn.Module):
    """The larger of two halves."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.o = nn.Conv2d(4, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        u, v = self.a(x).chunk(2, 1)
        return self.o(torch.maximum(u, v))


class MaxRes(nn.Module):
    """The larger of two maps."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.b = conv(3, 8)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(torch.maximum(self.a(x), self.b(x)))


class GLU(nn.Module):
    """One half gates the other."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.o = nn.Conv2d(4, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(F.glu(self.a(x), 1))


NETS = (
    BroadcastRes,
    SE,
    PlusOne,
    PlusPos,
    LayerScale,
    PlusImage,
    PlusMean,
    SoftmaxCh,
    ChanMean,
    ChanSum,
    MaxCh,
    CBAM,
    Maxout,
    MaxRes,
    GLU,
)
