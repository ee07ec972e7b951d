"""What a prediction knows of a tensor: its shape, and per channel whether it is silent, constant or varying."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from yolo_prune_check.channels.prediction import MismatchKind
from yolo_prune_check.channels.program import BoolArray, Filter, FloatArray


@dataclass(frozen=True)
class Tensor:
    """An abstract tensor.

    Attributes:
        shape: Its shape under the plan.
        channels: One number for each entry of axis 1: 0 where the channel is silent, another number where it is that
            constant, NaN where it varies. None where channels are no longer told apart (and for parameters).
        vector: For a one-dimensional parameter, its numbers.
        filter: For a weight of more dimensions, what is known of it.
    """

    shape: tuple[int, ...]
    channels: FloatArray | None = None
    vector: FloatArray | None = None
    filter: Filter | None = None

    @property
    def emits(self) -> BoolArray:
        """For each channel, whether it is not silent; all True where channels are not told apart."""
        if self.channels is None:
            return np.ones(self.shape[1] if len(self.shape) > 1 else 0, dtype=np.bool_)
        return np.asarray(self.channels != 0)

    @property
    def active(self) -> int:
        """Number of channels that are not silent."""
        return int(self.emits.sum())


def varying(shape: tuple[int, ...]) -> Tensor:
    """A tensor whose channels all vary."""
    return Tensor(shape, np.full(shape[1], np.nan) if len(shape) > 1 else None)


class Breaks(Exception):
    """An operator does not fit its operands; the message is the first line of PyTorch's error."""

    def __init__(self, kind: MismatchKind, expected: object, got: object, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.expected = str(expected)
        self.got = str(got)
        self.message = message
