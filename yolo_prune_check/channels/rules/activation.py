"""Activations pass channels; a constant channel becomes another constant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from yolo_prune_check.channels.program import FloatArray
from yolo_prune_check.channels.tensors import Tensor


def _sigmoid(x: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-x)))


def _leaky(x: FloatArray, slope: float = 0.01) -> FloatArray:
    return np.where(x < 0, slope * x, x)


def _gate(x: FloatArray) -> FloatArray:
    return np.clip(x / 6 + 0.5, 0, 1)


def _pointwise(function: Callable[..., FloatArray]) -> Callable[..., Tensor]:
    def rule(x: Tensor, *options: Any, **ignored: Any) -> Tensor:
        if x.channels is None:
            return x
        return replace(x, channels=function(x.channels, *options))

    return rule


RULES = {
    "silu": _pointwise(lambda x: np.asarray(x * _sigmoid(x))),
    "relu": _pointwise(lambda x: np.maximum(x, 0)),
    "leaky_relu": _pointwise(_leaky),
    "hardswish": _pointwise(lambda x: np.asarray(x * _gate(x))),
    "hardsigmoid": _pointwise(_gate),
    "hardtanh": _pointwise(lambda x, low=-1.0, high=1.0: np.clip(x, low, high)),
    "sigmoid": _pointwise(_sigmoid),
    "tanh": _pointwise(lambda x: np.tanh(x)),
}
