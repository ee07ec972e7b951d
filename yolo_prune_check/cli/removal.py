"""What execution ``group`` makes of the channels that a plan names, in lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.prediction import Prediction
from yolo_prune_check.channels.provenance import ChannelRange, listed


def removal_lines(graph: ChannelGraph, prediction: Prediction) -> list[str]:
    """What is asked and what goes, where some stays for symmetry, and how to ask instead; then what goes besides."""
    stays = _channels(prediction.returned)
    lines = []
    for layer, keep in prediction.plan.kept().items():
        asked = {(layer, channel) for channel in range(graph.layers[layer].out_channels)} - {(layer, k) for k in keep}
        back = len(asked & stays)
        if back:
            kept = f"{back} {'is' if back == 1 else 'are'} kept for symmetry"
            lines.append(f"{layer}: asked: {len(asked)}; go: {len(asked) - back}; {kept}")
    lines += [f"remove equally many from {blocks}" for blocks in dict.fromkeys(_uneven(graph, stays))]
    if prediction.added:
        lines.append(f"also goes, being tied to these: {listed(prediction.added)}")
    return lines


def _channels(ranges: tuple[ChannelRange, ...]) -> set[tuple[str, int]]:
    return {(part.layer, channel) for part in ranges for channel in range(part.start, part.stop)}


def _uneven(graph: ChannelGraph, stays: set[tuple[str, int]]) -> Iterator[str]:
    """The blocks of which equally many must stay, where channels that stay for that are in one of them.

    Blocks of different layers, as of an attention and what is added to it, are left out: those are levelled in turn.
    """
    for symmetry in graph.symmetries:
        blocks = list(dict.fromkeys(symmetry.blocks))
        layers = {tuple(dict.fromkeys(part.layer for part in block)) for block in blocks}
        if len(blocks) > 1 and len(layers) == 1 and any(_channels(block) & stays for block in blocks):
            yield f"{' and '.join(map(listed, blocks))} ({symmetry.operator})"
