"""Odd nets about norms and what stands around them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from tests.odd.blocks import conv


class GN(nn.Module):
    """Group, instance and layer norms."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, padding=1)
        self.g = nn.GroupNorm(2, 8)
        self.b = nn.Conv2d(8, 8, 1)
        self.i = nn.InstanceNorm2d(8, affine=True)
        self.c = nn.Conv2d(8, 8, 1)
        self.l = nn.LayerNorm(8)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(
            self.l(self.c(F.relu(self.i(self.b(F.relu(self.g(self.a(x))))))).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        )


class LN2(nn.Module):
    """A layer norm over channels and pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.l = nn.LayerNorm([8, 64, 64])
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(self.l(self.a(x)))


class BNna(nn.Module):
    """A batch norm without affine and one without running statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, padding=1)
        self.n = nn.BatchNorm2d(8, affine=False)
        self.b = nn.Conv2d(8, 8, 1)
        self.m = nn.BatchNorm2d(8, track_running_stats=False)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(F.relu(self.m(self.b(F.relu(self.n(self.a(x)))))))


class ActThenBN(nn.Module):
    """A norm behind the activation."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, padding=1)
        self.n = nn.BatchNorm2d(8)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(self.n(F.relu(self.a(x))))


class BNBN(nn.Module):
    """Two norms in a row."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, padding=1)
        self.n = nn.BatchNorm2d(8)
        self.m = nn.BatchNorm2d(8)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(self.m(self.n(self.a(x))))


class BN_gamma_neg(nn.Module):
    """Channels silent before pruning: dead filters and dead norm entries."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, padding=1)
        self.n = nn.BatchNorm2d(8)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(F.relu(self.n(self.a(x))))

    def silence(self) -> None:
        """Kill norm entries 0 to 2 and filters 2 to 4; what the dead norm entries emit is 0, -1 and their shift."""
        with torch.no_grad():
            self.n.weight[:3] = 0
            self.a.weight[2:5] = 0
            self.n.bias[:2] = torch.tensor([0.0, -1.0])


class LRN(nn.Module):
    """Local response norm: neighbours count."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.n = nn.LocalResponseNorm(3)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(self.n(self.a(x)))


class L2Norm(nn.Module):
    """Each pixel divided by its length over the channels."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        return self.o(F.normalize(y, dim=1))


class GRN(nn.Module):
    """Global response norm: relative to the mean over channels."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        g = y.norm(2, dim=(2, 3), keepdim=True)
        return self.o(y * (g / (g.mean(1, keepdim=True) + 1e-06)) + y)


class SigAct(nn.Module):
    """A sigmoid, which no silence survives."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, padding=1)
        self.n = nn.BatchNorm2d(8)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(torch.sigmoid(self.n(self.a(x))))


class BiasNoBN(nn.Module):
    """A bias, no norm and softplus."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, padding=1)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(F.softplus(self.a(x)))


NETS = (
    GN,
    LN2,
    BNna,
    ActThenBN,
    BNBN,
    BN_gamma_neg,
    LRN,
    L2Norm,
    GRN,
    SigAct,
    BiasNoBN,
)
