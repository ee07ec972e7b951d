"""Elementwise operators tie their operands; PyTorch broadcasts where one size is 1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from yolo_prune_check.channels.prediction import MismatchKind
from yolo_prune_check.channels.program import FloatArray
from yolo_prune_check.channels.tensors import Breaks, State, Tensor, known, listed, stated

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
            words = (
                f"The size of tensor a ({m}) must match the size of tensor b ({n}) at non-singleton dimension {axis}"
            )
            raise Breaks(_kind(axis), m, n, words)
        shape.append(n if m == 1 else m)
    return tuple(reversed(shape))


def check_written(own: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """Whether an operator in place leaves its left operand the shape that it has.

    Raises:
        Breaks: The other operand would widen it.
    """
    if own == shape:
        return
    padded = (1,) * (len(shape) - len(own)) + own
    axis = next(
        axis for axis in reversed(range(len(shape))) if padded[axis] != shape[axis] or axis < len(shape) - len(own)
    )
    words = f"output with shape {listed(own)} doesn't match the broadcast shape {listed(shape)}"
    raise Breaks(_kind(axis), padded[axis], shape[axis], words)


def _kind(axis: int) -> MismatchKind:
    return "residual" if axis == 1 else "elementwise"


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
    """Rule of an operator on two operands; ``spreads`` where it varies as soon as one operand does.

    The rule takes ``in_place`` where the call wrote into its left operand, which then must not become wider.
    """

    def rule(a: Operand, b: Operand, *, alpha: float = 1, in_place: bool = False, **options: Any) -> Tensor:
        shape = joint(a, b)
        if in_place and isinstance(a, Tensor):
            check_written(a.shape, shape)
        first, second = _opaque(a), _opaque(b)
        if (first and (second or spreads or _factor(b))) or (second and (spreads or _factor(a))):
            return Tensor(shape)
        x, y = level(a, len(shape)), level(b, len(shape))
        with np.errstate(all="ignore"):  # c / 0 is what PyTorch makes of it, too
            state = combine(x, y if alpha == 1 else np.multiply(y, alpha))
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


def _compared(compare: Callable[[Any, Any], Any]) -> Callable[..., Tensor]:
    def combine(x: State | float, y: State | float) -> FloatArray:
        return np.where(np.isnan(x) | np.isnan(y), np.nan, compare(x, y))

    return binary(combine, spreads=True)


def where(condition: Tensor, a: Operand, b: Operand) -> Tensor:
    """``aten.where``; equal constants are there whatever the condition."""
    shape = joint(condition, a, b)
    x, y, chosen = (level(operand, len(shape)) for operand in (a, b, condition))
    either = np.where(np.equal(x, y), x, np.nan)
    state = np.where(np.isnan(chosen), either, np.where(np.equal(chosen, 0), y, x))
    return stated(shape, state.reshape((1,) * (len(shape) - state.ndim) + state.shape))


def masked_fill(x: Tensor, mask: Tensor, value: Operand) -> Tensor:
    """``aten.masked_fill``."""
    return where(mask, value, x)


def _filled(value: float | None) -> Callable[..., Tensor]:
    def rule(x: Tensor, *options: Any, **named: Any) -> Tensor:
        number = options[0] if value is None else value
        return Tensor(x.shape, np.full((1,) * len(x.shape), float(number)))

    return rule


def _unlike(x: Tensor, *options: Any, **named: Any) -> Tensor:
    return Tensor(x.shape)


add = binary(lambda x, y: np.add(x, y), spreads=True)
sub = binary(lambda x, y: np.subtract(x, y), spreads=True)

TIES: dict[str, Callable[..., Any]] = {
    "add": add,
    "sub": sub,
    "rsub": lambda a, b, **options: sub(b, a, **options),
    "mul": binary(_times, spreads=False),
    "div": binary(_over, spreads=False),
    "maximum": binary(lambda x, y: np.maximum(x, y), spreads=True),
    "minimum": binary(lambda x, y: np.minimum(x, y), spreads=True),
    "pow": binary(_power, spreads=True),
    "lt": _compared(np.less),
    "le": _compared(np.less_equal),
    "gt": _compared(np.greater),
    "ge": _compared(np.greater_equal),
    "eq": _compared(np.equal),
    "ne": _compared(np.not_equal),
    "logical_and": _compared(np.logical_and),
    "logical_or": _compared(np.logical_or),
    "bitwise_and": _compared(np.logical_and),
    "bitwise_or": _compared(np.logical_or),
}
CHOICES: dict[str, Callable[..., Any]] = {"where": where, "masked_fill": masked_fill}
RULES: dict[str, Callable[..., Any]] = {
    **TIES,
    **CHOICES,
    "zeros_like": _filled(0),
    "ones_like": _filled(1),
    "full_like": _filled(None),
    "empty_like": _unlike,
    "rand_like": _unlike,
    "randn_like": _unlike,
}
