"""Operators that pick entries, or write some of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from yolo_prune_check.channels.rules.elementwise import broadcast, check_written, joint
from yolo_prune_check.channels.rules.tiling import check_expand
from yolo_prune_check.channels.tensors import Breaks, State, Tensor, blank, known, stated

Shape = tuple[int, ...]


def cut(x: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Tensor:
    """``aten.slice``."""
    axis = dim % len(x.shape)
    steps, state = slice(start, end, step), known(x)
    shape = (*x.shape[:axis], len(range(*steps.indices(x.shape[axis]))), *x.shape[axis + 1 :])
    if state is None or state.shape[axis] == 1:
        return Tensor(shape, state)
    return stated(shape, state[(slice(None),) * axis + (steps,)])


def narrow(x: Tensor, dim: int, start: int, length: int) -> Tensor:
    """``torch.narrow``: a slice that must lie inside."""
    size = x.shape[dim]
    if not -size <= start <= size:
        words = f"start out of range (expected to be in range of [-{size}, {size}], but got {start})"
        raise Breaks("split", start, size, words)
    start += size if start < 0 else 0
    if start + length > size:
        words = f"start ({start}) + length ({length}) exceeds dimension size ({size})."
        raise Breaks("split", start + length, size, words)
    return cut(x, dim, start, start + length)


def select(x: Tensor, dim: int, index: int) -> Tensor:
    """``aten.select``: one entry of an axis, without the axis."""
    axis, state = dim % len(x.shape), known(x)
    size = x.shape[axis]
    if not -size <= index < size:
        words = f"index {index} is out of bounds for dimension {axis} with size {size}"  # as indexing in Python says it
        raise Breaks("split", index, size, words)
    shape = (*x.shape[:axis], *x.shape[axis + 1 :])
    if state is None:
        return Tensor(shape)
    return stated(shape, np.take(state, 0 if state.shape[axis] == 1 else index, axis=axis))


def index(x: Tensor, indices: Sequence[Tensor | None]) -> Tensor:
    """``aten.index`` by whole numbers (not by a mask, whose number of results depends on its entries)."""
    axes = [axis for axis, chosen in enumerate(indices) if chosen is not None]
    chosen = [tensor for tensor in indices if tensor is not None]
    picked = joint(*chosen)
    state, numbers = known(x), known(chosen[0])
    if len(axes) == 1:
        (axis,) = axes
        shape = (*x.shape[:axis], *picked, *x.shape[axis + 1 :])
        if numbers is None or numbers.shape != picked or np.isnan(numbers).any():
            return Tensor(shape)
        whole = numbers.astype(np.int64)
        _check_bounds(whole, x.shape[axis])
        if state is None:
            return Tensor(shape)
        if state.shape[axis] == 1:
            return Tensor(shape, np.take(state, np.zeros((1,) * whole.ndim, dtype=np.int64), axis=axis))
        return stated(shape, np.take(state, whole, axis=axis))
    together = axes[-1] - axes[0] == len(axes) - 1
    rest = [n for axis, n in enumerate(x.shape) if axis not in axes]
    return Tensor((*x.shape[: axes[0]], *picked, *x.shape[axes[-1] + 1 :]) if together else (*picked, *rest))


def _check_bounds(numbers: State, size: int) -> None:
    for number in numbers.ravel().tolist():
        if not -size <= number < size:
            words = f"index {number} is out of bounds for dimension 0 with size {size}"  # 0, whichever axis it is
            raise Breaks("split", number, size, words)


def index_select(x: Tensor, dim: int, chosen: Tensor) -> Tensor:
    """``aten.index_select``; what it says of an index out of bounds depends on the axis."""
    axis, numbers = dim % len(x.shape), known(chosen)
    size = x.shape[axis]
    for number in [] if numbers is None else numbers.ravel().tolist():
        if not 0 <= number < size and axis == 1:
            words = f"INDICES element is out of DATA bounds, id={number:.0f} axis_dim={size}"
            raise Breaks("split", f"{number:.0f}", size, words)
        if not 0 <= number < size:
            raise Breaks("split", "more", "fewer", "index out of range in self")
    return index(x, (*(None,) * (dim % len(x.shape)), chosen))


def gather(x: Tensor, dim: int, chosen: Tensor, **options: Any) -> Tensor:
    """``aten.gather``; an axis along which all is alike stays so."""
    axis = dim % len(x.shape)
    large = [at for at, n in enumerate(x.shape) if at != axis and chosen.shape[at] > n]
    if large:
        at = large[0]
        words = f"Size does not match at dimension {at} expected index {list(chosen.shape)} to be no larger than self "
        raise Breaks("split", chosen.shape[at], x.shape[at], f"{words}{list(x.shape)} apart from dimension {dim}")
    numbers, size = known(chosen), x.shape[axis]
    for number in [] if numbers is None else numbers.ravel().tolist():
        if number < 0 or number >= size:
            words = f"index {number:.0f} is out of bounds for dimension {axis} with size {size}"
            raise Breaks("split", f"{number:.0f}", size, words)
    state = known(x)
    if state is None or state.shape[axis] != 1:
        return Tensor(chosen.shape)
    kept = tuple(slice(None) if at == axis else slice(n) for at, n in enumerate(chosen.shape))
    return stated(chosen.shape, state[kept])


def topk(x: Tensor, k: int, dim: int = -1, *options: Any) -> tuple[Tensor, Tensor]:
    """``aten.topk``: values and indices."""
    axis, state = dim % len(x.shape), known(x)
    if k > x.shape[axis]:
        raise Breaks("split", "more", "fewer", "selected index k out of range")
    shape = (*x.shape[:axis], k, *x.shape[axis + 1 :])
    return Tensor(shape, state if state is not None and state.shape[axis] == 1 else None), Tensor(shape)


def sort(x: Tensor, dim: int = -1, *options: Any, **named: Any) -> tuple[Tensor, Tensor]:
    """``aten.sort``: values and indices."""
    return topk(x, x.shape[dim], dim)


def copy(x: Tensor, source: Tensor, *options: Any, direct: bool = False) -> Tensor:
    """``aten.copy_``: the target, which now holds what the source holds.

    Args:
        x: The target.
        source: What is written into it.
        options: Whatever else the operator takes.
        direct: Whether Python code called it, and not an assignment to a slice, which has other words for a misfit.
    """
    if direct:
        check_written(x.shape, broadcast(x.shape, source.shape))
    else:
        given = source.shape
        while given and given[0] == 1:  # PyTorch drops them first
            given = given[1:]
        check_expand(given, x.shape)
    state = known(source)
    if state is None:
        return Tensor(x.shape)
    rank = len(x.shape)
    shape = state.shape[-rank:] if state.ndim > rank else (1,) * (rank - state.ndim) + state.shape
    return Tensor(x.shape, state.reshape(shape))


def slice_scatter(
    x: Tensor, source: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    """``aten.slice_scatter``: a tensor after an assignment to a slice of it."""
    written = copy(cut(x, dim, start, end, step), source)
    return _written(x, written.state, dim % len(x.shape), slice(start, end, step))


def select_scatter(x: Tensor, source: Tensor, dim: int, index: int) -> Tensor:
    """``aten.select_scatter``: a tensor after an assignment to one entry of an axis."""
    axis, written = dim % len(x.shape), copy(select(x, dim, index), source)
    state = None if written.state is None else np.expand_dims(written.state, axis)
    return _written(x, state, axis, slice(index, index + 1 or None))


def _written(x: Tensor, source: State | None, axis: int, place: slice) -> Tensor:
    old = known(x)
    some = source if old is None else old
    if some is None:
        return Tensor(x.shape)
    unknown = np.full((1,) * len(x.shape), blank(some.dtype), dtype=some.dtype)
    old, new = unknown if old is None else old, unknown if source is None else source
    sizes = [max(m, n) for m, n in zip(old.shape, new.shape, strict=True)]
    sizes[axis] = x.shape[axis]
    whole = np.broadcast_to(old, sizes).copy()
    whole[(slice(None),) * axis + (place,)] = new
    return stated(x.shape, whole)


def grid_sample(x: Tensor, grid: Tensor, *options: Any) -> Tensor:
    """``aten.grid_sampler_2d``: channels at places that vary; only a silent channel stays what it is."""
    places = list(grid.shape)
    if x.shape[0] != grid.shape[0]:
        words = "grid_sampler(): expected grid and input to have same batch size, but got input with sizes "
        raise Breaks("elementwise", x.shape[0], grid.shape[0], f"{words}{list(x.shape)} and grid with sizes {places}")
    if places[-1] != 2:
        words = "grid_sampler(): expected grid to have size 2 in last dimension, but got grid with sizes "
        raise Breaks("elementwise", 2, places[-1], f"{words}{places}")
    shape = (*x.shape[:2], *grid.shape[1:-1])
    if x.state is None:
        return Tensor(shape)
    spatial = tuple(range(2, len(x.shape)))
    return stated(shape, np.where((x.state == 0).all(spatial, keepdims=True), 0.0, np.nan))


def pad_circular(x: Tensor, pad: Sequence[int], mode: str = "circular", value: float | None = None) -> Tensor:
    """``nn.functional.pad`` in circular mode: axes from the last one on, each by numbers before and after."""
    rank = len(x.shape)
    widths = [(0, 0)] * rank
    for number in range(len(pad) // 2):
        widths[rank - 1 - number] = pad[2 * number], pad[2 * number + 1]
    shape = tuple(before + size + after for size, (before, after) in zip(x.shape, widths, strict=True))
    state = known(x)
    if state is None:
        return Tensor(shape)
    for axis, (before, after) in enumerate(widths):
        if state.shape[axis] > 1:
            size = state.shape[axis]
            state = np.take(state, np.arange(-before, size + after) % size, axis=axis)
    return stated(shape, state)


WRITES: dict[str, Callable[..., Any]] = {"copy": copy, "slice_scatter": slice_scatter}
LAYOUT: dict[str, Callable[..., Any]] = {
    "slice": cut,
    "narrow": narrow,
    "select": select,
    "index": index,
    "index_select": index_select,
    **WRITES,
    "select_scatter": select_scatter,
}


def overwritten(x: Tensor, source: Tensor) -> Tensor:
    """A tensor whose memory was written into through a view of it: nothing is known of its entries any more."""
    return Tensor(x.shape)


RULES: dict[str, Callable[..., Any]] = {
    "overwritten": overwritten,
    "pad_circular": pad_circular,
    **LAYOUT,
    "gather": gather,
    "topk": topk,
    "sort": sort,
    "grid_sampler_2d": grid_sample,
}
