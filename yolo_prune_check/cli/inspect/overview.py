"""The whole of ``inspect`` as text: a summary, then one part for each question."""

from __future__ import annotations

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.ties import GroupIndex, ties_of
from yolo_prune_check.cli.equal import equals_of
from yolo_prune_check.cli.inspect.counts import Counts, many, share
from yolo_prune_check.cli.inspect.edge_table import edge_part
from yolo_prune_check.cli.inspect.equal_table import equal_part
from yolo_prune_check.cli.inspect.group_table import frozen_part, group_part, unsupported_part
from yolo_prune_check.cli.inspect.part_table import layer_part, part_part
from yolo_prune_check.cli.inspect.parts import Parts
from yolo_prune_check.cli.output import WIDTH, wrapped

_NAMED = 3
"""Modules that did not run, named before the rest is only counted."""


def overview(model: str, graph: ChannelGraph, parts: Parts) -> str:
    """All parts of the output.

    Args:
        model: How the user named the model.
        graph: Its channel graph.
        parts: Its blocks or top-level modules.
    """
    index = GroupIndex.of(graph)
    ties = ties_of(graph, index)
    equals = equals_of(graph)
    sections = [
        summary(model, graph, parts),
        part_part(parts),
        layer_part(graph, parts, index),
        edge_part(graph),
        group_part(graph, ties, equals),
        equal_part(graph, equals),
        frozen_part(graph),
        unsupported_part(graph),
    ]
    return "\n\n\n".join(section for section in sections if section)


def summary(model: str, graph: ChannelGraph, parts: Parts) -> str:
    """The model in a few lines."""
    counts = Counts.of(graph)
    noun = "block" if parts.blocks else "top-level module"
    lines = [
        f"{model}, traced at {graph.imgsz} px",
        "",
        f"{many(len(parts.all), noun)}, {many(counts.layers, 'layer')} (Conv2d), {counts.parameters:,} parameters",
        f"{many(counts.channels, 'channel')}: {counts.removable:,} can be removed "
        f"({share(counts.removable, counts.channels)}), {counts.frozen:,} cannot (frozen, see below)",
        f"{many(counts.groups, 'dependency group')}: a channel alone, or channels that can only be removed together; "
        f"{counts.tied:,} hold more than one channel",
    ]
    if graph.unvisited:
        named = ", ".join(graph.unvisited[:_NAMED]) + (", …" if len(graph.unvisited) > _NAMED else "")
        lines.append(
            f"{many(len(graph.unvisited), 'module')} with parameters did not run in the trace, such as parts for "
            f"training alone; group would leave them as wide as they are: {named}"
        )
    return "\n".join(wrapped(line, WIDTH) for line in lines)
