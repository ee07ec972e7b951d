"""Operators that sum up axes, or weigh entries against each other along them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from yolo_prune_check.channels.rules.elementwise import RULES as _ELEMENTWISE
from yolo_prune_check.channels.tensors import State, Tensor, known, spread, stated

Axes = int | Sequence[int] | None
Summary = Callable[[State, tuple[int, ...], bool, int], State]


def _axes(x: Tensor, dim: Axes) -> tuple[int, ...]:
    rank = len(x.shape)
    if dim is None or (not isinstance(dim, int) and not dim):
        return tuple(range(rank))
    return tuple(axis % rank for axis in ((dim,) if isinstance(dim, int) else dim)) if rank else ()


def _without(x: Tensor, axes: tuple[int, ...], *, keep: bool) -> tuple[int, ...]:
    if keep:
        return tuple(1 if axis in axes else n for axis, n in enumerate(x.shape))
    return tuple(n for axis, n in enumerate(x.shape) if axis not in axes)


def _summary(compute: Summary) -> Callable[..., Tensor]:
    """Rule of an operator that makes one entry of many.

    ``compute`` gets a state, the axes, whether to keep them, and how many entries each one of the state stands for.
    """

    def rule(x: Tensor, dim: Axes = None, keepdim: bool = False, *options: Any, **named: Any) -> Tensor:
        axes = _axes(x, dim)
        shape, state = _without(x, axes, keep=keepdim), known(x)
        if state is None:
            return Tensor(shape)
        each = math.prod(x.shape[axis] for axis in axes) // max(math.prod(state.shape[axis] for axis in axes), 1)
        return stated(shape, np.asarray(compute(state, axes, keepdim, each)))

    return rule


def _largest(x: Tensor, dim: Axes = None, keepdim: bool = False, *options: Any, **named: Any) -> Tensor:
    return amax(x, dim, keepdim)


def _norm(x: Tensor, order: float = 2, dim: Axes = None, keepdim: bool = False, **named: Any) -> Tensor:
    """``aten.linalg_vector_norm``."""
    if order == math.inf:
        return amax(Tensor(x.shape, None if x.state is None else np.abs(x.state)), dim, keepdim)
    powers = None if x.state is None else np.abs(x.state) ** order
    total = summed(Tensor(x.shape, powers), dim, keepdim)
    return total if total.state is None else Tensor(total.shape, total.state ** (1 / order))


def _extreme(values: Callable[..., Tensor], other: str) -> Callable[..., Any]:
    """Rule of ``aten.max`` and ``aten.min``: of a whole tensor, of one axis (with indices), or of two tensors."""

    def rule(x: Tensor, dim: int | Tensor | None = None, keepdim: bool = False) -> Any:
        if isinstance(dim, Tensor):
            return _ELEMENTWISE[other](x, dim)
        found = values(x, dim, keepdim)
        return found if dim is None else (found, Tensor(found.shape))

    return rule


def _spread_of(state: State, axes: tuple[int, ...], keep: bool, each: int) -> State:
    """Variance and deviation: equal constants have none; anything else counts as varying."""
    first = state
    for axis in axes:
        first = np.take(first, [0], axis=axis)
    equal = (state == first).all(axes, keepdims=keep)
    return np.where(equal, 0.0, np.nan)


summed = _summary(lambda state, axes, keep, each: state.sum(axes, keepdims=keep) * each)
amax = _summary(lambda state, axes, keep, each: state.max(axes, keepdims=keep))
amin = _summary(lambda state, axes, keep, each: state.min(axes, keepdims=keep))
_opaque = _summary(lambda state, axes, keep, each: np.full((1,) * (state.ndim - (0 if keep else len(axes))), np.nan))


def softmax(x: Tensor, dim: int, *options: Any) -> Tensor:
    """``aten._softmax``: never silent."""
    state = known(x)
    if state is None or not x.shape or x.shape[dim] == 0:
        return Tensor(x.shape)
    power = np.exp(state - state.max(dim, keepdims=True))
    total = power.sum(dim, keepdims=True) * (x.shape[dim] // state.shape[dim])
    return stated(x.shape, power / total)


def log_softmax(x: Tensor, dim: int, *options: Any) -> Tensor:
    """``aten._log_softmax``."""
    shares = softmax(x, dim)
    return shares if shares.state is None else Tensor(x.shape, np.log(shares.state))


def cumsum(x: Tensor, dim: int, *options: Any, **named: Any) -> Tensor:
    """``aten.cumsum``."""
    state = known(x)
    if state is None or not x.shape:
        return Tensor(x.shape, state)
    return stated(x.shape, spread(state, dim % len(x.shape), x.shape[dim]).cumsum(dim))


EXTREMES: dict[str, Callable[..., Any]] = {"max": _extreme(amax, "maximum"), "min": _extreme(amin, "minimum")}
RULES: dict[str, Callable[..., Any]] = {
    "mean": _summary(lambda state, axes, keep, each: state.mean(axes, keepdims=keep)),
    "sum": summed,
    "amax": amax,
    "amin": amin,
    **EXTREMES,
    "var": _summary(_spread_of),
    "std": _summary(_spread_of),
    "argmax": _opaque,
    "argmin": _opaque,
    "any": _opaque,
    "all": _opaque,
    "linalg_vector_norm": _norm,
    "_softmax": softmax,
    "_log_softmax": log_softmax,
    "cumsum": cumsum,
}
