"""Which modules run, inside which others, and what they take and return."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from yolo_prune_check.channels.naming import RunningNames
from yolo_prune_check.channels.program import ModuleCall
from yolo_prune_check.channels.tape import Tape
from yolo_prune_check.channels.trees import sized_in, tensors_in


class ModuleCalls:
    """Collects calls of modules, and tells a tape which one runs."""

    def __init__(self, tape: Tape, naming: RunningNames, entered: Callable[[nn.Module], None]) -> None:
        """Nothing has run yet.

        Args:
            tape: Of the pass.
            naming: What a module is called while it runs.
            entered: Told of each module that begins to run.
        """
        self._tape, self._naming, self._entered = tape, naming, entered
        self._starts: list[int] = []
        self.calls: list[ModuleCall] = []

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Keep the stack of running modules; hooks on all modules at once, so that none is left on the model."""
        before = register_module_forward_pre_hook(self._enter)
        after = register_module_forward_hook(self._leave)
        try:
            yield
        finally:
            before.remove()
            after.remove()

    def _enter(self, module: nn.Module, args: Any) -> None:
        running = self._tape.running
        name = self._naming.of(module, running)
        self._tape.stack.append(running if name is None else name)  # what is no part of the model runs as its caller
        self._starts.append(len(self._tape.ops))
        self._entered(module)

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        tape = self._tape
        name, first = tape.stack.pop(), self._starts.pop()
        if module not in tape.names:
            return
        inputs = self._derived_in(args[0] if len(args) == 1 else args)
        single = tape.value_of(output) if isinstance(output, torch.Tensor) else None
        leaf = not module._modules
        kind: Any = type(module)  # mypy takes a module's class for unhashable
        returned = self._derived_in(output)
        sized = self._sized(output, single) if leaf else None
        stop = len(tape.ops)
        call = ModuleCall(name, inputs, single, first, stop, leaf, kind.__name__, _family(kind), returned, sized)
        self.calls.append(call)

    def _sized(self, output: Any, single: int | None) -> int | None:
        if single is not None:
            return single if self._tape.values[single].shape else None  # asking the tensor would be heard of
        shown = sized_in(output)
        return None if shown is None else self._tape.value_of(shown)

    def _derived_in(self, tree: Any) -> tuple[int, ...]:
        """Numbers of the tensors among a module's arguments or results that depend on the image."""
        ids, derived = self._tape.ids, self._tape.derived
        if isinstance(tree, torch.Tensor):
            return (ids[id(tree)],) if id(tree) in derived else ()
        return tuple([ids[id(t)] for t in tensors_in(tree) if id(t) in derived])


@cache
def _family(kind: type[nn.Module]) -> tuple[str, ...]:
    """A class and those that it inherits from, by qualified name."""
    return tuple(f"{base.__module__}.{base.__qualname__}" for base in kind.__mro__)
