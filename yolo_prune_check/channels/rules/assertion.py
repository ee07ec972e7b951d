"""What Python code does with sizes: the run ends where an assertion no longer holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from yolo_prune_check.channels.tensors import Breaks


def equal(left: int, right: int, divisor: int | None, message: str) -> tuple[()]:
    """``assert left == right, message``; ``divisor`` is set where ``left`` is a remainder that must be zero."""
    if left != right:
        if divisor is not None:
            raise Breaks("elementwise", f"a multiple of {divisor}", "another number", message)
        raise Breaks("elementwise", right, left, message)
    return ()


def number(size: int) -> tuple[()]:
    """A fraction of a size; it changes no shape by itself."""
    return ()


RULES: dict[str, Callable[..., Any]] = {"assert": equal, "size_as_number": number}
