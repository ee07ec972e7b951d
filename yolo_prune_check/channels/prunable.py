"""What share of a model can be removed at all, and what goes with some of its channels.

A parameter counts as prunable if the removal of some free dependency group removes it: the filter, bias and batch-norm
entries of a channel of that group, and the entries of later weights that read such a channel. The
multiply-accumulates of a prunable parameter are prunable. No plan removes all of it at once, since a layer must keep a
channel: the share is what is open to pruning, not what pruning saves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.leveling import level
from yolo_prune_check.channels.program import BoolArray
from yolo_prune_check.channels.provenance import Ids


@dataclass(frozen=True)
class Cost:
    """Parameters, and multiply-accumulates of one image at the traced size, as torchinfo counts them."""

    params: int
    macs: int


def free_channels(graph: ChannelGraph) -> BoolArray:
    """For each channel number, whether its dependency group can be removed."""
    free = np.ones(graph.partition.count, dtype=np.bool_)
    free[list(graph.partition.frozen)] = False
    return np.asarray(free[graph.partition.label])


def half_of_every_group(graph: ChannelGraph) -> BoolArray:
    """For each channel number, whether it goes when the first half of every bundle of free groups is to go.

    Halves are rounded down, and what must stay in equal numbers does.
    """
    partition, channels = graph.partition, graph.provenance.channels
    stays = np.ones(partition.count, dtype=np.bool_)
    for group in graph.groups:
        if group.frozen is None:
            first = group.members[0]
            start = channels.span(first.layer).start + first.start
            stays[partition.label[start : start + group.size // 2]] = False
    level(stays, partition.levels)
    return np.asarray(~stays[partition.label])


def total(graph: ChannelGraph) -> Cost:
    """The untouched model."""
    return Cost(graph.costs.params(), graph.costs.macs())


def cost_of(graph: ChannelGraph, gone: BoolArray) -> Cost:
    """Parameters and multiply-accumulates that go with some channels.

    Args:
        graph: The graph.
        gone: For each channel number, whether it goes; whole dependency groups.
    """
    params = {
        name: int(lost.sum()) * (graph.program.sizes[name] // lost.size)
        for name, lost in removed_entries(graph, gone).items()
    }
    macs = sum(graph.costs.times.get(name, 0) * count for name, count in params.items())
    return Cost(sum(params.values()), macs)


def removed_entries(graph: ChannelGraph, gone: BoolArray) -> dict[str, BoolArray]:
    """Which entries of each parameter go with some channels.

    Args:
        graph: The graph.
        gone: For each channel number, whether it goes.

    Returns:
        By the name of the parameter its first two axes, or the only one that is ever cut. A parameter that reads no
        layer's channels and makes none is missing.
    """
    lost: dict[str, BoolArray] = {}
    for name, entries in (*_filters(graph, gone), *_read(graph, gone), *_norms(graph, gone)):
        if name in graph.program.sizes:
            lost[name] = lost[name] | entries if name in lost else entries
    return lost


def _filters(graph: ChannelGraph, gone: BoolArray) -> Iterator[tuple[str, BoolArray]]:
    for name, layer in graph.layers.items():
        rows = gone[graph.provenance.channels.span(name)]
        columns = graph.program.filters[f"{name}.weight"].shape[1]
        yield f"{name}.weight", np.repeat(rows[:, None], columns, axis=1)
        if layer.bias:
            yield f"{name}.bias", rows


def _read(graph: ChannelGraph, gone: BoolArray) -> Iterator[tuple[str, BoolArray]]:
    shapes = {value.parameter: value.shape for value in graph.program.values}
    for consumer in graph.provenance.consumers:
        read = _among(consumer.channels, gone)
        rows, columns = shapes[consumer.weight][:2]
        if consumer.axis == 0:
            yield consumer.weight, np.repeat(read[:, None], columns, axis=1)
        else:  # of a grouped convolution, each group's rows read their own inputs
            groups = read.reshape(-1, columns)
            yield consumer.weight, np.repeat(groups, rows // len(groups), axis=0)


def _norms(graph: ChannelGraph, gone: BoolArray) -> Iterator[tuple[str, BoolArray]]:
    for name, channels in graph.provenance.norms.items():
        for part in ("weight", "bias"):
            yield f"{name}.{part}", _among(channels, gone)
    for name, scale in graph.provenance.scales.items():
        yield name, _among(scale.channels, gone)


def _among(channels: Ids, gone: BoolArray) -> BoolArray:
    return np.where(channels < 0, False, gone[channels])
