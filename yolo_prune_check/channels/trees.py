"""What is in the nested tuples, lists and dicts that functions take and return."""

from __future__ import annotations

from typing import Any

import torch

PLAIN = frozenset({int, float, bool, str, type(None)})
"""Types of most arguments, in which nothing is nested."""


def tensors_in(tree: Any) -> list[torch.Tensor]:
    """All tensors in nested tuples, lists and dicts, in order."""
    if isinstance(tree, torch.Tensor):
        return [tree]
    found: list[torch.Tensor] = []
    _collect(tree, found)
    return found


def _collect(tree: Any, found: list[torch.Tensor]) -> None:
    for item in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, (list, tuple)) else ():
        kind = type(item)
        if kind in PLAIN:
            continue
        if isinstance(item, torch.Tensor):
            found.append(item)
        elif isinstance(item, (list, tuple, dict)):
            _collect(item, found)


def sized_in(tree: Any) -> torch.Tensor | None:
    """The tensor by which torchinfo measures a module's result; None if that is no tensor, or one without axes."""
    item = list(tree.values())[-1] if isinstance(tree, dict) and tree else tree
    while isinstance(item, (list, tuple, dict)) and item:
        item = next(iter(item.values() if isinstance(item, dict) else item))
    return item if isinstance(item, torch.Tensor) and item.ndim else None


def integers_in(tree: Any) -> list[int]:
    """All whole numbers in nested tuples, lists and dicts, in order."""
    if isinstance(tree, int) and not isinstance(tree, bool):
        return [tree]
    if isinstance(tree, dict):
        return [n for item in tree.values() for n in integers_in(item)]
    if isinstance(tree, (list, tuple)):
        return [n for item in tree for n in integers_in(item)]
    return []
