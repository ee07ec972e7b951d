"""What share of a model can be removed at all, and what is left when some channels are.

A parameter counts as prunable if the removal of some free dependency group removes it: the filter, bias and batch-norm
entries of a channel of that group, and the slices of later weights that read such a channel. The
multiply-accumulates of a prunable parameter are prunable. No plan removes all of it at once, since a layer must keep a
channel: the share is what is open to pruning, not what pruning saves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.program import BoolArray, Op, Ref
from yolo_prune_check.channels.rules import NORMS

Channels = Mapping[str, BoolArray]
"""For a layer's name, True for each of its channels that is meant. A layer that is missing has none."""


@dataclass(frozen=True)
class Cost:
    """Parameters, and multiply-accumulates of one image at the traced size, as torchinfo counts them."""

    params: int
    macs: int


def free_channels(graph: ChannelGraph) -> dict[str, BoolArray]:
    """The channels of all groups that are not frozen."""
    return _channels(graph, whole=True)


def half_of_every_group(graph: ChannelGraph) -> dict[str, BoolArray]:
    """The first half of every bundle of free groups, rounded down."""
    return _channels(graph, whole=False)


def total(graph: ChannelGraph) -> Cost:
    """The untouched model."""
    times = _times(graph)
    sizes = graph.program.sizes
    return Cost(sum(sizes.values()), sum(sizes[name] * count for name, count in times.items()))


def cost_of(graph: ChannelGraph, channels: Channels) -> Cost:
    """Parameters and multiply-accumulates that go with these channels.

    Args:
        graph: The graph.
        channels: Channels to remove, with all that is tied to them (``free_channels`` of a graph are such).
    """
    times = _times(graph)
    gone = {name: int(lost.sum()) for name, lost in removed_entries(graph, channels).items()}
    shapes = {value.parameter: value.shape for value in graph.program.values}
    params = {name: count * math.prod(shapes[name][2:]) for name, count in gone.items()}
    return Cost(sum(params.values()), sum(times.get(name, 0) * count for name, count in params.items()))


def removed_entries(graph: ChannelGraph, channels: Channels) -> dict[str, BoolArray]:
    """Which entries of each parameter go with these channels.

    Returns:
        By name of the parameter an array of its first two axes, or its only one; a parameter that loses nothing may be
        missing.
    """
    lost: dict[str, BoolArray] = {}
    by_op = {layer.op: layer for layer in graph.layers.values()}
    for op in graph.program.ops:
        if op.index in by_op:
            layer = by_op[op.index]
            rows = channels.get(layer.name, np.zeros(layer.out_channels, dtype=np.bool_))
            entries = _weight(rows, _carried(graph, op.inputs[0], channels, layer.in_channels), layer.groups)
            _mark(lost, f"{layer.name}.weight", entries)
            if layer.bias:
                _mark(lost, f"{layer.name}.bias", rows)
        elif op.target in NORMS:
            _norm(graph, op, channels, lost)
    return {name: entries for name, entries in lost.items() if name in graph.program.sizes}


def _weight(rows: BoolArray, columns: BoolArray, groups: int) -> BoolArray:
    """``[out, in / groups]``: rows whose channel goes, and entries that read a channel that goes."""
    by_group = columns.reshape(groups, -1)
    read = np.repeat(by_group, len(rows) // groups, axis=0)
    return np.asarray(rows[:, None] | read)


def _norm(graph: ChannelGraph, op: Op, channels: Channels, lost: dict[str, BoolArray]) -> None:
    for argument in op.args[1:]:
        name = graph.program.values[argument.value].parameter if isinstance(argument, Ref) else None
        if name is not None:
            (width,) = graph.program.values[argument.value].shape
            _mark(lost, name, _carried(graph, op.inputs[0], channels, width))


def _mark(lost: dict[str, BoolArray], name: str, entries: BoolArray) -> None:
    lost[name] = lost[name] | entries if name in lost else entries


def _carried(graph: ChannelGraph, value: int, channels: Channels, width: int) -> BoolArray:
    """Which of a value's channels are among these."""
    found = np.zeros(width, dtype=np.bool_)
    position = 0
    for segment in graph.provenance.segments.get(value, ()):
        for layer, start in segment.sources:
            if layer in channels:
                found[position : position + segment.length] |= channels[layer][start : start + segment.length]
        position += segment.length
    return found


def _channels(graph: ChannelGraph, *, whole: bool) -> dict[str, BoolArray]:
    found = {name: np.zeros(layer.out_channels, dtype=np.bool_) for name, layer in graph.layers.items()}
    for group in graph.groups:
        if group.frozen is None:
            for part in group.members:
                stop = part.stop if whole else part.start + group.size // 2
                found[part.layer][part.start : stop] = True
    return found


def _times(graph: ChannelGraph) -> dict[str, int]:
    """How often each parameter is multiplied for one image."""
    times: dict[str, int] = {}
    for call in graph.program.calls:
        if not call.is_leaf or call.output is None:
            continue
        shape = graph.program.values[call.output].shape
        count = math.prod(shape[:1] + shape[2:]) if "Conv" in call.class_name else shape[0]
        for name in (f"{call.name}.weight", f"{call.name}.bias"):
            if name in graph.program.sizes:
                times[name] = times.get(name, 0) + count
    return times
