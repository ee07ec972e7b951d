"""Comparisons of sizes in Python code: a run ends where an assertion fails, or where the code takes another way."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from yolo_prune_check.channels.tensors import Breaks, Unknown

COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def equal(left: int, right: int, divisor: int | None, message: str) -> tuple[()]:
    """``assert left == right, message``; ``divisor`` is set where ``left`` is a remainder that must be zero."""
    if left != right:
        if divisor is not None:
            raise Breaks("elementwise", f"a multiple of {divisor}", "another number", message)
        raise Breaks("elementwise", right, left, message)
    return ()


def branch(left: int, comparison: str, right: float, traced: bool, place: str) -> tuple[()]:
    """``left comparison right``, which was ``traced`` when the model was traced, at a place in its code.

    Raises:
        Unknown: It is not any more.
    """
    if COMPARISONS[comparison](left, right) != traced:
        words = "no longer" if traced else "now"
        raise Unknown(f"{left} {comparison} {right} {words} holds at {place}: the code may do something else there")
    return ()


def number(size: int, traced: int, place: str) -> tuple[()]:
    """A size, which was ``traced`` when the model was traced, of which code at some place made something else.

    Raises:
        Unknown: It is another.
    """
    if size != traced:
        raise Unknown(f"a size of {size}, no longer {traced}, is used as a number at {place}")
    return ()


RULES: dict[str, Callable[..., Any]] = {
    "assert": equal,
    "branch": branch,
    "size_as_number": number,
}
