"""Run a model and leave it exactly as it was."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

_CONTAINERS = (dict, list, set)
_REGISTERED = ("_parameters", "_buffers", "_modules")


class Overwritten:
    """Tensors that are about to be written into, and the numbers they hold."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def keep(self, tensor: torch.Tensor) -> None:
        """Remember a tensor's numbers, the first time that it is given."""
        if id(tensor) not in self._kept:
            self._kept[id(tensor)] = tensor, tensor.detach().clone()

    def put_back(self) -> None:
        """Write the numbers back."""
        for tensor, numbers in self._kept.values():
            tensor.data.copy_(numbers)


@contextmanager
def unchanged(model: nn.Module, overwritten: Overwritten) -> Iterator[None]:
    """Put everything back that a forward pass may change: heads cache anchors and shapes in their attributes.

    Attributes get the objects back that they had, and plain containers their contents.

    Args:
        model: The model.
        overwritten: Parameters and buffers that the pass writes into; whoever sees the writing notes them there.
    """
    saved = [(module.__dict__, module.__dict__.copy(), _contents(module.__dict__)) for module in model.modules()]
    try:
        yield
    finally:
        for attributes, before, containers in saved:
            if len(attributes) != len(before) or not all(map(operator.is_, attributes.values(), before.values())):
                attributes.clear()
                attributes.update(before)
            for container, contents in containers:
                if not _identical(container, contents):
                    container.clear()
                    container.extend(contents) if isinstance(container, list) else container.update(contents)
        overwritten.put_back()


def _contents(attributes: dict[str, Any]) -> list[tuple[Any, Any]]:
    return [
        (item, item.copy())
        for name, item in attributes.items()
        if type(item) in _CONTAINERS and (name[0] != "_" or (item and name in _REGISTERED))
    ]


def _identical(one: Any, other: Any) -> bool:
    """Whether two containers hold the same objects; tensors cannot be asked whether they are equal."""
    if len(one) != len(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(one[key] is other[key] for key in one)
    return all(a is b for a, b in zip(one, other, strict=True))
