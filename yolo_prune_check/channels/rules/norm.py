"""Normalisation scales and shifts; only batch norm with running statistics does so by numbers of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from yolo_prune_check.channels.program import FloatArray
from yolo_prune_check.channels.tensors import Breaks, Tensor, along, known, listed, spread, stated

_NOTHING = Tensor((0,))


def batch_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    *options: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """``aten.native_batch_norm``; options are whether to use the image's own statistics, momentum and epsilon."""
    channels = x.shape[1]
    own = running_mean is None or options[0] is True
    statistics = Tensor((channels,)) if own else _NOTHING
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
        return Tensor(x.shape), statistics, statistics
    rank = len(x.shape)
    values = np.full((1,) * rank, np.nan) if x.state is None else x.state
    if own:
        normal = _normal(values, tuple(axis for axis in range(rank) if axis != 1), options[-1])
    else:
        normal = (values - _row(running_mean, rank, 0.0)) / np.sqrt(_row(running_var, rank, 1.0) + options[-1])
    return stated(x.shape, scaled(normal, _row(weight, rank, 1.0), _row(bias, rank, 0.0))), statistics, statistics


def scaled(normal: FloatArray, gamma: FloatArray, beta: FloatArray) -> FloatArray:
    """``normal x gamma + beta``; what varies is silenced by a factor of 0, though 0 x NaN is NaN in numpy."""
    return np.asarray(np.where(gamma == 0, 0.0, normal * gamma) + beta)


def _row(vector: Tensor | None, rank: int, default: float) -> FloatArray:
    if vector is None or vector.vector is None:
        return np.full((1,) * rank, default if vector is None else np.nan)
    return along(vector.vector, 1, rank)


def layer_norm(
    x: Tensor, normalized_shape: Sequence[int], weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """``aten.native_layer_norm``: scaled by mean and variance over the last axes, so that one that varies moves all."""
    sizes, count = listed(normalized_shape), len(normalized_shape)
    for name, vector in (("weight", weight), ("bias", bias)):
        if vector is not None and vector.shape != tuple(normalized_shape):
            words = f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape "
            words += f"{listed(vector.shape)} and normalized_shape = {sizes}"
            raise Breaks("norm", sizes[1:-1], listed(vector.shape)[1:-1], words)
    if x.shape[-count:] != tuple(normalized_shape):
        words = f"Given normalized_shape={sizes}, expected input with shape [*, {sizes[1:]}, but got input of size"
        raise Breaks("norm", sizes[1:-1], listed(x.shape[-count:])[1:-1], f"{words}{listed(x.shape)}")
    axes, rank = tuple(range(-count, 0)), len(x.shape)
    rows = Tensor((*x.shape[:-count], *(1,) * count))
    if x.state is None and (weight is None or _everywhere(weight)):
        return Tensor(x.shape), rows, rows
    values = np.full((1,) * rank, np.nan) if x.state is None else x.state
    gamma, beta = _affine(weight, 1.0, rank), _affine(bias, 0.0, rank)
    return stated(x.shape, scaled(_normal(values, axes, eps), gamma, beta)), rows, rows


def group_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    batch: int,
    channels: int,
    pixels: int,
    groups: int,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """``aten.native_group_norm``; the sizes among its arguments are those of the traced run, and read from ``x``."""
    batch, channels = x.shape[:2]
    if channels % groups:
        words = "Expected number of channels in input to be divisible by num_groups, but got input of shape "
        raise Breaks("norm", f"a multiple of {groups}", channels, f"{words}{listed(x.shape)} and num_groups={groups}")
    for name, vector in (("weight", weight), ("bias", bias)):
        if vector is not None and vector.shape != (channels,):
            words = f"Expected {name} to be a vector of size equal to the number of channels in input, but got {name} "
            words += f"of shape {listed(vector.shape)} and input of shape {listed(x.shape)}"
            raise Breaks("norm", vector.shape[0], channels, words)
    rows, rank = Tensor((batch, groups)), len(x.shape)
    if x.state is None and (weight is None or _everywhere(weight)):
        return Tensor(x.shape), rows, rows
    values = spread(np.full((1,) * rank, np.nan) if x.state is None else x.state, 1, channels)
    apart = values.reshape(values.shape[0], groups, channels // groups, *values.shape[2:])
    normal = _normal(apart, tuple(range(2, rank + 1)), eps).reshape(values.shape)
    return stated(x.shape, scaled(normal, _row(weight, rank, 1.0), _row(bias, rank, 0.0))), rows, rows


def normalize(x: Tensor, *options: Any, **named: Any) -> Tensor:
    """``torch.nn.functional.normalize``: division by a norm over some axis, which is not zero."""
    state = known(x)
    return Tensor(x.shape) if state is None else stated(x.shape, np.where(state == 0, 0.0, np.nan))


def _everywhere(weight: Tensor) -> bool:
    state = known(weight)
    return state is None or bool(state.all())


def _affine(vector: Tensor | None, default: float, rank: int) -> FloatArray:
    state = None if vector is None else known(vector)
    if state is None:
        return np.full((1,) * rank, default if vector is None else np.nan)
    return state.reshape((1,) * (rank - state.ndim) + state.shape)


def _normal(values: FloatArray, axes: tuple[int, ...], eps: float) -> FloatArray:
    mean = values.mean(axes, keepdims=True)
    flat = (values == values.max(axes, keepdims=True)).all(axes, keepdims=True)  # whose mean may be rounded
    return np.where(flat, 0.0, (values - mean) / np.sqrt(((values - mean) ** 2).mean(axes, keepdims=True) + eps))


NORMS: dict[str, Callable[..., Any]] = {
    "native_batch_norm": batch_norm,
    "cudnn_batch_norm": batch_norm,
    "_native_batch_norm_legit_no_training": batch_norm,
}
RULES: dict[str, Callable[..., Any]] = {
    **NORMS,
    "native_layer_norm": layer_norm,
    "native_group_norm": group_norm,
    "normalize": normalize,
}
