"""Operators that rearrange entries without changing them; they act on any type of state."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from yolo_prune_check.channels.tensors import Breaks, State, Tensor, known, listed

Shape = tuple[int, ...]


def view(x: Tensor, size: Sequence[int], *, parted: tuple[int, Sequence[int]] | None = None) -> Tensor:
    """``aten.view`` and ``aten.reshape``; at most one size is -1.

    Args:
        x: The tensor.
        size: Its new shape.
        parted: The axis and the sizes that ``unflatten`` made of it, where that was called: it has words of its own.
    """
    total, fixed = math.prod(x.shape), math.prod(n for n in size if n != -1)
    if -1 in size:
        if fixed == 0 == total:
            raise Breaks(
                "view",
                list(size),
                total,
                f"cannot reshape tensor of 0 elements into shape {listed(size)} "
                "because the unspecified dimension size -1 can be any value and is ambiguous",
            )
        fits = fixed != 0 and total % fixed == 0
    else:
        fits = total == fixed
    if not fits and parted is not None:
        _refuse_parts(x.shape, *parted)
    if not fits:
        raise Breaks("view", list(size), total, f"shape '{listed(size)}' is invalid for input of size {total}")
    shape = tuple(total // fixed if n == -1 else n for n in size)
    state = known(x)
    return Tensor(shape, None if state is None or total == 0 else reshaped(state, x.shape, shape))


def flatten(x: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """``torch.flatten``: some neighbouring axes as one."""
    if not x.shape:
        return view(x, (1,))
    start, end = start_dim % len(x.shape), end_dim % len(x.shape)
    shape = (*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :])
    return view(x, shape)


def unflatten(x: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """``aten.unflatten``: one axis as several."""
    axis = dim % len(x.shape)
    return view(x, (*x.shape[:axis], *sizes, *x.shape[axis + 1 :]), parted=(dim, sizes))


def _refuse_parts(shape: Shape, dim: int, sizes: Sequence[int]) -> None:
    expected = f"a multiple of {-math.prod(sizes)}" if -1 in sizes else math.prod(sizes)
    words = f"unflatten: Provided sizes {listed(sizes)} don't multiply up to the size of dim {dim} ({shape[dim]})"
    raise Breaks("view", expected, shape[dim], f"{words} in the input tensor")


def reshaped(state: State, old: Shape, new: Shape) -> State:
    """State of a view: axes are written out only where they mix with others that are not alike."""
    wide, narrow = list(state.shape), [1] * len(new)
    for before, after in _blocks(old, new):
        if any(state.shape[axis] != 1 for axis in before):
            for axis in before:
                wide[axis] = old[axis]
            for axis in after:
                narrow[axis] = new[axis]
    return np.broadcast_to(state, wide).reshape(narrow)


@lru_cache(maxsize=4096)
def _blocks(old: Shape, new: Shape) -> tuple[tuple[range, range], ...]:
    """Neighbouring axes before and after a view that hold the same entries, in the smallest blocks there are."""
    blocks: list[tuple[range, range]] = []
    i = j = 0
    while i < len(old) or j < len(new):
        first, second, left, right = i, j, 1, 1
        while True:
            if left <= right and i < len(old):
                left, i = left * old[i], i + 1
            elif j < len(new):
                right, j = right * new[j], j + 1
            else:
                left, i = left * old[i], i + 1
            if left == right and (i > first or j > second) and (j > second or j == len(new)):
                break
        blocks.append((range(first, i), range(second, j)))
    return tuple(blocks)


def transpose(x: Tensor, first: int, second: int) -> Tensor:
    """``aten.transpose``."""
    order = list(range(len(x.shape)))
    if not order:
        return x
    order[first], order[second] = order[second], order[first]
    return permute(x, order)


def t(x: Tensor) -> Tensor:
    """``aten.t``: of a matrix."""
    return transpose(x, 0, 1) if len(x.shape) == 2 else x


def permute(x: Tensor, order: Sequence[int]) -> Tensor:
    """``aten.permute``."""
    state = known(x)
    return Tensor(tuple([x.shape[axis] for axis in order]), None if state is None else state.transpose(order))


def unsqueeze(x: Tensor, dim: int) -> Tensor:
    """``aten.unsqueeze``."""
    axis, state = dim % (len(x.shape) + 1), known(x)
    return Tensor((*x.shape[:axis], 1, *x.shape[axis:]), None if state is None else np.expand_dims(state, axis))


def squeeze(x: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """``aten.squeeze``: without the axes of size 1, or without those of ``dim`` that are."""
    rank = len(x.shape)
    asked = range(rank) if dim is None else [dim] if isinstance(dim, int) else dim
    axes = tuple({axis % rank for axis in asked if x.shape[axis] == 1}) if rank else ()
    state = known(x)
    shape = tuple(n for axis, n in enumerate(x.shape) if axis not in axes)
    return Tensor(shape, None if state is None else state.squeeze(axes))


def pixel_shuffle(x: Tensor, factor: int) -> Tensor:
    """``aten.pixel_shuffle``: channels become pixels."""
    *lead, channels, height, width = x.shape
    if channels % factor**2:
        raise Breaks(
            "view",
            f"a multiple of {factor**2}",
            channels,
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, "
            f"but input.size(-3)={channels} is not divisible by {factor**2}",
        )
    rank, out = len(lead), channels // factor**2
    apart = view(x, (*lead, out, factor, factor, height, width))
    order = (*range(rank), rank, rank + 3, rank + 1, rank + 4, rank + 2)
    return view(permute(apart, order), (*lead, out, height * factor, width * factor))


def pixel_unshuffle(x: Tensor, factor: int) -> Tensor:
    """``aten.pixel_unshuffle``: pixels become channels."""
    *lead, channels, height, width = x.shape
    for name, axis, size in (("height", -2, height), ("width", -1, width)):
        if size % factor:
            raise Breaks(
                "view",
                f"a multiple of {factor}",
                size,
                f"pixel_unshuffle expects {name} to be divisible by downscale_factor, "
                f"but input.size({axis})={size} is not divisible by {factor}",
            )
    rank, shape = len(lead), (height // factor, width // factor)
    apart = view(x, (*lead, channels, shape[0], factor, shape[1], factor))
    order = (*range(rank), rank, rank + 2, rank + 4, rank + 1, rank + 3)
    return view(permute(apart, order), (*lead, channels * factor**2, *shape))


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """``aten.channel_shuffle``: the channels of all groups in turn."""
    batch, channels, *spatial = x.shape
    if channels % groups:
        words = f"Number of channels must be divisible by groups. Got {channels} channels and {groups} groups."
        raise Breaks("view", f"a multiple of {groups}", channels, words)
    apart = view(x, (batch, groups, channels // groups, *spatial))
    return view(transpose(apart, 1, 2), x.shape)


def view_as(x: Tensor, other: Tensor) -> Tensor:
    """``torch.Tensor.view_as`` and ``reshape_as``."""
    return view(x, other.shape)


def same(x: Tensor, *options: Any, **named: Any) -> Tensor:
    """Operators that return their operand."""
    return x


SAME = ("detach", "alias", "clone", "contiguous", "_to_copy", "lift_fresh", "dropout", "feature_dropout")
RULES: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(("view", "_unsafe_view", "reshape", "_reshape_alias"), view),
    "flatten": flatten,
    "unflatten": unflatten,
    "transpose": transpose,
    "t": t,
    "permute": permute,
    "unsqueeze": unsqueeze,
    "squeeze": squeeze,
    "pixel_shuffle": pixel_shuffle,
    "pixel_unshuffle": pixel_unshuffle,
    "channel_shuffle": channel_shuffle,
    "view_as": view_as,
    "reshape_as": view_as,
    **dict.fromkeys(SAME, same),
}
