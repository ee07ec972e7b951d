"""Elementwise operators tie their operands; PyTorch broadcasts where one size is 1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from yolo_prune_check.channels.program import FloatArray
from yolo_prune_check.channels.tensors import Breaks, State, Tensor, known, stated

Operand = Tensor | float


def broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of an elementwise result; checked from the last axis on, as PyTorch does."""
    if a == b:
        return a
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


def joint(*operands: Operand) -> tuple[int, ...]:
    """Shape that tensors among the operands broadcast to, from left to right."""
    shape: tuple[int, ...] = ()
    for operand in operands:
        if isinstance(operand, Tensor):
            shape = broadcast(shape, operand.shape)
    return shape


def level(operand: Operand, rank: int) -> State | float:
    """An operand's state with leading axes of size 1 up to ``rank``; NaN where it varies."""
    if not isinstance(operand, Tensor):
        return float(operand)
    state = known(operand)
    if state is None:
        return float("nan")
    return state.reshape((1,) * (rank - state.ndim) + state.shape)


def _opaque(operand: Operand) -> bool:
    return isinstance(operand, Tensor) and operand.state is None and operand.vector is None


def _factor(operand: Operand) -> bool:
    """Whether it is a number that silences nothing."""
    return not isinstance(operand, Tensor) and operand != 0


def binary(combine: Callable[[State | float, State | float], FloatArray], *, spreads: bool) -> Callable[..., Tensor]:
    """Rule of an operator on two operands; ``spreads`` where it varies as soon as one operand does."""

    def rule(a: Operand, b: Operand, *, alpha: float = 1, **options: Any) -> Tensor:
        shape = joint(a, b)
        first, second = _opaque(a), _opaque(b)
        if (first and (second or spreads or _factor(b))) or (second and (spreads or _factor(a))):
            return Tensor(shape)
        x, y = level(a, len(shape)), level(b, len(shape))
        with np.errstate(all="ignore"):  # c / 0 is what PyTorch makes of it, too
            state = combine(x, y if alpha == 1 else y * alpha)
        # An operand that varies everywhere came in as a single number.
        return stated(shape, np.asarray(state).reshape((1,) * (len(shape) - np.ndim(state)) + np.shape(state)))

    return rule


def _times(x: State | float, y: State | float) -> FloatArray:
    return np.where((np.equal(x, 0)) | (np.equal(y, 0)), 0.0, np.multiply(x, y))


def _over(x: State | float, y: State | float) -> FloatArray:
    return np.where(np.equal(x, 0) & np.not_equal(y, 0), 0.0, np.divide(x, y))


def _power(x: State | float, y: State | float) -> FloatArray:
    varies = np.isnan(x) | np.isnan(y)  # numpy: NaN ** 0 is 1
    return np.where(varies, np.nan, np.power(x, y))


TIES: dict[str, Callable[..., Any]] = {
    "add": binary(lambda x, y: np.add(x, y), spreads=True),
    "sub": binary(lambda x, y: np.subtract(x, y), spreads=True),
    "rsub": binary(lambda x, y: np.subtract(y, x), spreads=True),
    "mul": binary(_times, spreads=False),
    "div": binary(_over, spreads=False),
    "maximum": binary(lambda x, y: np.maximum(x, y), spreads=True),
    "minimum": binary(lambda x, y: np.minimum(x, y), spreads=True),
    "pow": binary(_power, spreads=True),
}
RULES: dict[str, Callable[..., Any]] = {**TIES}
