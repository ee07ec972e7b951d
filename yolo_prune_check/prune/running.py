"""Which module is running: a stack kept by hooks, so that what happens can be laid to the innermost one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from yolo_prune_check.channels.naming import RunningNames, is_inside

Left = Callable[[str, nn.Module, Any], None]


class Running:
    """Which modules run, and which ran.

    Attributes:
        stack: Names of the modules whose forward is running, outermost first.
        entered: Names of all modules whose forward began, in order. One with parameters that another part of the model
            lends is left out: its name says nothing of where it ran.
    """

    def __init__(self) -> None:
        self.stack: list[str] = []
        self.entered: list[str] = []

    @property
    def innermost(self) -> str:
        """Name of the module that is running; of the one that raised, after an exception."""
        return self.stack[-1] if self.stack else ""


@contextmanager
def watch(model: nn.Module, left: Left | None = None) -> Iterator[Running]:
    """Follow the forward passes of a model's modules. A forward that raises leaves its name on the stack.

    Args:
        model: The model. Its modules are left alone: the hooks are PyTorch's global ones, taken off at the end.
        left: Called with name, module and output whenever a module's forward returns.
    """
    running = Running()
    names = RunningNames(model)

    def enter(module: nn.Module, args: Any) -> None:
        name = names.of(module, running.innermost)
        if name is not None:
            if is_inside(name, running.innermost):
                running.entered.append(name)
            running.stack.append(name)

    def leave(module: nn.Module, args: Any, output: Any) -> None:
        if names.of(module, "") is not None:
            name = running.stack.pop()
            if left is not None:
                left(name, module, output)

    handles = (register_module_forward_pre_hook(enter), register_module_forward_hook(leave))
    try:
        yield running
    finally:
        for handle in handles:
            handle.remove()
