"""Normalisation scales and shifts; only batch norm, in eval mode, does so by numbers that the image does not change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from yolo_prune_check.channels.program import FloatArray
from yolo_prune_check.channels.tensors import Breaks, Tensor, along, stated

_NOTHING = Tensor((0,))


def batch_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    *options: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """``aten.native_batch_norm`` in eval mode; the last option is epsilon."""
    channels = x.shape[1]
    named = (("running_mean", running_mean), ("running_var", running_var), ("weight", weight), ("bias", bias))
    for name, vector in named:
        if vector is not None and vector.shape[0] != channels:
            raise Breaks(
                "norm",
                vector.shape[0],
                channels,
                f"{name} should contain {channels} elements not {vector.shape[0]}",
            )
    gamma = None if weight is None else weight.vector
    if x.state is None and (gamma is None or np.count_nonzero(gamma) == channels):
        return Tensor(x.shape), _NOTHING, _NOTHING
    rank = len(x.shape)
    mean, variance = _row(running_mean, rank, 0.0), _row(running_var, rank, 1.0)
    values = np.full((1,) * rank, np.nan) if x.state is None else x.state
    if running_mean is None:  # the image's own mean and variance: a map of one constant comes out as 0
        flat = max((n for axis, n in enumerate(values.shape) if axis != 1), default=1) == 1
        values = np.where(np.isnan(values) | (not flat), np.nan, 0.0)
    normal = (values - mean) / np.sqrt(variance + options[-1])
    return stated(x.shape, scaled(normal, _row(weight, rank, 1.0), _row(bias, rank, 0.0))), _NOTHING, _NOTHING


def scaled(normal: FloatArray, gamma: FloatArray, beta: FloatArray) -> FloatArray:
    """``normal x gamma + beta``; what varies is silenced by a factor of 0, though 0 x NaN is NaN in numpy."""
    return np.asarray(np.where(gamma == 0, 0.0, normal * gamma) + beta)


def _row(vector: Tensor | None, rank: int, default: float) -> FloatArray:
    if vector is None or vector.vector is None:
        return np.full((1,) * rank, default if vector is None else np.nan)
    return along(vector.vector, 1, rank)


NORMS: dict[str, Callable[..., Any]] = {
    "native_batch_norm": batch_norm,
    "cudnn_batch_norm": batch_norm,
    "_native_batch_norm_legit_no_training": batch_norm,
}
RULES: dict[str, Callable[..., Any]] = {**NORMS}
