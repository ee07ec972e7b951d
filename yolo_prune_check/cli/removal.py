"""What execution ``group`` makes of the channels that a plan names, in lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.hazards import why_kept
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.prediction import Prediction
from yolo_prune_check.channels.provenance import ChannelRange, listed
from yolo_prune_check.channels.removal import named_by
from yolo_prune_check.cli.equal import equals_of
from yolo_prune_check.cli.equal_words import blocks_in_words, operators_in_words, units_in_words


def removal_lines(graph: ChannelGraph, prediction: Prediction) -> list[str]:
    """What is asked and what goes, where some stays for symmetry, and how to ask instead; then what goes besides."""
    lines = []
    for layer, (back, asked) in given_back(graph, prediction).items():
        kept = f"{back} {'is' if back == 1 else 'are'} kept {why_kept(prediction.plan)}"
        lines.append(f"{layer}: asked: {asked}; go: {asked - back}; {kept}")
    lines += _uneven(graph, prediction.plan) if prediction.returned else []
    if prediction.added:
        lines.append(f"also goes, being tied to these: {listed(prediction.added)}")
    return lines


def given_back(graph: ChannelGraph, prediction: Prediction) -> dict[str, tuple[int, int]]:
    """Of each layer of a plan that keeps channels which a step removes: how many stay, and of how many."""
    stays, found = _channels(prediction.returned), dict[str, tuple[int, int]]()
    for layer, keep in prediction.plan.kept().items():
        asked = {(layer, channel) for channel in range(graph.layers[layer].out_channels)} - {(layer, k) for k in keep}
        back = len(asked & stays)
        if back:
            found[layer] = back, len(asked)
    return found


def _channels(ranges: tuple[ChannelRange, ...]) -> set[tuple[str, int]]:
    return {(part.layer, channel) for part in ranges for channel in range(part.start, part.stop)}


def _uneven(graph: ChannelGraph, plan: Plan) -> Iterator[str]:
    """What would have to go in equal numbers, or as a whole, of which the plan does not ask for equally many."""
    asked = set(graph.partition.label[named_by(graph, plan)].tolist())
    equals = equals_of(graph)
    for item in equals:
        counts = {len(block.groups & asked) for block in item.blocks}
        where = f"({operators_in_words(item)})"
        if item.only and counts != {0}:
            yield f"remove whole {item.unit}s of {blocks_in_words(item.units, ', ')} {where}"
        elif not item.only and len(counts) > 1:
            or_whole = f"; as a whole may go {units_in_words(item, equals)}" if item.units else ""
            yield f"remove equally many from {blocks_in_words(item.blocks, ' and ')} {where}{or_whole}"
