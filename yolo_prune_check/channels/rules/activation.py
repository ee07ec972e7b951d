"""Functions of one entry; a constant becomes another constant."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from yolo_prune_check.channels.program import FloatArray
from yolo_prune_check.channels.tensors import Breaks, Tensor, along, known, stated

_erf = np.vectorize(math.erf, otypes=[np.float64])


def _sigmoid(x: FloatArray) -> FloatArray:
    return np.exp(-np.logaddexp(0, -x))


def _leaky(x: FloatArray, slope: float = 0.01) -> FloatArray:
    return np.where(x < 0, slope * x, x)


def _gate(x: FloatArray) -> FloatArray:
    return np.clip(x / 6 + 0.5, 0, 1)


def _gelu(x: FloatArray, approximate: str = "none") -> FloatArray:
    if approximate == "tanh":
        return np.asarray(0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))))
    return np.asarray(0.5 * x * (1 + _erf(x / math.sqrt(2))))


def _elu(x: FloatArray, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> FloatArray:
    return np.asarray(scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x * input_scale, 0))))


def _softplus(x: FloatArray, beta: float = 1.0, threshold: float = 20.0) -> FloatArray:
    return np.where(x * beta > threshold, x, np.logaddexp(0, x * beta) / beta)


def _clamp(x: FloatArray, low: float | None = None, high: float | None = None) -> FloatArray:
    raised = x if low is None else np.maximum(x, low)
    return raised if high is None else np.minimum(raised, high)


def pointwise(function: Callable[..., FloatArray]) -> Callable[..., Tensor]:
    """Rule of a function of one tensor and some numbers."""

    def rule(x: Tensor, *options: Any, **named: Any) -> Tensor:
        state = known(x)
        if state is None:
            return x
        with np.errstate(all="ignore"):  # log(0) and 1 / 0 are what PyTorch makes of them, too
            return Tensor(x.shape, function(state, *options, **named))

    return rule


def _partial(function: Callable[..., FloatArray]) -> Callable[..., Tensor]:
    """Rule of a function that is not defined everywhere: where it is not, nothing is known."""
    rule = pointwise(function)

    def settled(x: Tensor) -> Tensor:
        result = rule(x)
        return result if result.state is None else stated(result.shape, result.state)

    return settled


ACTIVATIONS: dict[str, Callable[..., Tensor]] = {
    "silu": pointwise(lambda x: np.asarray(x * _sigmoid(x))),
    "relu": pointwise(lambda x: np.maximum(x, 0)),
    "leaky_relu": pointwise(_leaky),
    "hardswish": pointwise(lambda x: np.asarray(x * _gate(x))),
    "hardsigmoid": pointwise(_gate),
    "hardtanh": pointwise(lambda x, low=-1.0, high=1.0: np.clip(x, low, high)),
    "sigmoid": pointwise(_sigmoid),
    "tanh": pointwise(lambda x: np.asarray(np.tanh(x))),
    "gelu": pointwise(_gelu),
    "elu": pointwise(_elu),
    "mish": pointwise(lambda x: np.asarray(x * np.tanh(np.logaddexp(0, x)))),
    "softplus": pointwise(_softplus),
}

FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "exp": pointwise(lambda x: np.asarray(np.exp(x))),
    "log": _partial(lambda x: np.asarray(np.log(x))),
    "cos": pointwise(lambda x: np.asarray(np.cos(x))),
    "sin": pointwise(lambda x: np.asarray(np.sin(x))),
    "sqrt": _partial(lambda x: np.asarray(np.sqrt(x))),
    "rsqrt": _partial(lambda x: np.asarray(1 / np.sqrt(x))),
    "abs": pointwise(lambda x: np.maximum(x, -x)),
    "neg": pointwise(lambda x: np.asarray(np.negative(x))),
    "reciprocal": pointwise(lambda x: np.asarray(1 / x)),
    "clamp": pointwise(_clamp),
    "clamp_min": pointwise(_clamp),
    "clamp_max": pointwise(lambda x, high: _clamp(x, None, high)),
    "floor": pointwise(lambda x: np.asarray(np.floor(x))),
    "ceil": pointwise(lambda x: np.asarray(np.ceil(x))),
    "round": pointwise(lambda x: np.asarray(np.round(x))),
    "erf": pointwise(_erf),
}


def prelu(x: Tensor, weight: Tensor) -> Tensor:
    """``torch.prelu``: slopes along axis 1. Only what is below 0 needs them."""
    channels, slopes = x.shape[1] if len(x.shape) > 1 else 1, math.prod(weight.shape)
    if slopes not in (1, channels):
        words = "Mismatch of parameter numbers and input channel size. "
        words += f"Found parameter numbers = {slopes} and channel size = {channels}."
        raise Breaks("elementwise", slopes, channels, words)
    if x.state is None:
        return x
    numbers = known(weight)
    factor = np.full(1, np.nan) if numbers is None else numbers.ravel()
    below = np.minimum(x.state, 0) * along(factor, min(1, x.state.ndim - 1), x.state.ndim)
    return stated(x.shape, np.where(x.state >= 0, x.state, below))


POINTWISE = {**ACTIVATIONS, **FUNCTIONS}
SLOPES: dict[str, Callable[..., Any]] = {"prelu": prelu}
RULES: dict[str, Callable[..., Any]] = {**POINTWISE, **SLOPES}
