"""Operators that copy entries, or put constants around them; like those of ``layout`` they act on any type of state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from yolo_prune_check.channels.tensors import Breaks, State, Tensor, blank, known, listed, spread, stated

Shape = tuple[int, ...]


def check_expand(shape: Shape, size: Sequence[int]) -> None:
    """Whether a tensor of ``shape`` broadcasts to ``size`` (-1: as it is), in the order and words of ``expand``.

    Raises:
        Breaks: It does not.
    """
    lead = len(size) - len(shape)
    if lead < 0:
        words = f"expand(torch.FloatTensor{{{listed(shape)}}}, size={listed(size)}): the number of sizes provided "
        words += f"({len(size)}) must be greater or equal to the number of dimensions in the tensor ({len(shape)})"
        raise Breaks("view", len(size), len(shape), words)
    for axis in reversed(range(len(shape))):
        have, want = shape[axis], size[lead + axis]
        if have not in (1, want) and want != -1:
            words = f"The expanded size of the tensor ({want}) must match the existing size ({have}) at non-singleton "
            words += f"dimension {lead + axis}.  Target sizes: {listed(size)}.  Tensor sizes: {listed(shape)}"
            raise Breaks("view", want, have, words)


def expand(x: Tensor, size: Sequence[int], **options: Any) -> Tensor:
    """``aten.expand``; -1 keeps an axis."""
    check_expand(x.shape, size)
    lead, state = len(size) - len(x.shape), known(x)
    shape = (*size[:lead], *(have if want == -1 else want for have, want in zip(x.shape, size[lead:], strict=True)))
    return Tensor(shape, None if state is None else state.reshape((1,) * lead + state.shape))


def expand_as(x: Tensor, other: Tensor) -> Tensor:
    """``torch.Tensor.expand_as``."""
    return expand(x, other.shape)


def repeat(x: Tensor, repeats: Sequence[int]) -> Tensor:
    """``aten.repeat``: copies side by side along every axis."""
    lead = len(repeats) - len(x.shape)
    if lead < 0:
        words = "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor"
        raise Breaks("view", "more", "fewer", words)
    padded, state = (1,) * lead + x.shape, known(x)
    shape = tuple(n * times for n, times in zip(padded, repeats, strict=True))
    if state is None:
        return Tensor(shape)
    state = state.reshape((1,) * lead + state.shape)
    counts = [1 if n == 1 else times for n, times in zip(state.shape, repeats, strict=True)]
    return Tensor(shape, np.tile(state, counts))


def repeat_interleave(x: Tensor, repeats: int, dim: int, **options: Any) -> Tensor:
    """``torch.repeat_interleave`` of one axis: every entry so often, one copy beside the other."""
    axis, state = dim % len(x.shape), known(x)
    shape = (*x.shape[:axis], x.shape[axis] * repeats, *x.shape[axis + 1 :])
    if state is None or state.shape[axis] == 1:
        return Tensor(shape, state)
    return Tensor(shape, np.repeat(state, repeats, axis))


def flip(x: Tensor, dims: Sequence[int]) -> Tensor:
    """``aten.flip``."""
    state = known(x)
    return Tensor(x.shape, None if state is None else np.flip(state, tuple(dims)))


def roll(x: Tensor, shifts: Sequence[int], dims: Sequence[int] = ()) -> Tensor:
    """``aten.roll``; without axes, of the entries in a row."""
    state = known(x)
    if state is None:
        return x
    if not dims:
        return Tensor(x.shape, np.roll(np.broadcast_to(state, x.shape), shifts[0]))
    return Tensor(x.shape, np.roll(state, tuple(shifts), tuple(dims)))


def constant_pad(x: Tensor, pad: Sequence[int], value: float = 0) -> Tensor:
    """``aten.constant_pad_nd``; a margin below 0 cuts."""
    state = known(x)
    shape, margins = _padded(x.shape, pad)
    if state is None:
        state = np.full((1,) * len(shape), np.nan)
    number = value if state.dtype.kind == "f" else blank(state.dtype)
    if (state == number).all():
        return Tensor(shape, np.full((1,) * len(shape), number, dtype=state.dtype))
    for axis, (before, after) in enumerate(margins):
        if before > 0 or after > 0:
            state = spread(state, axis, x.shape[axis])
    return _grown(state, x, shape, margins, mode="constant", constant_values=number)


def mirrored_pad(mode: str) -> Callable[[Tensor, Sequence[int]], Tensor]:
    """Rule of a padding with copies of entries: ``reflect`` or ``edge``, as numpy calls them."""

    def rule(x: Tensor, pad: Sequence[int]) -> Tensor:
        shape, margins = _padded(x.shape, pad)
        return Tensor(shape) if x.state is None else _grown(x.state, x, shape, margins, mode=mode)

    return rule


def _padded(shape: Shape, pad: Sequence[int]) -> tuple[Shape, list[tuple[int, int]]]:
    """Shape and margins of all axes; ``pad`` starts at the last axis."""
    margins = [(0, 0)] * (len(shape) - len(pad) // 2) + list(zip(pad[0::2], pad[1::2], strict=True))[::-1]
    return tuple(n + before + after for n, (before, after) in zip(shape, margins, strict=True)), margins


def _grown(state: State, x: Tensor, shape: Shape, margins: Sequence[tuple[int, int]], **how: Any) -> Tensor:
    cut = tuple(
        slice(max(-before, 0), x.shape[axis] - max(-after, 0)) if state.shape[axis] == x.shape[axis] else slice(None)
        for axis, (before, after) in enumerate(margins)
    )
    width = [
        (max(before, 0), max(after, 0)) if state.shape[axis] == x.shape[axis] else (0, 0)
        for axis, (before, after) in enumerate(margins)
    ]
    return stated(shape, np.pad(state[cut], width, **how))


EXPANDING: dict[str, Callable[..., Any]] = {"expand": expand, "expand_as": expand_as}
RULES: dict[str, Callable[..., Any]] = {
    **EXPANDING,
    "repeat": repeat,
    "repeat_interleave": repeat_interleave,
    "flip": flip,
    "roll": roll,
    "constant_pad_nd": constant_pad,
    "reflection_pad2d": mirrored_pad("reflect"),
    "replication_pad2d": mirrored_pad("edge"),
}
