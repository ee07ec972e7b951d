"""Run a model and leave it exactly as it was."""

from __future__ import annotations

import operator
import random
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn

_CONTAINERS = (dict, list, set, deque)
_REGISTERED = ("_parameters", "_buffers", "_modules", "_non_persistent_buffers_set")
_OWN = frozenset(nn.Module().__dict__)
"""What every module has; but for what is registered no forward pass changes it: hooks above all."""


class Overwritten:
    """Memory that is about to be written into, and what it holds."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}

    def keep(self, tensor: torch.Tensor) -> None:
        """Remember the memory behind a tensor, all of it, the first time that it is given."""
        if tensor.device.type == "meta":
            return
        storage = tensor.untyped_storage()
        if storage._cdata not in self._kept:
            self._kept[storage._cdata] = storage, storage.clone()  # type: ignore[no-untyped-call]  # torch leaves it so

    def put_back(self) -> None:
        """Write back what was there."""
        for storage, before in self._kept.values():
            if storage.nbytes() == before.nbytes():
                storage.copy_(before)


@contextmanager
def unchanged(modules: Sequence[nn.Module], overwritten: Overwritten) -> Iterator[None]:
    """Put everything back that a forward pass may change: heads cache anchors and shapes in their attributes.

    Attributes get the objects back that they had, containers and plain objects their contents, tensors their memory,
    and whoever draws random numbers afterwards draws what would have been drawn without the pass.

    Args:
        modules: The model and all modules in it.
        overwritten: Memory that the pass writes into; whoever sees the writing notes it there.
    """
    saved = [(module.__dict__, module.__dict__.copy()) for module in modules]
    containers, empty = _contents(modules)
    memory = [(tensor, tensor.data, tensor.data_ptr()) for module in modules for tensor in _tensors(module)]
    with _random_numbers(modules):
        try:
            yield
        finally:
            for attributes, before in saved:
                if len(attributes) != len(before) or not all(map(operator.is_, attributes.values(), before.values())):
                    attributes.clear()
                    attributes.update(before)
            for container in filter(None, empty):
                container.clear()
            for container, contents in containers:
                if not _identical(container, contents):
                    container.clear()
                    container.update(contents) if isinstance(container, (dict, set)) else container.extend(contents)
            for tensor, data, address in memory:
                if tensor.data_ptr() != address:  # someone assigned to ``.data``
                    tensor.data = data
            overwritten.put_back()


@contextmanager
def _random_numbers(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Put back from where random numbers are drawn: by PyTorch, on the model's device as well, numpy and Python."""
    parameters = (parameter for module in modules for parameter in module._parameters.values())
    device = next((parameter.device for parameter in parameters if parameter is not None), torch.device("cpu"))
    devices = [] if device.type in ("cpu", "meta") else [device]
    python, arrays = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=devices, device_type=device.type if devices else "cuda"):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(arrays)


def _tensors(module: nn.Module) -> Iterator[torch.Tensor]:
    for held in (module._parameters, module._buffers):
        for tensor in held.values():
            if tensor is not None:
                yield tensor


def _contents(modules: Sequence[nn.Module]) -> tuple[list[tuple[Any, Any]], list[Any]]:
    """Containers that modules hold, in each other and in plain objects as well, with copies of them; and empty ones."""
    found: list[tuple[Any, Any]] = []
    empty: list[Any] = []
    seen: set[int] = set()
    for module in modules:
        held = module.__dict__
        for name in _REGISTERED:
            container = held[name]
            if container:
                found.append((container, container.copy()))
            else:
                empty.append(container)
        waiting = [item for name in held.keys() - _OWN if _is_followed((item := held[name]).__class__)]
        while waiting:
            item = waiting.pop()
            container = item if isinstance(item, _CONTAINERS) else item.__dict__
            if id(container) not in seen:
                seen.add(id(container))
                found.append((container, container.copy()))
                parts = container.values() if isinstance(container, dict) else container
                waiting += [part for part in parts if _is_followed(part.__class__)]
    return found, empty


@cache
def _is_followed(kind: Any) -> bool:
    """Whether objects of a class may hold what a pass changes: containers, and objects of others than PyTorch."""
    if issubclass(kind, (*_CONTAINERS, SimpleNamespace)):
        return True
    if issubclass(kind, (nn.Module, torch.Tensor, type)) or not kind.__dictoffset__:
        return False
    return kind.__module__.partition(".")[0] not in sys.stdlib_module_names | {"torch", "numpy"}


def _identical(one: Any, other: Any) -> bool:
    """Whether two containers hold the same objects; tensors cannot be asked whether they are equal."""
    if len(one) != len(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(map(operator.is_, map(one.get, other), other.values()))
    if isinstance(one, set):
        return bool(one == other)
    return all(map(operator.is_, one, other))
