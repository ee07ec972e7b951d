"""Keep what varies with the image from being clipped to zero.

A channel is active if it is not zero for every image. Behind ReLU and its kin an active channel may be zero on the one
image that is run, by chance. So a second image is run, and what a clipping operator is given there is held against what
it was given for the first. What is equal does not depend on the image, and is clipped as it is. Elsewhere the flat part
at zero is replaced by a gentle slope, and what varies stays alive. What varies little, behind a layer that keeps one
channel, is made to vary more, so that it is not rounded away beside constants in the layers that follow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from yolo_prune_check.prune.oplog import name_of

_SLOPE = 0.1


def clips(name: str) -> bool:
    """Whether an ATen operator, by its name without overload, may turn many different numbers into zero."""
    return name in _LEAKS or name in _PICKING


def clipped(name: str, results: list[torch.Tensor]) -> bool:
    """Whether an ATen operator may have done so: if it picks entries, it picked a zero."""
    return clips(name) and (name not in _PICKING or bool((results[0] == 0).any()))


def leak(func: Any, args: Any, kwargs: Any, given: torch.Tensor | None) -> Any:
    """Carry out a clipping operator on the second image.

    Args:
        func: The operator.
        args: Its arguments.
        kwargs: Its arguments by name.
        given: What it was given for the first image, which may be written into. None if it was not called then.
    """
    x, name = args[0], name_of(func)
    if not x.is_floating_point():
        return func(*args, **kwargs)
    varies = torch.ones_like(x, dtype=torch.bool) if given is None or given.shape != x.shape else x != given
    if name in _PICKING:
        return _leaking_pick(func, args, kwargs, varies)
    sloped = _LEAKS[name](x)  # before the call, which may write into its operand
    result = func(*args, **kwargs)
    result.copy_(torch.where(varies & (result == 0), sloped, result))
    if given is not None and given.shape == x.shape:
        _amplify(func(given, *args[1:], **kwargs), result)
    return result


def _leaking_pick(func: Any, args: Any, kwargs: Any, varies: torch.Tensor) -> Any:
    """The largest or smallest entry along some axes: where that is 0, the sum of those that vary stands for it."""
    x, result = args[0], func(*args, **kwargs)
    picked = result[0] if isinstance(result, tuple) else result
    axes = args[1] if len(args) > 1 else []
    total = _slope(torch.where(varies, x, 0).sum(list(range(x.ndim)) if axes == [] else axes))
    picked.copy_(torch.where(picked == 0, total.reshape(picked.shape), picked))
    return result


def _amplify(first: torch.Tensor, second: torch.Tensor) -> None:
    """Bring the largest difference between the images up to twice the largest number, in ``second``.

    Once that number would make 0 of it, where it is the one that differs most.
    """
    difference = second - first
    largest, scale = difference.abs().amax(), 2 * first.abs().amax().clamp(min=1)
    if 0 < largest < scale:
        second.copy_(torch.where(difference == 0, second, first + difference * (scale / largest)))


def _slope(x: torch.Tensor) -> torch.Tensor:
    return _SLOPE * x


def _hard(x: torch.Tensor) -> torch.Tensor:
    """``hardswish`` and ``hardsigmoid`` are zero up to -3."""
    return _SLOPE * (x + 3) - _SLOPE


_PICKING = frozenset({"max", "min", "amax", "amin"})
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
