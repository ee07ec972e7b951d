"""Operators that make constants of a given size, and take no tensor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from yolo_prune_check.channels.tensors import Tensor, varying


def full(size: Sequence[int], number: float) -> Tensor:
    """``aten.full``: one number everywhere."""
    return Tensor(tuple(size), np.full((1,) * len(size), float(number)))


def zeros(size: Sequence[int]) -> Tensor:
    """``aten.zeros``."""
    return full(size, 0)


def ones(size: Sequence[int]) -> Tensor:
    """``aten.ones``."""
    return full(size, 1)


def anything(size: Sequence[int]) -> Tensor:
    """``aten.empty`` and random numbers: nothing is known of them."""
    return varying(tuple(size))


RULES: dict[str, Callable[..., Any]] = {
    "full": full,
    "zeros": zeros,
    "ones": ones,
    "empty": anything,
    "rand": anything,
    "randn": anything,
}
FACTORIES = frozenset({*RULES, "arange", "randint", "randperm", "linspace", "eye"})
"""Also those whose entries follow the size as well, and that have no rule."""
