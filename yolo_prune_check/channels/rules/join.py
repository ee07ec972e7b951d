"""Concat joins channels; chunk and split cut them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from yolo_prune_check.channels.tensors import Breaks, State, Tensor, blank, known, stated


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """``aten.cat``; all axes but ``dim`` must agree."""
    parts = [t for t in tensors if t.shape != (0,)] or tensors[:1]  # PyTorch leaves out empty vectors
    first, rank = parts[0].shape, len(parts[0].shape)
    axis = dim % rank
    before, after = first[:axis], first[axis + 1 :]
    for number, tensor in enumerate(tensors):
        if tensor.shape == (0,) or (tensor.shape[:axis], tensor.shape[axis + 1 :]) == (before, after):
            continue
        if len(tensor.shape) != rank:
            raise Breaks(
                "concat",
                rank,
                len(tensor.shape),
                f"Tensors must have same number of dimensions: got {rank} and {len(tensor.shape)}",
            )
        for other in range(rank):
            if other != axis and tensor.shape[other] != first[other]:
                raise Breaks(
                    "concat",
                    first[other],
                    tensor.shape[other],
                    f"Sizes of tensors must match except in dimension {axis}. Expected size {first[other]} "
                    f"but got size {tensor.shape[other]} for tensor number {number} in the list.",
                )
    total = 0
    for tensor in parts:
        total += tensor.shape[axis]
    shape, state = (*before, total, *after), _joined(parts, axis)
    return Tensor(shape) if state is None else stated(shape, state)


def _joined(parts: Sequence[Tensor], axis: int) -> State | None:
    states = [known(part) for part in parts]
    found = next((state for state in states if state is not None), None)
    if found is None:
        return None
    unknown = np.full((1,) * found.ndim, blank(found.dtype), dtype=found.dtype)
    whole = [unknown if state is None else state for state in states]
    if found.shape[axis] == 1 and all(np.array_equal(s, found, equal_nan=True) for s in whole):
        return found
    sizes = [max(state.shape[other] for state in whole) for other in range(found.ndim)]
    return np.concatenate(
        [
            np.broadcast_to(state, (*sizes[:axis], part.shape[axis], *sizes[axis + 1 :]))
            for state, part in zip(whole, parts, strict=True)
        ],
        axis,
    )


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """``aten.stack``; all shapes must agree."""
    first = tensors[0].shape
    for number, tensor in enumerate(tensors):
        if tensor.shape != first:
            raise Breaks(
                "concat",
                list(first),
                list(tensor.shape),
                f"stack expects each tensor to be equal size, but got {list(first)} at entry 0 "
                f"and {list(tensor.shape)} at entry {number}",
            )
    axis = dim % (len(first) + 1)
    raised = [
        Tensor((*first[:axis], 1, *first[axis:]), None if (s := known(t)) is None else np.expand_dims(s, axis))
        for t in tensors
    ]
    return cat(raised, axis)


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
    return _pieces(x, sizes, axis)


def tensor_split(x: Tensor, parts: int | Sequence[int], dim: int = 0, *, name: str | None = None) -> tuple[Tensor, ...]:
    """``torch.tensor_split``: so many pieces, the first ones longer by one, or pieces between these places.

    Args:
        x: The tensor.
        parts: How many pieces, or where they meet.
        dim: The axis.
        name: Which of ``hsplit``, ``vsplit`` and ``dsplit`` was called, which insist on pieces of one size.
    """
    axis = dim % len(x.shape)
    size = x.shape[axis]
    if not isinstance(parts, int):
        places = [slice(*pair).indices(size)[:2] for pair in itertools.pairwise((None, *parts, None))]
        return _pieces(x, [max(stop - start, 0) for start, stop in places], axis)
    if name is not None and size % parts:
        words = f"torch.{name} attempted to split along dimension {axis}, but the size of the dimension {size} "
        raise Breaks("split", f"a multiple of {parts}", size, f"{words}is not divisible by the split_size {parts}!")
    return _pieces(x, [size // parts + (number < size % parts) for number in range(parts)], axis)


def unbind(x: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """``aten.unbind``: one piece per entry of the axis, without the axis."""
    axis = dim % len(x.shape)
    state = known(x)
    shape = (*x.shape[:axis], *x.shape[axis + 1 :])
    return tuple(
        Tensor(shape) if state is None else stated(shape, part(state, axis, number, number + 1).squeeze(axis))
        for number in range(x.shape[axis])
    )


def part(state: State, axis: int, start: int, stop: int) -> State:
    """Entries of one axis; where they are alike, they stay one."""
    if state.shape[axis] == 1:
        return state
    return state[(slice(None),) * axis + (slice(start, stop),)]


def _pieces(x: Tensor, sizes: Sequence[int], axis: int) -> tuple[Tensor, ...]:
    state, before, after = known(x), x.shape[:axis], x.shape[axis + 1 :]
    if state is None:
        return tuple(Tensor((*before, size, *after)) for size in sizes)
    pieces, start = [], 0
    for size in sizes:
        pieces.append(stated((*before, size, *after), part(state, axis, start, start + size)))
        start += size
    return tuple(pieces)


SPLITS: dict[str, Callable[..., Any]] = {
    "chunk": chunk,
    "split": split,
    "split_with_sizes": split_with_sizes,
    "unsafe_split": split,
    "unsafe_split_with_sizes": split_with_sizes,
}
RULES: dict[str, Callable[..., Any]] = {
    "cat": cat,
    "stack": stack,
    **SPLITS,
    "unbind": unbind,
    "tensor_split": tensor_split,
}
