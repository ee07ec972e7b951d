"""Which module is running: a stack kept by hooks, so that a failure can be blamed on the innermost one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


class Running:
    """Names of the modules whose forward is running, outermost first."""

    def __init__(self) -> None:
        self.stack: list[str] = []

    @property
    def innermost(self) -> str:
        """Name of the module that is running; of the one that raised, after an exception."""
        return self.stack[-1] if self.stack else ""


@contextmanager
def watch(model: nn.Module) -> Iterator[Running]:
    """Follow the forward passes of all submodules. A forward that raises leaves its name on the stack."""
    running = Running()
    handles = []

    def enter(name: str) -> Any:
        def hook(module: nn.Module, args: Any) -> None:
            running.stack.append(name)

        return hook

    def leave(module: nn.Module, args: Any, output: Any) -> None:
        running.stack.pop()

    for name, module in model.named_modules():
        handles.append(module.register_forward_pre_hook(enter(name)))
        handles.append(module.register_forward_hook(leave))
    try:
        yield running
    finally:
        for handle in handles:
            handle.remove()
