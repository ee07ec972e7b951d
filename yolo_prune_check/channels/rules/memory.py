"""How a tensor lies in memory: it decides which words PyTorch has for a misfit.

An axis of size 1 lies anywhere, and a plan may leave an axis with that size: then a tensor that was transposed when the
model was traced lies in memory row by row.
"""

from __future__ import annotations

from itertools import pairwise

Shape = tuple[int, ...]

Memory = tuple[tuple[int, bool], ...]
"""Axes that had more than one entry when traced, the outermost in memory first, and whether nothing lies between the
entries of an axis but those of the axes further inside."""


def by_rows(shape: Shape, memory: Memory | None) -> bool:
    """Whether a tensor of this shape lies in memory row by row; so it does where ``memory`` is None."""
    known = _long(shape, memory)
    return all(tight for _, tight in known) and all(a < b for (a, _), (b, _) in pairwise(known))


def folds(shape: Shape, memory: Memory | None) -> bool:
    """Whether all axes but the last lie in memory as if they were one."""
    known = _long(shape, memory)
    places = [place for place, (axis, _) in enumerate(known) if axis != len(shape) - 1]
    return all(
        inner == outer + 1 and known[outer][1] and known[outer][0] < known[inner][0]
        for outer, inner in pairwise(places)
    )


def _long(shape: Shape, memory: Memory | None) -> list[tuple[int, bool]]:
    """The axes that are longer than 1; a gap inside one that is not lies inside the next one further out."""
    found, gap = [], False
    for axis, tight in reversed(memory or ()):
        gap = gap or not tight
        if shape[axis] != 1:
            found.append((axis, not gap))
            gap = False
    return found[::-1]
