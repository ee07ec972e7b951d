"""Operators that sum up axes, or weigh entries against each other along them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from yolo_prune_check.channels.tensors import Tensor, known, stated


def softmax(x: Tensor, dim: int, *options: Any) -> Tensor:
    """``aten._softmax``: never silent."""
    state = known(x)
    if state is None:
        return Tensor(x.shape)
    power = np.exp(state - state.max(dim, keepdims=True))
    total = power.sum(dim, keepdims=True) * (x.shape[dim] // state.shape[dim])
    return stated(x.shape, power / total)


RULES: dict[str, Callable[..., Any]] = {"_softmax": softmax}
