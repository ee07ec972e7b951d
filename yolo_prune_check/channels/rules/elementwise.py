"""Elementwise operators tie the channels of their operands; PyTorch broadcasts where one size is 1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from yolo_prune_check.channels.program import FloatArray
from yolo_prune_check.channels.tensors import Breaks, Tensor

Operand = Tensor | float


def broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of an elementwise result; checked from the last axis on, as PyTorch does."""
    rank = max(len(a), len(b))
    left, right = (1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b
    shape = []
    for axis in reversed(range(rank)):
        m, n = left[axis], right[axis]
        if m != n and m != 1 and n != 1:
            raise Breaks(
                "residual" if axis == 1 and rank == 4 else "elementwise",
                m,
                n,
                f"The size of tensor a ({m}) must match the size of tensor b ({n}) at non-singleton dimension {axis}",
            )
        shape.append(n if m == 1 else m)
    return tuple(reversed(shape))


def _spread(operand: Operand, shape: tuple[int, ...]) -> FloatArray:
    """Channel states of an operand, broadcast to the result's channels."""
    count = shape[1]
    if not isinstance(operand, Tensor):
        return np.full(count, float(operand))
    rank = len(shape)
    if operand.channels is None or len(operand.shape) != rank:
        return np.full(count, np.nan)
    return np.broadcast_to(operand.channels, (count,)).copy()


def _binary(combine: Callable[[FloatArray, FloatArray], FloatArray]) -> Callable[..., Tensor]:
    def rule(a: Operand, b: Operand, **options: Any) -> Tensor:
        first = a.shape if isinstance(a, Tensor) else ()
        second = b.shape if isinstance(b, Tensor) else ()
        shape = broadcast(first, second)
        if len(shape) < 2:
            return Tensor(shape)
        x, y = _spread(a, shape), _spread(b, shape)
        return Tensor(shape, combine(x, y * options.get("alpha", 1)))

    return rule


def _times(x: FloatArray, y: FloatArray) -> FloatArray:
    return np.where((x == 0) | (y == 0), 0.0, x * y)


def _over(x: FloatArray, y: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(x == 0, 0.0, x / y)


RULES = {
    "add": _binary(lambda x, y: x + y),
    "sub": _binary(lambda x, y: x - y),
    "mul": _binary(_times),
    "div": _binary(_over),
}
