"""What a convolution makes of constants: with zero padding, a map whose borders differ from its middle."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolo_prune_check.channels.program import FloatArray
from yolo_prune_check.channels.tensors import Tensor, spread


def of_constants(
    x: Tensor,
    kernels: FloatArray,
    sources: NDArray[np.intp],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    sizes: Sequence[int],
) -> FloatArray:
    """State of some output channels that only constants reach, before the bias is added.

    Args:
        x: The input; channels that reach these outputs through a weight that is not 0 are constant.
        kernels: ``(rows, width, *kernel)``, the filters of the output channels asked for.
        sources: ``(rows, width)``, the input channels that they read; ``(1, width)`` where all read the same.
        stride: Per spatial axis.
        padding: Zeros on both sides of every spatial axis.
        dilation: Per spatial axis.
        sizes: The output's spatial sizes.

    Returns:
        ``(batch or 1, rows, *sizes)``, with size 1 along a spatial axis along which all is alike.
    """
    assert x.state is not None
    # A varying channel behind weights of 0 reaches nothing.
    state = np.nan_to_num(spread(x.state, 1, x.shape[1]), nan=0.0)
    if len(sources) == 1:
        heard = (state[:, sources[0]] != 0).any((0, *range(2, state.ndim)))
        sources, kernels = sources[:, heard], kernels[:, heard]
    axes = [
        _Windows(x.shape[2 + axis], state.shape[2 + axis], kernels.shape[2 + axis], *where)
        for axis, where in enumerate(zip(stride, padding, dilation, sizes, strict=True))
    ]
    total = np.zeros((len(state), len(kernels), *(axis.out for axis in axes)))
    for offset in itertools.product(*(range(n) for n in kernels.shape[2:])):
        seen = state
        for number, axis in enumerate(axes):
            seen = axis.at(seen, 2 + number, offset[number])
        weights = _at(kernels, offset)
        if len(sources) == 1:
            total += np.moveaxis(np.tensordot(weights, seen[:, sources[0]], (1, 1)), 0, 1)
        else:
            total += np.einsum("rw,brw...->br...", weights, seen[:, sources])
    return total


def of_constants_transposed(
    x: Tensor,
    kernels: FloatArray,
    heard: NDArray[np.intp],
    groups: int,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    sizes: Sequence[int],
) -> FloatArray:
    """State that the constants in the input of a transposed convolution give its outputs, before the bias is added.

    Args:
        x: The input.
        kernels: ``(heard, out / groups, *kernel)``, the weight's rows of the input channels that are constant.
        heard: ``[heard]``, those channels, in order.
        groups: Groups of the convolution.
        stride: Per spatial axis.
        padding: Per spatial axis.
        dilation: Per spatial axis.
        sizes: The output's spatial sizes.

    Returns:
        ``(batch or 1, out, *sizes)``; right for those outputs that nothing else reaches.
    """
    assert x.state is not None
    state = spread(x.state, 1, x.shape[1])[:, heard]
    for axis in range(2, state.ndim):
        state = spread(state, axis, x.shape[axis])
    group = heard // (x.shape[1] // groups)
    total = np.zeros((len(state), groups, kernels.shape[1], *sizes))
    for offset in itertools.product(*(range(n) for n in kernels.shape[2:])):
        places = [
            np.arange(size) * step - margin + at * reach
            for size, step, margin, at, reach in zip(x.shape[2:], stride, padding, offset, dilation, strict=True)
        ]
        inside = [np.flatnonzero((at >= 0) & (at < size)) for at, size in zip(places, sizes, strict=True)]
        seen = state[np.ix_(*map(np.arange, state.shape[:2]), *inside)]
        weights = _at(kernels, offset)
        onto = np.ix_(
            np.arange(len(state)),
            np.arange(kernels.shape[1]),
            *(at[within] for at, within in zip(places, inside, strict=True)),
        )
        for number in np.unique(group).tolist():
            own = group == number
            total[:, number][onto] += np.moveaxis(np.tensordot(weights[own], seen[:, own], (0, 1)), 0, 1)
    return total.reshape(len(state), -1, *sizes)


def _at(kernels: FloatArray, offset: tuple[int, ...]) -> FloatArray:
    """The weights at one place of all kernels."""
    place: Any = (slice(None), slice(None), *offset)
    return np.asarray(kernels[place])


class _Windows:
    """One spatial axis, seen through windows."""

    def __init__(
        self, size: int, stated: int, kernel: int, stride: int, padding: int, dilation: int, count: int
    ) -> None:
        self.size = size
        self.places = np.arange(count)[:, None] * stride - padding + np.arange(kernel)[None, :] * dilation
        self.inside = (self.places >= 0) & (self.places < size)
        self.alike = stated == 1 and bool(self.inside.all())
        self.out = 1 if self.alike else count

    def at(self, state: FloatArray, axis: int, offset: int) -> FloatArray:
        """What each window holds at one offset; 0 in the padding."""
        if self.alike:
            return state
        places, inside = self.places[:, offset], self.inside[:, offset]
        taken = np.take(spread(state, axis, self.size), np.clip(places, 0, self.size - 1), axis=axis)
        return np.asarray(taken * inside.reshape(-1, *(1,) * (state.ndim - axis - 1)))
