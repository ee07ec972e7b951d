"""What a convolution makes of constants: with zero padding, a map whose borders differ from its middle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from yolo_prune_check.channels.program import FloatArray
from yolo_prune_check.channels.tensors import Tensor, spread


def of_constants(
    x: Tensor,
    weight: FloatArray,
    rows: NDArray[np.intp],
    groups: int,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    sizes: Sequence[int],
) -> FloatArray:
    """State of some output channels that only constants reach, before the bias is added.

    Args:
        x: The input; channels that reach ``rows`` through a weight that is not 0 are constant.
        weight: ``(out, in / groups, *kernel)``.
        rows: The output channels asked for.
        groups: Groups of the convolution.
        stride: Per spatial axis.
        padding: Zeros on both sides of every spatial axis.
        dilation: Per spatial axis.
        sizes: The output's spatial sizes.

    Returns:
        ``(batch or 1, rows, *sizes)``, with size 1 along a spatial axis along which all is alike.
    """
    assert x.state is not None
    each, width = weight.shape[0] // groups, weight.shape[1]
    state = spread(x.state, 1, x.shape[1])
    sources = (rows // each)[:, None] * width + np.arange(width)
    held = state[:, sources]  # (batch, rows, width, *spatial)
    kernels = weight[rows]
    # A varying channel behind weights of 0 reaches nothing.
    total = np.nan_to_num(held, nan=0.0)
    for axis, (step, margin, reach, size) in enumerate(zip(stride, padding, dilation, sizes, strict=True)):
        total = _windows(total, 3 + axis, x.shape[2 + axis], weight.shape[2 + axis], step, margin, reach, size)
    # total: (batch, rows, width, *out, *kernel)
    spatial = len(sizes)
    lifted = kernels.reshape(1, len(rows), width, *(1,) * spatial, *kernels.shape[2:])
    return np.asarray((total * lifted).sum(axis=(2, *range(3 + spatial, 3 + 2 * spatial))))


def _windows(
    state: FloatArray, axis: int, size: int, kernel: int, stride: int, padding: int, dilation: int, out: int
) -> FloatArray:
    """Split one axis into window positions (in place) and offsets within the window (as a new last axis)."""
    at = np.arange(out)[:, None] * stride - padding + np.arange(kernel)[None, :] * dilation
    inside = (at >= 0) & (at < size)
    if state.shape[axis] == 1 and inside.all():
        return np.repeat(state[..., None], kernel, axis=-1)
    taken = np.take(spread(state, axis, size), np.clip(at, 0, size - 1), axis=axis)
    taken = taken * inside.reshape(*(1,) * axis, out, kernel, *(1,) * (state.ndim - axis - 1))
    return np.moveaxis(taken, axis + 1, -1)
