"""The blocks of an Ultralytics model: which feeds which, and the convolutions in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from torch import nn

from yolo_prune_check.model.layers import Layer, block_modules, layers_of_block

IMAGE: Final = -1
"""What block 0 takes its input from."""


@dataclass(frozen=True)
class Block:
    """One entry of Ultralytics' `model.model`.

    Attributes:
        index: Its position, from 0.
        type: Its class, such as `C2f`.
        from_: Indices of the blocks it takes its inputs from, in the order of its inputs; `IMAGE` (-1) is the image.
        feeds: Indices of the blocks that take its output, ascending.
        layers: Its `Conv2d`, in module order.
    """

    index: int
    type: str
    from_: tuple[int, ...]
    feeds: tuple[int, ...]
    layers: tuple[Layer, ...]


def blocks_of(model: nn.Module) -> tuple[Block, ...]:
    """The blocks of an Ultralytics model, in order.

    Raises:
        UserError: It is no Ultralytics model.
    """
    modules = block_modules(model)
    sources = [_sources(index, module.f) for index, module in enumerate(modules)]  # type: ignore[arg-type]  # Ultralytics' own attribute
    return tuple(
        Block(
            index=index,
            type=type(module).__name__,
            from_=sources[index],
            feeds=tuple(other for other, taken in enumerate(sources) if index in taken),
            layers=layers_of_block(model, index),
        )
        for index, module in enumerate(modules)
    )


def _sources(index: int, given: int | Sequence[int]) -> tuple[int, ...]:
    """Absolute block indices: Ultralytics counts a negative one back from the block itself."""
    steps = [given] if isinstance(given, int) else list(given)
    return tuple(step if step >= 0 else index + step for step in steps)
