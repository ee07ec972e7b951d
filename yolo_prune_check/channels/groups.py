"""Dependency groups: channels that can only be removed together (DepGraph; Fang et al., CVPR 2023)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from yolo_prune_check.channels.layers import GraphLayer
from yolo_prune_check.channels.program import Program
from yolo_prune_check.channels.provenance import ChannelRange, Provenance


@dataclass(frozen=True)
class Group:
    """A bundle of alike dependency groups.

    Attributes:
        members: Ranges of equal length; the i-th channels of all of them go together.
        size: Their length: the number of dependency groups in the bundle.
        frozen: Why none of these channels can be removed, or None.
    """

    members: tuple[ChannelRange, ...]
    size: int
    frozen: str | None


def find_groups(program: Program, layers: Mapping[str, GraphLayer], provenance: Provenance) -> tuple[Group, ...]:
    """Bundle all output channels of all layers into groups."""
    offsets, total = {}, 0
    for layer in layers.values():
        offsets[layer.name] = total
        total += layer.out_channels
    left: list[int] = []
    right: list[int] = []
    for first, second in _ties(program, layers, provenance):
        left += range(offsets[first.layer] + first.start, offsets[first.layer] + first.stop)
        right += range(offsets[second.layer] + second.start, offsets[second.layer] + second.stop)
    ones = np.ones(len(left), dtype=np.int8)
    _, label = connected_components(coo_array((ones, (left, right)), shape=(total, total)), directed=False)
    members: dict[int, list[tuple[str, int]]] = {}
    for layer in layers.values():
        for channel in range(layer.out_channels):
            members.setdefault(int(label[offsets[layer.name] + channel]), []).append((layer.name, channel))
    return tuple(_bundle(list(members.values()), _frozen_reasons(provenance)))


def _ties(
    program: Program, layers: Mapping[str, GraphLayer], provenance: Provenance
) -> Iterator[tuple[ChannelRange, ChannelRange]]:
    for segments in provenance.segments.values():
        for segment in segments:
            first, *others = segment.ranges
            for other in others:
                yield first, other
    for layer in layers.values():
        if not layer.depthwise:
            continue
        position, multiplier = 0, layer.out_channels // layer.groups
        for segment in provenance.segments.get(program.ops[layer.op].inputs[0], ()):
            for channel in range(segment.length if multiplier != 1 else 1):
                length = 1 if multiplier != 1 else segment.length
                name, start = segment.sources[0]
                for copy in range(multiplier):
                    own = (position + channel) * multiplier + copy
                    yield (
                        ChannelRange(name, start + channel, start + channel + length),
                        ChannelRange(layer.name, own, own + length),
                    )
            position += segment.length


def _frozen_reasons(provenance: Provenance) -> dict[tuple[str, int], str]:
    reasons: dict[tuple[str, int], str] = {}
    for item in provenance.frozen:
        for part in item.ranges:
            for channel in range(part.start, part.stop):
                reasons.setdefault((part.layer, channel), f"flows into {item.op.target} in {item.op.module or 'model'}")
    return reasons


def _bundle(groups: Sequence[list[tuple[str, int]]], frozen: Mapping[tuple[str, int], str]) -> Iterator[Group]:
    """Put neighbouring groups with the same layers into one bundle."""
    run: list[list[tuple[str, int]]] = []
    why: str | None = None
    for group in groups:
        reason = next((frozen[member] for member in group if member in frozen), None)
        follows = bool(run) and reason == why and [(name, c - 1) for name, c in group] == run[-1]
        if run and not follows:
            yield _group(run, why)
            run = []
        run.append(group)
        why = reason
    if run:
        yield _group(run, why)


def _group(run: list[list[tuple[str, int]]], why: str | None) -> Group:
    ranges = tuple(ChannelRange(name, start, start + len(run)) for name, start in run[0])
    return Group(ranges, len(run), why)
