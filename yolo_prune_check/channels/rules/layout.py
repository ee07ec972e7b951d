"""Operators that rearrange a tensor. Where axis 1 is rearranged, channels are no longer told apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from yolo_prune_check.channels.tensors import Breaks, Tensor, varying


def view(x: Tensor, size: Sequence[int]) -> Tensor:
    """``aten.view`` and ``aten.reshape``; at most one size is -1."""
    total, known = math.prod(x.shape), math.prod(n for n in size if n != -1)
    fits = known != 0 and total % known == 0 if -1 in size else total == known
    if not fits:
        raise Breaks(
            "view", list(size), total, f"shape '[{', '.join(map(str, size))}]' is invalid for input of size {total}"
        )
    shape = tuple(total // known if n == -1 else n for n in size)
    if len(shape) > 1 and shape[:2] == x.shape[:2]:
        return replace(x, shape=shape)
    return varying(shape)


def transpose(x: Tensor, first: int, second: int) -> Tensor:
    """``aten.transpose``."""
    order = list(range(len(x.shape)))
    a, b = first % len(order), second % len(order)
    order[a], order[b] = order[b], order[a]
    return permute(x, order)


def permute(x: Tensor, order: Sequence[int]) -> Tensor:
    """``aten.permute``."""
    order = [axis % len(x.shape) for axis in order]
    shape = tuple(x.shape[axis] for axis in order)
    return Tensor(shape, x.channels) if len(order) > 1 and order[1] == 1 else varying(shape)


def unsqueeze(x: Tensor, dim: int) -> Tensor:
    """``aten.unsqueeze``."""
    axis = dim % (len(x.shape) + 1)
    shape = (*x.shape[:axis], 1, *x.shape[axis:])
    return Tensor(shape, x.channels) if axis > 1 else varying(shape)


def softmax(x: Tensor, dim: int, *options: Any) -> Tensor:
    """``aten._softmax``: never silent."""
    return varying(x.shape)


def same(x: Tensor, *options: Any, **ignored: Any) -> Tensor:
    """Operators that return their operand."""
    return x


RULES: dict[str, Callable[..., Any]] = {
    "view": view,
    "_unsafe_view": view,
    "reshape": view,
    "transpose": transpose,
    "permute": permute,
    "unsqueeze": unsqueeze,
    "_softmax": softmax,
    **dict.fromkeys(("detach", "alias", "clone", "contiguous", "_to_copy"), same),
}
