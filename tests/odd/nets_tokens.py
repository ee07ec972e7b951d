"""Odd nets that turn pixels into tokens: attention and Linear layers on them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from tests.odd.blocks import conv


class AttnNC(nn.Module):
    """Attention over pixels by matmul."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8, stride=8)
        self.qkv = nn.Conv2d(8, 24, 1)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        B, Cc, H, W = y.shape
        q, k, v = self.qkv(y).flatten(2).chunk(3, 1)
        a = (q.transpose(1, 2) @ k * Cc ** (-0.5)).softmax(-1)
        z = (v @ a.transpose(1, 2)).view(B, Cc, H, W)
        return self.o(z + y)


class MHA(nn.Module):
    """A MultiheadAttention module."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8, stride=8)
        self.m = nn.MultiheadAttention(8, 2, batch_first=True)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        B, Cc, H, W = y.shape
        t = y.flatten(2).transpose(1, 2)
        t = self.m(t, t, t)[0] + t
        return self.o(t.transpose(1, 2).reshape(B, Cc, H, W))


class SDPA(nn.Module):
    """Scaled dot product attention with two heads."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8, stride=8)
        self.qkv = nn.Conv2d(8, 24, 1)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        B, _, H, W = y.shape
        q, k, v = self.qkv(y).view(B, 3, 2, 4, H * W).transpose(-1, -2).unbind(1)
        z = F.scaled_dot_product_attention(q, k, v)
        return self.o(z.transpose(-1, -2).reshape(B, 8, H, W) + y)


class Lin3(nn.Module):
    """An MLP on tokens with a residual."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8, stride=8)
        self.l = nn.Linear(8, 16)
        self.l2 = nn.Linear(16, 8)
        self.o = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x).flatten(2).transpose(1, 2)
        return self.o((y + self.l2(F.gelu(self.l(y)))).mean(1))


class Lin4(nn.Module):
    """An MLP on a channels-last map with a residual."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8, stride=8)
        self.l = nn.Linear(8, 16)
        self.l2 = nn.Linear(16, 8)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x).permute(0, 2, 3, 1)
        y = y + self.l2(F.gelu(self.l(y)))
        return self.o(y.permute(0, 3, 1, 2))


NETS = (
    AttnNC,
    MHA,
    SDPA,
    Lin3,
    Lin4,
)
