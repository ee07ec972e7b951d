"""Pooling and upsampling pass channels and change the spatial axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from yolo_prune_check.channels.tensors import Tensor


def max_pool(
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor]:
    """``aten.max_pool2d_with_indices``; the padding is minus infinity, so that a silent channel stays silent."""
    spatial = tuple(
        _pooled(
            size,
            _at(kernel, axis),
            _at(stride or kernel, axis),
            _at(padding, axis),
            _at(dilation, axis),
            ceil=ceil_mode,
        )
        for axis, size in enumerate(x.shape[2:])
    )
    pooled = Tensor((*x.shape[:2], *spatial), x.channels)
    return pooled, Tensor(pooled.shape)


def upsample_nearest(x: Tensor, output_size: Sequence[int] | None, *scales: float | Sequence[float] | None) -> Tensor:
    """``aten.upsample_nearest2d`` in both of its forms: scale per axis, or a list of scales."""
    if output_size is not None:
        return Tensor((*x.shape[:2], *output_size), x.channels)
    factors = [s for scale in scales if scale is not None for s in (scale if isinstance(scale, Sequence) else [scale])]
    spatial = tuple(int(size * factor) for size, factor in zip(x.shape[2:], factors, strict=True))
    return Tensor((*x.shape[:2], *spatial), x.channels)


def _at(numbers: Sequence[int], axis: int) -> int:
    return numbers[axis] if len(numbers) > 1 else numbers[0]


def _pooled(size: int, kernel: int, stride: int, padding: int, dilation: int, *, ceil: bool) -> int:
    reach = size + 2 * padding - dilation * (kernel - 1) - 1
    count = -(-reach // stride) + 1 if ceil else reach // stride + 1
    if ceil and (count - 1) * stride >= size + padding:
        count -= 1  # PyTorch drops a last window that would start in the padding
    return count


POOLS: dict[str, Callable[..., Any]] = {"max_pool2d_with_indices": max_pool}
UPSAMPLES: dict[str, Callable[..., Any]] = {"upsample_nearest2d": upsample_nearest}
RULES: dict[str, Callable[..., Any]] = {**POOLS, **UPSAMPLES}
