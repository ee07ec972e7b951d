"""Tables of groups, of frozen channels, and of operators without a rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.groups import Group
from yolo_prune_check.channels.ties import Tie
from yolo_prune_check.cli.equal import Equal
from yolo_prune_check.cli.inspect.counts import Counts, many, share
from yolo_prune_check.cli.inspect.equal_table import how_removable
from yolo_prune_check.cli.inspect.section import section
from yolo_prune_check.cli.output import table

EQUALLY = " Where it says equally, or whole heads, Must stay equal below says what else has to go."
"""Whether a group can be removed may depend on others."""
_SHOWN = 4
"""Modules that run an operator without a rule, named before the rest is only counted."""


def group_part(graph: ChannelGraph, ties: Mapping[int, tuple[Tie, ...]], equals: Sequence[Equal]) -> str:
    """Groups with their size, members and what ties them."""
    counts = Counts.of(graph)
    legend = (
        "Channels that can only be removed together. A row bundles as many groups as it has channels: the first "
        "channels of all its members form one group, the second ones the next; tied by says which operators tie them. "
        f"{_example(graph, ties)}At least one channel of every layer has to stay."
        f"{EQUALLY if equals else ''}"
    )
    rows: list[list[str | int]] = [
        [
            number + 1,
            group.size,
            ", ".join(map(str, group.members)),
            ", ".join(map(str, ties.get(number, ()))),
            how,
        ]
        for number, (group, how) in enumerate(zip(graph.groups, removable(graph, equals), strict=True))
    ]
    total = (
        f"{many(counts.groups, 'group')} in {many(len(rows), 'row')}, {counts.removable_groups:,} of them removable; "
        f"they hold {many(counts.channels, 'channel')}, {counts.removable:,} of them removable "
        f"({share(counts.removable, counts.channels)})"
    )
    return section("Groups", legend, table(["group", "channels", "members", "tied by", "removable"], rows), total)


def removable(graph: ChannelGraph, equals: Sequence[Equal]) -> Iterator[str]:
    """For each row of groups, whether and how they can be removed."""
    first = 0
    for group in graph.groups:
        yield "no" if group.frozen else how_removable(range(first, first + group.size), equals)
        first += group.size


def _example(graph: ChannelGraph, ties: Mapping[int, tuple[Tie, ...]]) -> str:
    """The first tied group in words."""
    for number, group in enumerate(graph.groups):
        if number in ties and not group.frozen:
            first, other = group.members[0], group.members[1]
            return (
                f"Example, group {number + 1}: channel {first.start} of {first.layer} goes with channel {other.start} "
                f"of {other.layer}, because {ties[number][0].operator} ties them. "
            )
    return ""


def why_frozen(graph: ChannelGraph, group: Group) -> str:
    """Why a group cannot be removed; empty for one that can."""
    if group.frozen is None:
        return ""
    decoded = [member.layer for member in group.members if member.layer in graph.head_layers]
    return f"{group.frozen} (the head decodes it)" if decoded else group.frozen


def frozen_part(graph: ChannelGraph) -> str:
    """Frozen channels and why; nothing if there are none."""
    counts = Counts.of(graph)
    if not counts.frozen:
        return ""
    rows: list[list[str | int]] = [
        [number + 1, ", ".join(map(str, group.members)), why_frozen(graph, group)]
        for number, group in enumerate(graph.groups)
        if group.frozen
    ]
    return section(
        "Frozen channels",
        "These cannot be removed: an operator takes them whose result depends on their number or order, such as the "
        "decoding of boxes and classes in the head.",
        table(["group", "channels", "why"], rows),
        f"{counts.frozen:,} of {many(counts.channels, 'channel')} ({share(counts.frozen, counts.channels)}) frozen",
    )


def unsupported_part(graph: ChannelGraph) -> str:
    """Operators without a rule; nothing if there are none."""
    if not graph.unsupported:
        return ""
    modules: dict[str, list[str]] = {}
    for item in graph.unsupported:
        operator, _, module = item.partition(" in ")
        modules.setdefault(operator, []).append(module)
    rows: list[list[str | int]] = [
        [operator, len(found), f"{', '.join(found[:_SHOWN])}{', …' if len(found) > _SHOWN else ''}"]
        for operator, found in modules.items()
    ]
    return section(
        "Unsupported operators",
        "This version has no rule for these; whatever flows into one is frozen, never guessed.",
        table(["operator", "modules", "in"], rows),
        f"{many(len(rows), 'operator')} in {many(len(graph.unsupported), 'place')}",
    )
