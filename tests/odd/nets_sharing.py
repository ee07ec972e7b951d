"""Odd nets whose modules or weights are shared, replaced, left out or chosen while running."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from tests.odd.blocks import conv


class SharedConv(nn.Module):
    """One convolution called twice in a row."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.c = nn.Conv2d(8, 8, 3, padding=1)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.a(x)
        return self.o(F.relu(self.c(F.relu(self.c(x)))))


class SharedBN(nn.Module):
    """One batch norm behind two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, padding=1)
        self.b = nn.Conv2d(8, 8, 3, padding=1)
        self.n = nn.BatchNorm2d(8)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(F.relu(self.n(self.b(F.relu(self.n(self.a(x)))))))


class TwoReaders(nn.Module):
    """A convolution read bare and through its norm."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, padding=1)
        self.n = nn.BatchNorm2d(8)
        self.b = nn.Conv2d(8, 4, 1)
        self.c = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y = self.a(x)
        return (self.b(y), self.c(F.relu(self.n(y))))


class TiedW(nn.Module):
    """Two convolutions with one weight tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.b = nn.Conv2d(8, 8, 1)
        self.c = nn.Conv2d(8, 8, 1)
        self.c.weight = self.b.weight
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(F.relu(self.c(F.relu(self.b(self.a(x))))))


class AliasMod(nn.Module):
    """One convolution under two names, called by the second."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.b = nn.Conv2d(8, 8, 1)
        self.alias = self.b
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(F.relu(self.alias(self.a(x))))


class LentAdd(nn.Module):
    """One module without parameters that two blocks know, each by its own name: what fails is named after where."""

    def __init__(self) -> None:
        super().__init__()

        class Add(nn.Module):
            def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
                return x + y

        class Block(nn.Module):
            def __init__(self, inputs: int, add: Add) -> None:
                super().__init__()
                self.a, self.b, self.add = conv(inputs, 8), conv(8, 8), add

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                x = self.a(x)
                return self.add(x, self.b(x))

        add = Add()
        self.blocks = nn.Sequential(Block(3, add), Block(8, add))
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(self.blocks(x))


class LentToForeign(nn.Module):
    """Modules that are made while running call those of the model, one of which two blocks know."""

    def __init__(self) -> None:
        super().__init__()

        class Twice(nn.Module):
            def forward(self, x: torch.Tensor, layer: nn.Module, act: nn.Module) -> torch.Tensor:
                return x + nn.Sequential(layer, act)(x) * 2

        class Block(nn.Module):
            def __init__(self, act: nn.Module) -> None:
                super().__init__()
                self.conv, self.act = nn.Conv2d(8, 8, 1), act

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return Twice()(x, self.conv, self.act)

        act = nn.ReLU()
        self.a = nn.Conv2d(3, 8, 3, padding=1)
        self.blocks = nn.Sequential(Block(act), Block(act))
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(self.blocks(self.a(x)))


class ConvSub(nn.Module):
    """A subclass of Conv2d that pads by itself."""

    def __init__(self) -> None:
        super().__init__()

        class MyConv(nn.Conv2d):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return super().forward(F.pad(x, (1, 1, 1, 1)))

        self.a = MyConv(3, 8, 3)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(F.relu(self.a(x)))


class FuncConv(nn.Module):
    """A functional convolution with a parameter of the model."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.w = nn.Parameter(torch.randn(8, 8, 1, 1))
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(F.conv2d(self.a(x), self.w))


class Unused(nn.Module):
    """A convolution that is never called."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.u = nn.Conv2d(8, 8, 1)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(self.a(x))


class UnusedOut(nn.Module):
    """A block whose result nobody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.u = conv(8, 8, 1)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        self.u(y)
        return self.o(y)


class WN(nn.Module):
    """Weight norm and spectral norm as parametrizations."""

    def __init__(self) -> None:
        super().__init__()
        self.a = torch.nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 8, 3, padding=1))
        self.b = torch.nn.utils.parametrizations.spectral_norm(nn.Conv2d(8, 8, 1))
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(F.relu(self.b(F.relu(self.a(x)))))


class WNold(nn.Module):
    """Weight norm as a forward hook, the old way."""

    def __init__(self) -> None:
        super().__init__()
        self.a = torch.nn.utils.weight_norm(nn.Conv2d(3, 8, 3, padding=1))
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(F.relu(self.a(x)))


class Cond(nn.Module):
    """A loop with a condition on a width."""

    def __init__(self) -> None:
        super().__init__()
        self.cs = nn.ModuleList([conv(3, 8), conv(8, 8), conv(8, 8)])
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for i, c in enumerate(self.cs):
            if i != 1 or x.shape[1] > 7:
                x = c(x)
        return self.o(x)


class CondShape(nn.Module):
    """Which block comes next depends on a width."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.b = nn.ModuleList([conv(8, 8), conv(8, 8)])
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        y = self.b[0 if y.shape[1] == 8 else 1](y)
        return self.o(y)


class Proj(nn.Module):
    """A residual only where the shapes match."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.b = conv(8, 8)
        self.o = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        z = self.b(y)
        z = z + y if z.shape == y.shape else z
        return self.o(z)


class Train1(nn.Module):
    """Keeps a call count and its activations on itself."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 8)
        self.o = nn.Conv2d(8, 4, 1)
        self.hist = []
        self.n = 0
        self.cache = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.n += 1
        y = self.a(x)
        self.hist.append(y)
        self.cache["y"] = y
        return self.o(y)


NETS = (
    SharedConv,
    SharedBN,
    TwoReaders,
    TiedW,
    AliasMod,
    LentAdd,
    LentToForeign,
    ConvSub,
    FuncConv,
    Unused,
    UnusedOut,
    WN,
    WNold,
    Cond,
    CondShape,
    Proj,
    Train1,
)
