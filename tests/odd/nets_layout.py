"""Odd nets that move, repeat, split and pick channels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from tests.odd.blocks import conv


class Shuffle(nn.Module):
    """A channel shuffle by view and transpose between grouped convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.g = conv(8, 12, 3, groups=2)
        self.h = conv(12, 12, 3, groups=3)
        self.o = nn.Conv2d(12, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.g(self.a(x))
        b, c, h, w = y.shape
        y = y.view(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w)
        return self.o(self.h(y))


class ShuffleMod(nn.Module):
    """A channel shuffle by its module."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.g = conv(8, 12, 3, groups=2)
        self.cs = nn.ChannelShuffle(2)
        self.h = conv(12, 12, 3, groups=2)
        self.o = nn.Conv2d(12, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(self.h(self.cs(self.g(self.a(x)))))


class PixShuf(nn.Module):
    """Channels become pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.p = nn.PixelShuffle(2)
        self.o = nn.Conv2d(2, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(self.p(self.a(x)))


class PixUnshuf(nn.Module):
    """Pixels become channels."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 4)
        self.p = nn.PixelUnshuffle(2)
        self.o = nn.Conv2d(16, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(self.p(self.a(x)))


class NestedCat(nn.Module):
    """A concat of a concat, with a norm of its own behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 4)
        self.b = conv(3, 5)
        self.n = nn.BatchNorm2d(13)
        self.o = nn.Conv2d(13, 6, 1)
        self.p = nn.Conv2d(6 + 13, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        u = self.a(x)
        y = torch.cat([torch.cat([u, self.b(x)], 1), u], 1)
        z = F.relu(self.n(y))
        return self.p(torch.cat([self.o(z), y], 1))


class Chunk3(nn.Module):
    """Three chunks, put together in another order."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 12)
        self.b = conv(4, 4)
        self.o = nn.Conv2d(12, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        u, v, w = self.a(x).chunk(3, 1)
        return self.o(torch.cat([w, self.b(u), v + u], 1))


class SplitUneven(nn.Module):
    """A split into literal uneven widths."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 12)
        self.b = conv(3, 3)
        self.o = nn.Conv2d(12, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        u, v, w = torch.split(self.a(x), [3, 4, 5], 1)
        return self.o(torch.cat([w, self.b(u), v], 1))


class SplitInt(nn.Module):
    """A split by one literal width with a narrower rest."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 10)
        self.o = nn.Conv2d(4, 4, 1)
        self.p = nn.Conv2d(2, 4, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        u, v, w = torch.split(self.a(x), 4, 1)
        return (self.o(u + v), self.p(w))


class FlatLin(nn.Module):
    """A Linear over flattened pixels and channels."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8, stride=4)
        self.b = conv(8, 6, stride=4)
        self.l = nn.Linear(6 * 16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.l(torch.flatten(self.b(self.a(x)), 1))


class FlatView(nn.Module):
    """The same by a view with a literal width."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8, stride=4)
        self.b = conv(8, 6, stride=4)
        self.l = nn.Linear(6 * 16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.b(self.a(x))
        return self.l(y.view(-1, 96))


class FlatView2(nn.Module):
    """The same by a view with a computed width."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8, stride=4)
        self.b = conv(8, 6, stride=4)
        self.l = nn.Linear(6 * 16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.b(self.a(x))
        return self.l(y.view(y.size(0), -1))


class SliceHalves(nn.Module):
    """Halves taken by literal position."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.b = conv(4, 4)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        return self.o(torch.cat([y[:, :4], self.b(y[:, 4:])], 1))


class SliceNeg(nn.Module):
    """Halves taken by literal position from the end."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.b = conv(4, 4)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        return self.o(torch.cat([y[:, :-4], self.b(y[:, -4:])], 1))


class SliceHalf(nn.Module):
    """Halves taken by a computed position."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.b = conv(4, 4)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        h = y.shape[1] // 2
        return self.o(torch.cat([y[:, :h], self.b(y[:, h:])], 1))


class SliceStride(nn.Module):
    """Every other channel."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.b = conv(4, 4)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        return self.o(torch.cat([y[:, ::2], self.b(y[:, 1::2])], 1))


class Narrow(nn.Module):
    """Halves taken by narrow."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.b = conv(4, 4)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        return self.o(torch.cat([y.narrow(1, 0, 4), self.b(torch.narrow(y, 1, 4, 4))], 1))


class IndexSel(nn.Module):
    """Channels picked by a buffer of indices."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.o = nn.Conv2d(8, 4, 1)
        self.register_buffer("perm", torch.randperm(8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        return self.o(y[:, self.perm])


class Unbind(nn.Module):
    """One channel each, stacked in reverse."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 4)
        self.o = nn.Conv2d(4, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        a, b, c, d = y.unbind(1)
        return self.o(torch.stack([d, c, b, a], 1))


class Expand1(nn.Module):
    """One channel expanded to eight."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 1)
        self.b = conv(8, 8)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x).expand(-1, 8, -1, -1)
        return self.o(self.b(y))


class RepeatCh(nn.Module):
    """All channels repeated as a block."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 4)
        self.b = conv(8, 8)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x).repeat(1, 2, 1, 1)
        return self.o(self.b(y))


class RepInter(nn.Module):
    """Each channel repeated in place."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 4)
        self.b = conv(8, 8)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x).repeat_interleave(2, 1)
        return self.o(self.b(y))


class CatTwice(nn.Module):
    """A map concatenated with itself before a grouped convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 4)
        self.b = conv(8, 8, 3, groups=2)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        return self.o(self.b(torch.cat([y, y], 1)))


class CrossAdd(nn.Module):
    """A map added to another one and its reverse."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.b = conv(3, 4)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        z = self.b(x)
        return self.o(y + torch.cat([z, z.flip(1)], 1))


class SlicePart(nn.Module):
    """Half of the channels are never read."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.o = nn.Conv2d(4, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(self.a(x)[:, :4])


class Ghost(nn.Module):
    """A depthwise copy of which half is cut off."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.b = conv(8, 8, 3, groups=8)
        self.o = nn.Conv2d(12, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        return self.o(torch.cat([y, self.b(y)], 1)[:, :12])


class ViewBatch(nn.Module):
    """Channels moved into the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.o = nn.Conv2d(4, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        return self.o(y.view(-1, 4, *y.shape[2:]))


class ViewBatchNums(nn.Module):
    """Channels moved into the batch by literal sizes and averaged."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.o = nn.Conv2d(4, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        return self.o(y.reshape(-1, 4, 64, 64).mean(0, keepdim=True))


class FlipCh(nn.Module):
    """A map added to another in reverse order."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.b = conv(3, 8)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(self.a(x) + self.b(x).flip(1))


class NumChannelsAttr(nn.Module):
    """Halves taken by a number kept on the module."""

    def __init__(self) -> None:
        super().__init__()
        self.c = 4
        self.a = conv(3, 8)
        self.b = conv(4, 4)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        return self.o(torch.cat([y[:, : self.c], self.b(y[:, self.c :])], 1))


NETS = (
    Shuffle,
    ShuffleMod,
    PixShuf,
    PixUnshuf,
    NestedCat,
    Chunk3,
    SplitUneven,
    SplitInt,
    FlatLin,
    FlatView,
    FlatView2,
    SliceHalves,
    SliceNeg,
    SliceHalf,
    SliceStride,
    Narrow,
    IndexSel,
    Unbind,
    Expand1,
    RepeatCh,
    RepInter,
    CatTwice,
    CrossAdd,
    SlicePart,
    Ghost,
    ViewBatch,
    ViewBatchNums,
    FlipCh,
    NumChannelsAttr,
)
