"""What lays entries out anew: reshapes, permutations, and what only copies or repeats."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from yolo_prune_check.channels.flows.families import PERMUTING, UNCHANGED
from yolo_prune_check.channels.flows.state import Flow, Handler, Refused, Results, Rows
from yolo_prune_check.channels.program import Op
from yolo_prune_check.channels.provenance import Balance, Ids
from yolo_prune_check.channels.reshape import along, axis_groups, demand, linear
from yolo_prune_check.channels.rules import RULES
from yolo_prune_check.channels.sizes import Axis, Size
from yolo_prune_check.channels.tensors import Tensor

VIEWS = frozenset({"view", "_unsafe_view", "reshape", "_reshape_alias", "flatten"})
_ARRANGING = frozenset({"unsqueeze", "squeeze", "repeat", "repeat_interleave", "flip", "pixel_unshuffle", *UNCHANGED})


def _permute(flow: Flow, op: Op) -> Results:
    """Two axes of channels that change places: the outer one is taken to stay as long as it is."""
    found = flow.entries[op.inputs[0]]
    places = np.arange(found.size).reshape(found.shape)
    moved = _moved(flow, op, places)
    axes = [axis for axis, n in enumerate(found.shape) if n > 1]
    if len(axes) > 1 and not (np.diff(moved.reshape(-1)) > 0).all():
        if len(axes) > 2:
            raise Refused
        rows = flow.origins.channel(np.moveaxis(found, axes[0], 0).reshape(found.shape[axes[0]], -1))
        for row in rows[1:]:
            flow.same(op, rows[0], row)
    return flow.arranged(op)


def _moved(flow: Flow, op: Op, places: Ids) -> Ids:
    result = RULES[op.target](Tensor(places.shape, places), *op.args[1:])
    return np.asarray(result.state)


def _view(flow: Flow, op: Op) -> Results:
    source, output = op.inputs[0], op.outputs[0]
    if flow.entries[source].size == 1 and flow.shape_of(output)[1:2] != (1,):
        raise Refused
    sizes = _flattened(flow, op) if op.target == "flatten" else op.args[1]
    asked = demand(flow.program, flow.entries, flow.origins.channel, source, output, sizes, flow.settled)
    if not asked.fits:
        raise Refused
    flow.result.balances.extend(Balance(op, rows) for rows in asked.balanced)
    flow.loose.extend(Rows(op, rows, rows) for rows in asked.loose)
    for key, rows, whole in asked.heads:
        flow.changing.add(key)
        flow.heads.divide(op, key, rows, whole=whole)
    for axis, form, rows, loose in asked.counted:
        flow.changing |= form.keys()
        if len(form) == 1 and set(form.values()) == {1}:
            flow.counts.setdefault(next(iter(form)), []).append(Rows(op, rows, rows if loose else None))
        else:
            flow.sums[output, axis] = op, form, rows
    return flow.arranged(op)


def _flattened(flow: Flow, op: Op) -> tuple[Size, ...]:
    """Target sizes of a flatten: every axis follows its own."""
    shape, target = flow.shape_of(op.inputs[0]), flow.shape_of(op.outputs[0])
    sizes: list[Size] = []
    for before, after in axis_groups(shape, target):
        sizes += [-1] * len(after) if len(before) != len(after) else [Axis(op.inputs[0], axis) for axis in before]
    return tuple(sizes)


def _expand(flow: Flow, op: Op) -> Results:
    found, target = flow.entries[op.inputs[0]], flow.shape_of(op.outputs[0])
    if any(n > 1 for n in found.shape):
        lead = len(target) - found.ndim
        for axis, n in enumerate(found.shape):
            if n > 1 and op.args[1][lead + axis] != -1:
                known = linear(op.args[1][lead + axis], flow.program, flow.entries)
                if known is None or known[1] is None or known[0] != 1:
                    raise Refused
                counted = flow.origins.channel(along(flow.entries[known[1].value], known[1].axis))
                if not np.array_equal(counted, flow.origins.channel(along(found, axis))):
                    raise Refused
    return flow.arranged(op)


def _pixel_shuffle(flow: Flow, op: Op) -> Results:
    """Every so many channels become the pixels of one, and go together."""
    factor, rank = op.args[1], len(flow.shape_of(op.outputs[0]))
    apart = flow.along(op.inputs[0], -3).reshape(-1, factor**2)
    joined = apart[:, 0]
    for other in apart[:, 1:].T:
        flow.same(op, flow.origins.channel(joined), flow.origins.channel(other))
        joined = flow.origins.union(joined, other)
    return [joined.reshape(*(1 for _ in range(rank - 3)), -1, 1, 1)]


HANDLERS: Mapping[str, Handler] = {
    **dict.fromkeys(VIEWS, _view),
    **dict.fromkeys(PERMUTING, _permute),
    **dict.fromkeys(_ARRANGING, Flow.arranged),
    "expand": _expand,
    "pixel_shuffle": _pixel_shuffle,
}
