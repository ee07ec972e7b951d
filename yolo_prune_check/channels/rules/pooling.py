"""Pooling and upsampling pass channels and change the spatial axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from yolo_prune_check.channels.program import FloatArray
from yolo_prune_check.channels.tensors import Breaks, State, Tensor, listed, spread, stated

Windows = list[tuple[int, int]]


def max_pool(
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor]:
    """``aten.max_pool2d_with_indices``; the padding is minus infinity, so that a constant stays what it is."""
    spatial = _sizes(x, kernel, stride, padding, dilation, ceil=ceil_mode)
    state = x.state
    for axis, out in enumerate(spatial, start=len(x.shape) - 2):
        place = axis - len(x.shape) + 2
        # Only with gaps between its entries can a window miss the input altogether.
        if state is None or (state.shape[axis] == 1 and _at(dilation, place) == 1):
            continue
        step, margin, reach = _at(stride or kernel, place), _at(padding, place), _at(dilation, place)
        at = np.arange(out)[:, None] * step - margin + np.arange(_at(kernel, place))[None, :] * reach
        inside = (at >= 0) & (at < x.shape[axis])
        taken = np.take(spread(state, axis, x.shape[axis]), np.clip(at, 0, x.shape[axis] - 1), axis=axis)
        mask = inside.reshape((1,) * axis + inside.shape + (1,) * (state.ndim - axis - 1))
        state = np.where(mask, taken, -np.inf).max(axis + 1)
    shape = (*x.shape[:-2], *spatial)
    return _settled(shape, state), Tensor(shape)


def avg_pool(
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """``aten.avg_pool2d``; padding counts as zeros, or not at all."""
    spatial = _sizes(x, kernel, stride, padding, (1,), ceil=ceil_mode)
    state = x.state
    for axis, out in enumerate(spatial, start=len(x.shape) - 2):
        place = axis - len(x.shape) + 2
        if state is None:
            break
        step, margin = _at(stride or kernel, place), _at(padding, place)
        starts = [number * step - margin for number in range(out)]
        stops = [min(start + _at(kernel, place), x.shape[axis] + margin) for start in starts]
        inside = [(max(start, 0), min(stop, x.shape[axis])) for start, stop in zip(starts, stops, strict=True)]
        counted = zip(starts, stops, strict=True) if count_include_pad else inside
        weights = [1.0 if divisor_override else 1 / (stop - start) for start, stop in counted]
        state = _summed(state, axis, inside, weights)
    if state is not None and divisor_override:
        state = state / divisor_override
    return _settled((*x.shape[:-2], *spatial), state)


def adaptive_avg_pool(x: Tensor, output_size: int | Sequence[int]) -> Tensor:
    """``torch.nn.functional.adaptive_avg_pool2d``: means over windows that cover the input evenly."""
    output_size = (output_size, output_size) if isinstance(output_size, int) else output_size
    state = x.state
    for axis, out in enumerate(output_size, start=len(x.shape) - len(output_size)):
        if state is not None and state.shape[axis] > 1:
            windows = _even(x.shape[axis], out)
            state = _summed(state, axis, windows, [1 / (stop - start) for start, stop in windows])
    return _settled((*x.shape[: len(x.shape) - len(output_size)], *output_size), state)


def adaptive_max_pool(x: Tensor, output_size: int | Sequence[int]) -> tuple[Tensor, Tensor]:
    """``aten.adaptive_max_pool2d``: maxima over windows that cover the input evenly."""
    output_size = (output_size, output_size) if isinstance(output_size, int) else output_size
    state = x.state
    for axis, out in enumerate(output_size, start=len(x.shape) - len(output_size)):
        if state is not None and state.shape[axis] > 1:
            pieces = [_part(state, axis, *window).max(axis, keepdims=True) for window in _even(x.shape[axis], out)]
            state = np.concatenate(pieces, axis)
    shape = (*x.shape[: len(x.shape) - len(output_size)], *output_size)
    return _settled(shape, state), Tensor(shape)


def upsample_nearest(x: Tensor, output_size: Sequence[int] | None, *scales: float | Sequence[float] | None) -> Tensor:
    """``aten.upsample_nearest2d`` in both of its forms: scale per axis, or a list of scales."""
    factors = _factors(scales)
    spatial = _enlarged(x, output_size, factors)
    state = x.state
    for place, out in enumerate(spatial):
        axis = place + 2
        if state is not None and state.shape[axis] > 1:
            scale = 1 / factors[place] if factors else x.shape[axis] / out
            at = np.minimum(np.floor(np.arange(out) * scale).astype(np.int64), x.shape[axis] - 1)
            state = np.take(state, at, axis=axis)
    return _settled((*x.shape[:2], *spatial), state)


def upsample_linear(
    x: Tensor, output_size: Sequence[int] | None, align_corners: bool, *scales: float | Sequence[float] | None
) -> Tensor:
    """``aten.upsample_bilinear2d`` in both of its forms."""
    factors = _factors(scales)
    spatial = _enlarged(x, output_size, factors)
    state = x.state
    for place, out in enumerate(spatial):
        axis = place + 2
        if state is None or state.shape[axis] == 1:
            continue
        size = x.shape[axis]
        if align_corners:
            at = np.arange(out) * ((size - 1) / (out - 1) if out > 1 else 0.0)
        else:
            scale = 1 / factors[place] if factors else size / out
            at = np.maximum((np.arange(out) + 0.5) * scale - 0.5, 0)
        low = np.minimum(np.floor(at).astype(np.int64), size - 1)
        share = (at - low).reshape((-1,) + (1,) * (state.ndim - axis - 1))
        left, right = np.take(state, low, axis=axis), np.take(state, np.minimum(low + 1, size - 1), axis=axis)
        state = np.where(share == 0, left, left * (1 - share) + right * share)
    return _settled((*x.shape[:2], *spatial), state)


def _at(numbers: Sequence[int], axis: int) -> int:
    return numbers[axis] if len(numbers) > 1 else numbers[0]


def _sizes(
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    *,
    ceil: bool,
) -> tuple[int, ...]:
    if 0 in x.shape[1:]:
        words = (
            f"Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but got:{listed(x.shape)}"
        )
        raise Breaks("pool", "at least 1", 0, words)
    stride = stride or kernel
    spatial = tuple(
        _pooled(size, _at(kernel, axis), _at(stride, axis), _at(padding, axis), _at(dilation, axis), ceil=ceil)
        for axis, size in enumerate(x.shape[-2:])
    )
    if min(spatial) < 1:
        before, after = ("x".join(map(str, (x.shape[-3], *sizes))) for sizes in (x.shape[-2:], spatial))
        raise Breaks(
            "pool",
            "at least 1x1",
            "x".join(map(str, spatial)),
            f"Given input size: ({before}). Calculated output size: ({after}). Output size is too small",
        )
    return spatial


def _pooled(size: int, kernel: int, stride: int, padding: int, dilation: int, *, ceil: bool) -> int:
    reach = size + 2 * padding - dilation * (kernel - 1) - 1
    count = -(-reach // stride) + 1 if ceil else reach // stride + 1
    if ceil and (count - 1) * stride >= size + padding:
        count -= 1  # PyTorch drops a last window that would start in the padding
    return count


def _even(size: int, out: int) -> Windows:
    return [(number * size // out, -(-(number + 1) * size // out)) for number in range(out)]


def _part(state: State, axis: int, start: int, stop: int) -> State:
    return state[(slice(None),) * axis + (slice(start, stop),)]


def _summed(state: FloatArray, axis: int, windows: Windows, weights: Sequence[float]) -> FloatArray:
    """Weighted sums over windows of one axis; the axis stays 1 where they are all alike."""
    if state.shape[axis] == 1:
        totals = np.array([(stop - start) * weight for (start, stop), weight in zip(windows, weights, strict=True)])
        if np.ptp(totals) < 1e-12:
            totals = totals[:1]
        return np.asarray(state * np.round(totals, 12).reshape((-1,) + (1,) * (state.ndim - axis - 1)))
    pieces = [
        _part(state, axis, *window).sum(axis, keepdims=True) * weight
        for window, weight in zip(windows, weights, strict=True)
    ]
    return np.concatenate(pieces, axis)


def _settled(shape: tuple[int, ...], state: FloatArray | None) -> Tensor:
    return Tensor(shape) if state is None else stated(shape, state)


def _factors(scales: Sequence[float | Sequence[float] | None]) -> list[float]:
    return [s for scale in scales if scale is not None for s in (scale if isinstance(scale, Sequence) else [scale])]


def _enlarged(x: Tensor, output_size: Sequence[int] | None, factors: Sequence[float]) -> tuple[int, ...]:
    if 0 in x.shape[1:]:
        words = f"Non-empty 4D data tensor expected but got a tensor with sizes {listed(x.shape)}"
        raise Breaks("pool", "at least 1", 0, words)
    if output_size is not None:
        return tuple(output_size)
    return tuple(int(size * factor) for size, factor in zip(x.shape[2:], factors, strict=True))


POOLS: dict[str, Callable[..., Any]] = {
    "max_pool2d_with_indices": max_pool,
    "avg_pool2d": avg_pool,
    "_adaptive_avg_pool2d": adaptive_avg_pool,
    "adaptive_avg_pool2d": adaptive_avg_pool,
    "adaptive_max_pool2d": adaptive_max_pool,
}
UPSAMPLES: dict[str, Callable[..., Any]] = {
    "upsample_nearest2d": upsample_nearest,
    "upsample_bilinear2d": upsample_linear,
}
RULES: dict[str, Callable[..., Any]] = {**POOLS, **UPSAMPLES}
