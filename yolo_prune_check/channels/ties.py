"""Which operators tie the members of a group: why channels can only be removed together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from yolo_prune_check.channels.edges import Edge
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.prediction import EdgeKind
from yolo_prune_check.channels.provenance import ChannelRange


@dataclass(frozen=True)
class Tie:
    """An operator that ties the members of a group, as it is named in edges, and the kind of its edges."""

    operator: str
    kind: EdgeKind

    def __str__(self) -> str:
        return f"{self.operator} (depthwise)" if self.kind == "depthwise" else self.operator


@dataclass(frozen=True)
class GroupIndex:
    """Groups by layer and channel.

    Attributes:
        ranges: By layer, ``(start, stop, number of the group)``, ascending.
    """

    ranges: dict[str, list[tuple[int, int, int]]]

    @classmethod
    def of(cls, graph: ChannelGraph) -> GroupIndex:
        """The index of a graph's groups, numbered in their order from 0."""
        ranges: dict[str, list[tuple[int, int, int]]] = {}
        for number, group in enumerate(graph.groups):
            for member in group.members:
                ranges.setdefault(member.layer, []).append((member.start, member.stop, number))
        return cls({layer: sorted(found) for layer, found in ranges.items()})

    def of_layer(self, layer: str) -> tuple[int, ...]:
        """Numbers of the groups that hold channels of a layer."""
        return tuple(dict.fromkeys(number for _, _, number in self.ranges.get(layer, ())))

    def of_range(self, part: ChannelRange) -> set[int]:
        """Numbers of the groups that hold channels of a range."""
        found = self.ranges.get(part.layer, ())
        return {number for start, stop, number in found if start < part.stop and part.start < stop}


def ties_of(graph: ChannelGraph, index: GroupIndex) -> dict[int, tuple[Tie, ...]]:
    """For each group with more than one member, the operators that tie them, in execution order.

    An operator ties what arrives in two of its operands at once; a depthwise convolution ties its own channels to
    those it reads.

    Returns:
        By number of the group; a group that nothing ties is missing.
    """
    by_consumer: dict[str, list[Edge]] = {}
    for edge in graph.edges:
        by_consumer.setdefault(edge.consumer, []).append(edge)
    ties: dict[int, list[Tie]] = {}
    for consumer, edges in by_consumer.items():
        layer = graph.layers.get(consumer)
        if layer is not None:
            own = set(index.of_layer(consumer)) if layer.groups > 1 else set()
            tied = own & {number for edge in edges for number in index.of_range(edge.producer)}
        else:
            tied = _in_two_operands(edges, index)
        for number in sorted(tied):
            if len(graph.groups[number].members) > 1:
                ties.setdefault(number, []).append(Tie(consumer, edges[0].kind))
    return {number: tuple(operators) for number, operators in ties.items()}


def _in_two_operands(edges: Sequence[Edge], index: GroupIndex) -> set[int]:
    if edges[0].kind in ("concat", "split"):
        return set()
    ports: dict[int, set[int]] = {}
    for edge in edges:
        for number in index.of_range(edge.producer):
            ports.setdefault(number, set()).add(edge.port)
    return {number for number, found in ports.items() if len(found) > 1}
