"""A row of which an example can be told: one that holds whatever the other rows ask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.cli.equal import Block, Equal
from yolo_prune_check.cli.equal_words import block_in_words, blocks_in_words
from yolo_prune_check.cli.inspect.counts import many

_COUNT = 3
"""Channels of each block, where it has more."""


@dataclass(frozen=True)
class Example:
    """Equally many channels of every block of a row; whichever they are, nothing is given back."""

    blocks: tuple[Block, ...]
    count: int

    def __str__(self) -> str:
        first, others = block_in_words(self.blocks[0]), self.blocks[1:]
        some = "one of them alone" if len(others) == 1 else "some of them alone"
        return (
            f"Example: whoever removes {many(self.count, 'channel')} of {first} has to remove {self.count} of "
            f"{blocks_in_words(others, f' and {self.count} of ')}, any {self.count}; execution group gives back what "
            f"is removed of {some}."
        )


def example_of(graph: ChannelGraph, shown: Iterable[Equal], equals: Sequence[Equal]) -> Example | None:
    """An example from the first row that is independent of all others; None if each depends on some.

    Args:
        graph: The model.
        shown: The rows to choose from.
        equals: All constraints of the model.
    """
    for item in shown:
        others = (other for other in equals if other != item)
        if _plain(graph, item) and all(item.groups.isdisjoint(other.reach) for other in others):
            count = next((number for number in range(_COUNT, 0, -1) if _leaves_some(graph, item, number)), 0)
            if count:
                return Example(item.blocks, count)
    return None


def _plain(graph: ChannelGraph, item: Equal) -> bool:
    """Whether all that it counts can go, channel by channel, and nothing as a whole."""
    if item.units or any(block.fixed for block in item.blocks):
        return False
    apart = sum(_length(block) for block in item.blocks) == len(item.groups)
    return apart and item.groups.isdisjoint(graph.partition.frozen)


def _leaves_some(graph: ChannelGraph, item: Equal, count: int) -> bool:
    """Whether something stays of each block, and of each layer that goes with it, whichever ``count`` of each go."""
    channels, label = graph.provenance.channels, graph.partition.label
    held = channels.ranges(np.flatnonzero(np.isin(label, list(item.groups))))
    layers = [frozenset(label[channels.of(layer)].tolist()) for layer in dict.fromkeys(part.layer for part in held)]
    return all(count < len(block.groups) for block in item.blocks) and all(
        sum(min(count, len(block.groups & layer)) for block in item.blocks) < len(layer) for layer in layers
    )


def _length(block: Block) -> int:
    return sum(part.stop - part.start for part in block.ranges)
