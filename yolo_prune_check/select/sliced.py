"""The field notes' way to a layer's activations: an `nn.Sequential` of the blocks before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from yolo_prune_check.model.layers import Layer
from yolo_prune_check.model.sequence import sliced_module


class SlicedMismatch(RuntimeError):  # what the notes call it; an outcome to record, not a defect
    """The notes' `nn.Sequential` does not fit together.

    Attributes:
        module: Qualified name, in the model, of the innermost module that was running.
        message: First line of PyTorch's error, to the letter.
    """

    def __init__(self, module: str, message: str) -> None:
        super().__init__(module, message)
        self.module = module
        self.message = message

    def __str__(self) -> str:
        return f"{self.module}: {self.message}"


def run_sliced(model: nn.Module, layer: Layer, images: torch.Tensor) -> object:
    """The output of a layer, from the sequence that the notes build for it.

    Raises:
        SlicedMismatch: It does not fit together.
    """
    sequence = sliced_module(model, layer)
    with _running(model) as names:
        try:
            return sequence(images)
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            # Not only PyTorch's own: a Concat or Detect that is handed one tensor instead of a list fails in Python.
            raise SlicedMismatch(names[-1] if names else "", str(error).splitlines()[0]) from error


@contextmanager
def _running(model: nn.Module) -> Iterator[list[str]]:
    """Names of the modules whose forward is running, outermost first. One that raises stays on the list."""
    names: list[str] = []
    handles = []

    def enter(name: str) -> Callable[[nn.Module, Any], None]:
        return lambda _module, _given: names.append(name)

    def leave(_module: nn.Module, _given: Any, _output: Any) -> None:
        names.pop()

    try:
        for name, module in model.named_modules():
            handles.append(module.register_forward_pre_hook(enter(name)))
            handles.append(module.register_forward_hook(leave))
        yield names
    finally:
        for handle in handles:
            handle.remove()
