"""Channels that are silent where their layer ends, and speak again behind a norm that is not the layer's own.

Masking zeroes a filter, its bias and the entries of the layer's own batch norm. A norm further on, or one that groups
or layers measure, adds a shift of its own, or takes a mean away, and is left as it is: other layers may need it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.interpretation import Interpretation
from yolo_prune_check.channels.program import BoolArray, Op
from yolo_prune_check.channels.provenance import operator_in
from yolo_prune_check.channels.reshape import along
from yolo_prune_check.channels.rules import NORMS
from yolo_prune_check.channels.tensors import Tensor, spread

_NORMS = NORMS | {"native_group_norm", "native_layer_norm"}


def revived_by(graph: ChannelGraph, pruned: Collection[str], result: Interpretation) -> dict[str, dict[str, int]]:
    """By pruned layer, how many of its channels speak again, by the norm that gives them a voice, in words."""
    found: dict[str, dict[str, int]] = {}
    for index in result.touched:
        op = graph.program.ops[index]
        if op.target not in _NORMS:
            continue
        for layer, count in _counted(graph, op, result):
            if layer in pruned and op.module != graph.layers[layer].norm:
                norms = found.setdefault(layer, {})
                norms[operator_in(op)] = norms.get(operator_in(op), 0) + count
    return found


def _counted(graph: ChannelGraph, op: Op, result: Interpretation) -> Iterator[tuple[str, int]]:
    """Layers whose channels are silenced before the norm and heard behind it, and how many of each."""
    value = op.inputs[0]
    entries = graph.provenance.entries.get(_laid_out(graph, value))
    before, after = result.get(value), result.get(op.outputs[0])
    axes = [] if entries is None else [axis for axis, n in enumerate(entries.shape) if n > 1]
    if entries is None or before is None or after is None or len(axes) != 1:
        return
    axis, line = axes[0], along(entries, axes[0])
    if before.shape[axis] != len(line):
        return
    revived = _heard(graph.baseline.tensors[value], axis) & ~_heard(before, axis) & _heard(after, axis)
    for segment in graph.provenance.cut(line[revived]):
        for layer in dict.fromkeys(layer for layer, _ in segment.sources):
            yield layer, segment.length


def _laid_out(graph: ChannelGraph, value: int) -> int:
    """The value itself, or the one that it is in the same shape: an instance norm gives itself a view of one."""
    values = graph.program.values
    while value not in graph.provenance.entries and value in graph.interpreter.made_by:
        maker = graph.program.ops[graph.interpreter.made_by[value]]
        if maker.target != "view" or values[maker.inputs[0]].shape != values[value].shape:
            break
        value = maker.inputs[0]
    return value


def _heard(tensor: Tensor, axis: int) -> BoolArray:
    """For each entry of an axis, whether anything along it is not silent."""
    size = tensor.shape[axis]
    if tensor.state is None:
        return np.ones(size, dtype=np.bool_)
    others = tuple(other for other in range(tensor.state.ndim) if other != axis)
    return np.asarray((spread(tensor.state, axis, size) != 0).any(others))
