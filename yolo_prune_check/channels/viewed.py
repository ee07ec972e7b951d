"""Views of a one-dimensional parameter that lay its numbers along another axis, as code does before it multiplies.

Such a view becomes an operator of the program where it meets what depends on the image, so that it follows the
parameter. It must do so however many numbers there are: a size that the code spells as a number does not.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from yolo_prune_check.channels.sizes import Arithmetic, Axis, Size

VIEWING = frozenset({"view", "unsqueeze"})
"""Operators that lay a parameter out; ``reshape`` and an index with None are these to ATen."""

MEETING = frozenset({"add", "sub", "mul"})
"""Operators in which the view of a parameter may meet channels: those whose scales ``flows.elementwise`` follows."""


class Viewed(NamedTuple):
    """A view of a one-dimensional parameter.

    Attributes:
        tensor: The view; kept, for its id is its memory address.
        source: What it is a view of: the parameter, or a view of it.
        name: The parameter.
        target: The operator that made it.
        args: The operator's arguments, sizes as ``sizes.Size``.
    """

    tensor: torch.Tensor
    source: torch.Tensor
    name: str
    target: str
    args: tuple[Any, ...]


def follows(target: str, args: tuple[Any, ...], shape: tuple[int, ...], parameter: int | None) -> bool:
    """Whether a view of so many numbers is one of fewer, all along the same axis, where there are fewer.

    Args:
        target: The operator.
        args: Its arguments, sizes as ``sizes.Size``.
        shape: The traced result.
        parameter: The parameter's value, where sizes that were read are among the arguments.
    """
    wide = [axis for axis, n in enumerate(shape) if n > 1]
    if len(wide) != 1:
        return False
    if target == "unsqueeze":
        return True
    sizes = args[1]
    if not isinstance(sizes, (list, tuple)) or len(sizes) != len(shape):  # of another type of number
        return False
    own = sizes[wide[0]]
    others = (*sizes[: wide[0]], *sizes[wide[0] + 1 :])
    return (_is(own, -1) or is_own(own, parameter)) and all(_is(size, 1) or _is(size, -1) for size in others)


def is_own(size: Size, parameter: int | None) -> bool:
    """Whether a size is how many numbers a parameter holds, and not computed from that; ``numel`` is once that."""
    if isinstance(size, Arithmetic):
        return size.operator == "*" and _is(size.left, 1) and is_own(size.right, parameter)
    return parameter is not None and size == Axis(parameter, 0)


def _is(size: Size, number: int) -> bool:
    """Whether a size is that number in the code; an attribute that holds it is not."""
    return type(size) is int and size == number
