"""The table of edges: every operand of every consumer, slice by slice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from yolo_prune_check.channels.edges import Edge
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.slices import Slice, slices_of
from yolo_prune_check.cli.inspect.bundles import bundled, holdings, start_and_stop, way
from yolo_prune_check.cli.inspect.counts import many
from yolo_prune_check.cli.inspect.section import section
from yolo_prune_check.cli.output import table

MEANINGS = {
    "direct": "read by a convolution",
    "depthwise": "read by a depthwise convolution",
    "concat": "joined to others",
    "split": "cut into pieces",
    "residual": "added to others",
    "pool": "pooled",
    "upsample": "upsampled",
    "linear": "read by a linear layer",
    "attention": "multiplied with others by an attention",
    "frozen": "taken by an operator behind which channels are no longer told apart",
    "head": "taken by the head's own arithmetic, which decodes them",
}
"""What each kind of edge says of the channels."""


def edge_part(graph: ChannelGraph) -> str:
    """Every edge, by what it leads into."""
    kinds = Counter(edge.kind for edge in graph.edges)
    legend = (
        "What flows into what. Read a row as: this slice of what the layer or operator takes in holds these channels "
        "of that layer; they come by way of this operator, or directly where none is named. in0, in1, … are the inputs "
        "of an operator, out0, out1, … the pieces of a split; [0:16] is channels 0 to 15; [0:32], [96:128], … "
        "[1056:1088] are pieces that lie evenly apart, one for each head of an attention; a + b were added up, and "
        "… 5 more … are others of their group (see Groups). "
        f"Kinds: {'; '.join(f'{kind} = {MEANINGS[kind]}' for kind in MEANINGS if kind in kinds)}."
    )
    rows = list(_rows(slices_of(graph), graph))
    total = f"{many(len(graph.edges), 'edge')} ({kinds_of(graph.edges)}) in {many(len(rows), 'row')}"
    return section("Edges", legend, table(["into", "kind", "slice", "holds", "by way of"], rows), total)


def kinds_of(edges: Sequence[Edge]) -> str:
    """How many edges there are of each kind, the most frequent first."""
    return ", ".join(f"{count} {kind}" for kind, count in Counter(edge.kind for edge in edges).most_common())


def _rows(slices: Sequence[Slice], graph: ChannelGraph) -> Iterator[list[str | int]]:
    """One row for each slice, or evenly spaced ones; the consumer is named in its first."""
    for (consumer, kind), members in groupby(slices, key=lambda item: (item.consumer, item.kind)):
        for position, bundle in enumerate(bundled(members)):
            yield [
                "" if position else consumer,
                "" if position else kind,
                ("" if consumer in graph.layers else f"in{bundle[0].port}") + start_and_stop(bundle),
                holdings(bundle),
                way(bundle),
            ]
