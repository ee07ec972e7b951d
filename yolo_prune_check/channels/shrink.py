"""The traced model as a removal leaves it: parameters and operators with fewer channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.program import Filter, Op, Program
from yolo_prune_check.channels.provenance import Ids
from yolo_prune_check.channels.removal import Columns, Cut, Removal
from yolo_prune_check.channels.sizes import Arithmetic, Attribute, AttributeKey, attributes_in
from yolo_prune_check.channels.tensors import Tensor

_GROUPS = 8  # position of a convolution's groups among its arguments
_NORM_VECTORS = ("weight", "bias", "running_mean", "running_var")


def shrunk_parameters(graph: ChannelGraph, removal: Removal) -> dict[str, Tensor]:
    """The abstract parameters that a removal changes, by qualified name."""
    changed: dict[str, Tensor] = {}
    for name, cut in removal.layers.items():
        weight = graph.parameters[f"{name}.weight"]
        changed[f"{name}.weight"] = _weight(weight, cut, graph.layers[name].groups)
        if graph.layers[name].bias:
            changed[f"{name}.bias"] = _rows(graph.parameters[f"{name}.bias"], cut.outputs)
    for norm, kept in removal.norms.items():
        for part in _NORM_VECTORS:
            if f"{norm}.{part}" in graph.parameters:
                changed[f"{norm}.{part}"] = _rows(graph.parameters[f"{norm}.{part}"], kept)
    for name, columns in removal.columns.items():
        shape = list(graph.parameters[name].shape)
        shape[columns.axis] = len(columns.kept)
        changed[name] = Tensor(tuple(shape))
    for name, scale in removal.scales.items():
        changed[name] = _scale(graph.parameters[name], scale)
    return changed


def shrunk_ops(graph: ChannelGraph, removal: Removal) -> dict[int, Op]:
    """Operators whose arguments a removal changes, by index: groups of convolutions, numbers in module attributes."""
    groups = {f"{name}.weight": cut.groups for name, cut in removal.layers.items() if graph.layers[name].groups > 1}
    ops: dict[int, Op] = {}
    for consumer in graph.provenance.consumers:
        if consumer.weight in groups:
            op = consumer.op
            ops[op.index] = replace(op, args=(*op.args[:_GROUPS], groups[consumer.weight], *op.args[_GROUPS + 1 :]))
    if removal.numbers:
        for op in graph.program.ops:
            if any(item.key in removal.numbers for item in attributes_in(op.args)):
                ops[op.index] = replace(op, args=_renumbered(op.args, removal.numbers))
    return ops


def shrunk_program(graph: ChannelGraph, removal: Removal) -> Program:
    """The traced pass with those operators."""
    changed = shrunk_ops(graph, removal)
    return replace(graph.program, ops=tuple(changed.get(op.index, op) for op in graph.program.ops))


def _renumbered(item: Any, numbers: Mapping[AttributeKey, int]) -> Any:
    """An argument with other numbers in module attributes."""
    if isinstance(item, Attribute):
        return numbers.get(item.key, item)
    if isinstance(item, Arithmetic):
        return Arithmetic(item.operator, _renumbered(item.left, numbers), _renumbered(item.right, numbers))
    if isinstance(item, tuple):
        return tuple(_renumbered(part, numbers) for part in item)
    return item


def _rows(vector: Tensor, kept: Ids) -> Tensor:
    return Tensor((len(kept),), vector=None if vector.vector is None else vector.vector[kept])


def _scale(whole: Tensor, scale: Columns) -> Tensor:
    shape, state, vector = list(whole.shape), whole.state, whole.vector
    shape[scale.axis] = len(scale.kept)
    if state is not None and state.shape[scale.axis] > 1:
        state = np.take(state, scale.kept, scale.axis)
    return Tensor(tuple(shape), state, None if vector is None else vector[scale.kept])


def _weight(weight: Tensor, cut: Cut, groups: int) -> Tensor:
    columns = columns_of(cut, weight.shape[0] // groups, weight.shape[1])
    shape = (len(cut.outputs), columns.shape[1], *weight.shape[2:])
    if weight.filter is None:
        return Tensor(shape)
    known, rows = weight.filter, cut.outputs
    support = None if known.support is None else known.support[rows[:, None], columns]
    live = known.live[rows] if support is None else np.asarray(support.any(1))
    values = None if known.values is None else known.values.picked(rows, columns)
    return Tensor(shape, filter=Filter(shape, live, support, values))


def columns_of(cut: Cut, outputs: int, inputs: int) -> Ids:
    """For each output that stays, the columns of its filter that stay.

    Args:
        cut: What stays.
        outputs: Outputs of each conv group.
        inputs: Inputs of each conv group: columns of a filter.
    """
    by_group: dict[int, Ids] = {
        group: cut.inputs[cut.inputs // inputs == group] % inputs for group in np.unique(cut.inputs // inputs).tolist()
    }
    none = np.empty(0, dtype=np.intp)
    rows = [by_group.get(group, none) for group in (cut.outputs // outputs).tolist()]
    width = max(map(len, by_group.values()), default=0)
    return np.stack(rows) if rows else np.empty((0, width), dtype=np.intp)  # a plan may keep no channel at all
