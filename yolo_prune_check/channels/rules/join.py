"""Concat joins channels; chunk and split cut them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from yolo_prune_check.channels.program import FloatArray
from yolo_prune_check.channels.tensors import Breaks, Tensor


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """``aten.cat``; all axes but ``dim`` must agree."""
    first, rank = tensors[0].shape, len(tensors[0].shape)
    axis = dim % rank
    for number, tensor in enumerate(tensors[1:], start=1):
        for other in range(rank):
            if other != axis and tensor.shape[other] != first[other]:
                raise Breaks(
                    "concat",
                    first[other],
                    tensor.shape[other],
                    f"Sizes of tensors must match except in dimension {axis}. Expected size {first[other]} "
                    f"but got size {tensor.shape[other]} for tensor number {number} in the list.",
                )
    shape = tuple(sum(t.shape[i] for t in tensors) if i == axis else n for i, n in enumerate(first))
    if axis == 1:
        return Tensor(shape, np.concatenate([_states(t) for t in tensors]))
    states = np.stack([_states(t) for t in tensors]) if rank > 1 else None
    if states is None:
        return Tensor(shape)
    same = (states == states[0]).all(0)  # NaN is never the same, so that a varying channel stays varying
    return Tensor(shape, np.where(same, states[0], np.nan))


def chunk(x: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """``torch.chunk``: pieces of equal size, the last one smaller; fewer pieces if the axis is short but not empty."""
    size = x.shape[dim % len(x.shape)]
    if size == 0:
        return _pieces(x, [0] * chunks, dim % len(x.shape))
    return split(x, -(-size // chunks), dim)


def split(x: Tensor, size: int, dim: int = 0) -> tuple[Tensor, ...]:
    """``aten.split`` into pieces of one size."""
    total = x.shape[dim % len(x.shape)]
    return _pieces(x, [min(size, total - start) for start in range(0, max(total, 1), size)], dim % len(x.shape))


def split_with_sizes(x: Tensor, sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """``aten.split_with_sizes``; the sizes must add up."""
    axis = dim % len(x.shape)
    if sum(sizes) != x.shape[axis]:
        raise Breaks(
            "split",
            sum(sizes),
            x.shape[axis],
            f"split_with_sizes expects split_sizes to sum exactly to {x.shape[axis]} (input tensor's size at "
            f"dimension {dim}), but got split_sizes={list(sizes)}",
        )
    return _pieces(x, list(sizes), axis)


def _pieces(x: Tensor, sizes: list[int], axis: int) -> tuple[Tensor, ...]:
    pieces, start = [], 0
    for size in sizes:
        shape = (*x.shape[:axis], size, *x.shape[axis + 1 :])
        channels = x.channels
        if axis == 1 and channels is not None:
            channels = channels[start : start + size]
        pieces.append(Tensor(shape, channels if axis != 0 else None))
        start += size
    return tuple(pieces)


def _states(tensor: Tensor) -> FloatArray:
    return np.full(tensor.shape[1], np.nan) if tensor.channels is None else tensor.channels


RULES: dict[str, Callable[..., Any]] = {
    "cat": cat,
    "chunk": chunk,
    "split": split,
    "split_with_sizes": split_with_sizes,
}
