"""The modules that execution ``adapter`` puts into a model: channels back to their places, zeros between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import torch
from torch import nn
from torch.nn import functional


class ChannelScatter(nn.Module):
    """Puts channels back to their places in a wider feature map; the others are zero.

    ``(N, len(keep), H, W)`` becomes ``(N, total, H, W)``.

    Args:
        keep: Ascending places of the channels that there are.
        total: Channels that come out.

    >>> ChannelScatter([0, 2], 3)(torch.ones(1, 2, 1, 1)).flatten().tolist()
    [1.0, 0.0, 1.0]
    """

    source: torch.Tensor

    def __init__(self, keep: Sequence[int], total: int) -> None:
        super().__init__()
        source = torch.full((total,), len(keep), dtype=torch.long)  # by default the channel of zeros behind the others
        source[list(keep)] = torch.arange(len(keep))
        self.register_buffer("source", source)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scatter ``x``."""
        return _scattered(x, self.source)


class Scattering:
    """A convolution that puts its channels back to their places itself: one behind which no module can do it."""

    source: torch.Tensor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve, then scatter."""
        return _scattered(super().forward(x), self.source)  # type: ignore[misc]  # the convolution's


class ScatteringConv2d(Scattering, nn.Conv2d):
    """PyTorch's convolution that does so."""


@cache
def scattering(kind: type[nn.Conv2d]) -> type[nn.Conv2d]:
    """The class that does so in place of a class of convolutions.

    A user's own class has its own forward. What stands in for it is made here and cannot be saved by ``torch.save``.
    """
    return ScatteringConv2d if kind is nn.Conv2d else type(f"Scattering{kind.__name__}", (Scattering, kind), {})


def adapters_in(model: nn.Module) -> tuple[str, ...]:
    """Names of the modules behind which channels are put back."""
    return tuple(
        name
        for name, module in model.named_modules()
        if isinstance(module, Scattering) or (isinstance(module, nn.Sequential) and _is_around(module))
    )


def names_without_adapters(model: nn.Module) -> Callable[[str], str]:
    """Gives the name that one of a model's parameters or buffers had before modules got adapters around them."""
    around = {
        name for name, module in model.named_modules() if isinstance(module, nn.Sequential) and _is_around(module)
    }

    def without(name: str) -> str:
        parts = name.split(".")
        kept = [part for index, part in enumerate(parts) if part != "0" or ".".join(parts[:index]) not in around]
        return ".".join(kept)

    return without


def numbers_without_adapters(model: nn.Module) -> dict[str, torch.Tensor]:
    """All parameters and buffers but those of adapters, by the names that they have without them."""
    name_of, own = names_without_adapters(model), set[str]()
    for place in adapters_in(model):
        own |= {f"{place}.source", f"{place}.1.source"}
    return {name_of(name): tensor for name, tensor in model.state_dict().items() if name not in own}


def _is_around(module: nn.Sequential) -> bool:
    return len(module) == 2 and isinstance(module[1], ChannelScatter)


def _scattered(x: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    """Pad by one channel of zeros, then pick."""
    return functional.pad(x, (0, 0, 0, 0, 0, 1)).index_select(1, source)
