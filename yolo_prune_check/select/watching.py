"""Reading the outputs of layers while a model runs; afterwards it is as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from yolo_prune_check.errors import UserError
from yolo_prune_check.model.layers import Layer

Reader = Callable[[object], None]
"""Takes a layer's output; at once, as a later module may overwrite it in place."""


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model into eval mode; afterwards every module is in the mode it was in."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


@contextmanager
def watched(model: nn.Module, readers: Mapping[Layer, Reader]) -> Iterator[None]:
    """Hand every output of a layer's emitter (after BatchNorm and activation) to the layer's reader."""
    handles = []
    try:
        for layer, reader in readers.items():
            emitter = model.get_submodule(layer.emitter)
            handles.append(emitter.register_forward_hook(_hook(reader)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def as_map(output: object) -> torch.Tensor | None:
    """An output that is a map, [n, channels, height, width]; None if it is none."""
    return output if isinstance(output, torch.Tensor) and output.ndim == 4 else None


def no_map(layer: Layer, output: object) -> UserError:
    """What is told of an output that is no map of the image."""
    got = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
    return UserError(
        "the layer's output is no map of the image, so it has no value at a place in it",
        where=layer.name,
        value=got,
        hint="Leave it out, or choose by l1.",
    )


def never_ran(layer: Layer) -> UserError:
    """What is told of a layer whose output never came."""
    return UserError(
        "the layer does not run when the model detects, so it has no activations",
        where=layer.name,
        hint="Leave it out, or choose by l1.",
    )


def _hook(reader: Reader) -> Callable[[nn.Module, Any, Any], None]:
    def read(_module: nn.Module, _given: Any, output: Any) -> None:
        reader(output)

    return read
