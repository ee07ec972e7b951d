"""The smallest network with a channel shuffle.

In ShuffleNet itself a shuffle is followed by so many others that random plans hardly ever remove anything: what one
layer loses is given back for the sake of the others' symmetry.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import nn

from benchmarks.zoo import randomise_norms

NAME = "one channel shuffle"


class Shuffle(nn.Module):
    """Two convolutions and, between them, ShuffleNet's way of mixing the halves of the channels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm, self.head = nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.Conv2d(16, 4, 3, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.silu(self.norm(self.stem(x)))
        batch, channels, height, width = x.shape
        x = x.view(batch, 2, channels // 2, height, width).transpose(1, 2).contiguous()
        result: torch.Tensor = self.head(x.view(batch, channels, height, width))
        return result


@lru_cache
def shuffle_of(name: str) -> nn.Module:
    """It, in float64; the name is the only one that there is."""
    assert name == NAME
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Shuffle().eval()
    randomise_norms(model, seed=0)
    return model.double()
