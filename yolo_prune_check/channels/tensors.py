"""What a prediction knows of a tensor: its shape, and which of its entries are silent, constant or varying."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolo_prune_check.channels.prediction import MismatchKind
from yolo_prune_check.channels.program import BoolArray, Filter, FloatArray

State = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Tensor:
    """An abstract tensor.

    Attributes:
        shape: Its shape under the plan.
        state: As many axes as ``shape``, each of size 1 (entries are alike all along it) or of the shape's size. An
            entry is NaN where the value varies with the image, else the very constant it is: 0 where it is silent.
            None where all entries vary, and for parameters whose values no rule asks for. Rules in ``rules.LAYOUT``
            also carry other types of entries, such as channel numbers.
        vector: For a one-dimensional parameter, its numbers.
        filter: For a weight of more dimensions, what is known of it.
    """

    shape: tuple[int, ...]
    state: State | None = None
    vector: FloatArray | None = None
    filter: Filter | None = None

    @property
    def emits(self) -> BoolArray:
        """For each entry of axis 1 (axis 0 of a vector), whether anything along it is not silent."""
        axis = min(1, len(self.shape) - 1)
        size = self.shape[axis] if self.shape else 1
        if self.state is None:
            return np.ones(size, dtype=np.bool_)
        if self.shape and self.state.size == size == self.state.shape[axis]:
            return np.asarray(self.state != 0).reshape(size)  # the usual case: one entry a channel
        heard = np.atleast_1d(self.state != 0)
        along = tuple(other for other in range(heard.ndim) if other != axis)
        return np.broadcast_to(heard.any(along) if self.shape else heard, (size,))

    @property
    def active(self) -> int:
        """Number of entries of axis 1 (axis 0 of a vector) that are not silent."""
        if self.state is None and self.shape:
            return self.shape[min(1, len(self.shape) - 1)]
        if self.state is not None and len(self.shape) > 1 and self.state.size == self.shape[1] == self.state.shape[1]:
            return int(np.count_nonzero(self.state))  # the usual case: one entry a channel
        return int(np.count_nonzero(self.emits))


def varying(shape: tuple[int, ...]) -> Tensor:
    """A tensor whose entries all vary."""
    return Tensor(shape)


def stated(shape: tuple[int, ...], state: State) -> Tensor:
    """A tensor of this state; in its one form, None, where everything varies (NaN alone is not equal to itself)."""
    return Tensor(shape, None if (state != state).all() else state)


def known(x: Tensor) -> State | None:
    """State of an operand: a vector's numbers are one."""
    return x.vector if x.state is None else x.state


def blank(dtype: np.dtype[Any]) -> float | int:
    """The entry that stands for nothing known: NaN, or -1 among integers."""
    return float("nan") if dtype.kind == "f" else -1


def spread(state: State, axis: int, size: int) -> State:
    """The state with every entry of one axis written out."""
    if state.shape[axis] == size:
        return state
    return np.broadcast_to(state, (*state.shape[:axis], size, *state.shape[axis + 1 :]))


def along(vector: State, axis: int, rank: int) -> State:
    """A vector laid along one axis of a tensor of ``rank`` axes."""
    shape = [1] * rank
    shape[axis] = len(vector)
    return vector.reshape(shape)


class Breaks(Exception):
    """An operator does not fit its operands; the message is the first line of PyTorch's error."""

    def __init__(self, kind: MismatchKind, expected: object, got: object, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.expected = str(expected)
        self.got = str(got)
        self.message = message


class Unknown(Exception):
    """From here on the traced program no longer describes the model."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def listed(shape: Sequence[int]) -> str:
    """A shape as PyTorch prints it."""
    return f"[{', '.join(map(str, shape))}]"
