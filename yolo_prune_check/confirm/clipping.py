"""Keep what varies with the image from being clipped to zero.

A channel is active if it is not zero for every image. Behind ReLU and its kin an active channel may be zero on the one
image that is run, by chance. So two different images are run at once, and a clipping activation is applied as it is to
those elements alone that are equal for both: what does not depend on the image. Elsewhere its flat part at zero is
replaced by a gentle slope, and what varies stays alive. What varies little, behind a layer that keeps one channel, is
made to vary more, so that it is not rounded away beside constants in the layers that follow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

_SLOPE = 0.1


def clips(name: str) -> bool:
    """Whether an ATen operator, by its name without overload, may turn many different numbers into zero."""
    return name in _LEAKS


def leak(func: Any, args: Any, kwargs: Any) -> Any:
    """Carry out a clipping operator on a batch of two images (one image behind the other along the first axis)."""
    x = args[0]
    if not x.is_floating_point():
        return func(*args, **kwargs)
    name = func._schema.name.partition("::")[2].removesuffix("_")
    varies, sloped = _varies(x), _LEAKS[name](x)  # before the call, which may write into its operand
    result = func(*args, **kwargs)
    result.copy_(torch.where(varies & (result == 0), sloped, result))
    if x.ndim and not x.shape[0] % 2:
        _amplify(*result.chunk(2))
    return result


def _amplify(first: torch.Tensor, second: torch.Tensor) -> None:
    """Bring the largest difference between the images up to the largest number, in place; equal elements stay so."""
    difference = second - first
    largest, scale = difference.abs().amax(), first.abs().amax().clamp(min=1)
    if 0 < largest < scale:
        second.copy_(torch.where(difference == 0, first, first + difference * (scale / largest)))


def _varies(x: torch.Tensor) -> torch.Tensor:
    """Where the two images differ; everywhere, if the first axis does not tell them apart."""
    if x.ndim == 0 or x.shape[0] % 2:
        return torch.ones_like(x, dtype=torch.bool)
    first, second = x.chunk(2)
    differs = first != second
    return torch.cat((differs, differs))


def _slope(x: torch.Tensor) -> torch.Tensor:
    return _SLOPE * x


def _hard(x: torch.Tensor) -> torch.Tensor:
    """``hardswish`` and ``hardsigmoid`` are zero up to -3."""
    return _SLOPE * (x + 3) - _SLOPE


_LEAKS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": _slope,
    "threshold": _slope,
    "hardtanh": _slope,
    "clamp": _slope,
    "clamp_min": _slope,
    "clamp_max": _slope,
    "hardshrink": _slope,
    "softshrink": _slope,
    "hardswish": _hard,
    "hardsigmoid": _hard,
}
