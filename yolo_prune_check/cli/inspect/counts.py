"""Totals of a channel graph, and how they are written."""

from __future__ import annotations

from dataclasses import dataclass

from yolo_prune_check.channels.graph import ChannelGraph


@dataclass(frozen=True)
class Counts:
    """Totals. A channel is one output channel of one layer.

    Attributes:
        layers: ``Conv2d`` that ran.
        parameters: Elements of all parameters.
        channels: Output channels of all layers.
        removable: Those in groups that can be removed.
        frozen: Those in frozen groups.
        groups: Dependency groups.
        removable_groups: Those that can be removed.
        tied: Those of more than one channel.
    """

    layers: int
    parameters: int
    channels: int
    removable: int
    frozen: int
    groups: int
    removable_groups: int
    tied: int

    @classmethod
    def of(cls, graph: ChannelGraph) -> Counts:
        """Totals of a graph."""
        groups = graph.groups
        frozen = sum(group.size * len(group.members) for group in groups if group.frozen)
        channels = sum(group.size * len(group.members) for group in groups)
        return cls(
            layers=len(graph.layers),
            parameters=sum(graph.program.sizes.values()),
            channels=channels,
            removable=channels - frozen,
            frozen=frozen,
            groups=sum(group.size for group in groups),
            removable_groups=sum(group.size for group in groups if not group.frozen),
            tied=sum(group.size for group in groups if len(group.members) > 1),
        )


def many(count: int, noun: str) -> str:
    """A number and its noun.

    >>> many(1, "edge"), many(1200, "edge")
    ('1 edge', '1,200 edges')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def share(part: int, whole: int) -> str:
    """A share in per cent; never rounded to all or nothing.

    >>> share(999, 1000), share(1, 3), share(0, 4)
    ('99.9 %', '33.3 %', '0 %')
    """
    if part in (0, whole):
        return "0 %" if part == 0 else "100 %"
    return f"{min(max(100 * part / whole, 0.1), 99.9):.1f} %"
