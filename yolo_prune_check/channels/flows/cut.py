"""Splits and slices: pieces that keep equally many entries, or as many as a module attribute says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from yolo_prune_check.channels.flows.state import Flow, Handler, Refused, Results, Rows
from yolo_prune_check.channels.program import Op
from yolo_prune_check.channels.provenance import Ids
from yolo_prune_check.channels.reshape import Form, added, along, form_of, linear
from yolo_prune_check.channels.sizes import Size

_SPLITS = frozenset({"split", "split_with_sizes", "unsafe_split", "unsafe_split_with_sizes"})
_WHOLE = 2**31 - 1  # an end of a slice from here on means "to the end"


def _chunk(flow: Flow, op: Op) -> Results:
    axis = op.args[2] if len(op.args) > 2 else 0
    sizes = {flow.shape_of(value)[axis] for value in op.outputs}
    return _pieces(flow, op, axis, follows=len(sizes) == 1 and len(op.outputs) == op.args[1])


def _split(flow: Flow, op: Op) -> Results:
    axis = op.args[2] if len(op.args) > 2 else 0
    total = flow.shape_of(op.inputs[0])[axis]
    given = op.args[1] if isinstance(op.args[1], tuple) else (op.args[1],) * len(op.outputs)
    if flow.entries[op.inputs[0]].shape[axis] > 1:
        forms = [form_of(size, flow.settled) for size in given]
        if all(form is not None and list(form.values()) == [1] for form in forms):
            return _measured(flow, op, axis, [form for form in forms if form is not None])
    return _pieces(flow, op, axis, follows=all(_share(flow, size, op, axis, total) for size in given))


def _measured(flow: Flow, op: Op, axis: int, forms: Sequence[Form]) -> Results:
    """A split into sizes that module attributes hold."""
    found = flow.entries[op.inputs[0]]
    axis %= found.ndim
    results, within = flow.arranged(op), _rows(flow, found, axis)
    for form, piece in zip(forms, results, strict=True):
        if piece is None:
            raise Refused
        flow.changing |= form.keys()
        flow.counts.setdefault(next(iter(form)), []).append(Rows(op, _rows(flow, piece, axis), within))
    if flow.sums.get((op.inputs[0], axis), (op, {}, None))[1] == added(forms):
        del flow.sums[op.inputs[0], axis]
    return results


def _share(flow: Flow, size: Size, op: Op, axis: int, total: int) -> bool:
    """Whether a piece's size is the same share of the axis whatever is removed from it."""
    known = linear(size, flow.program, flow.entries)
    if known is None or known[1] is None:
        return False
    counted = flow.origins.channel(along(flow.entries[known[1].value], known[1].axis))
    own = flow.origins.channel(along(flow.entries[op.inputs[0]], axis % len(flow.shape_of(op.inputs[0]))))
    pieces = {flow.shape_of(value)[axis] for value in op.outputs}
    return np.array_equal(counted, own) and pieces == {int(known[0] * total)}


def _pieces(flow: Flow, op: Op, axis: int, *, follows: bool) -> Results:
    found = flow.entries[op.inputs[0]]
    axis %= found.ndim
    results = flow.arranged(op)
    if found.shape[axis] == 1:
        return results
    within = _rows(flow, found, axis)
    if flow.heads.are_whole(within):
        return results
    if not follows:
        raise Refused
    rows = [_rows(flow, piece, axis) for piece in results if piece is not None]
    flow.loose.append(Rows(op, np.concatenate(rows), np.concatenate([within] * len(rows))))
    return results


def _rows(flow: Flow, found: Ids, axis: int) -> Ids:
    """Channels along an axis, a row for each place along the others."""
    return flow.origins.channel(np.moveaxis(found, axis, -1)).reshape(-1, found.shape[axis])


def _slice(flow: Flow, op: Op) -> Results:
    given = (*op.args[1:], *(0, None, None, 1)[len(op.args) - 1 :])
    axis, start, end, step = given[0], given[1], given[2], given[3]
    whole = start in (0, None) and (end is None or (isinstance(end, int) and end >= _WHOLE)) and step == 1
    if flow.entries[op.inputs[0]].shape[axis] > 1 and not whole:
        raise Refused
    return flow.arranged(op)


def _taken(flow: Flow, op: Op) -> Results:
    """Single entries of an axis, which must hold no channels."""
    axis = op.args[1] if len(op.args) > 1 else 0
    if flow.entries[op.inputs[0]].shape[axis] > 1:
        raise Refused
    return flow.arranged(op)


def _parted(flow: Flow, op: Op) -> Results:
    """Pieces of an axis that must hold no channels."""
    if flow.entries[op.inputs[0]].shape[op.args[2]] > 1:
        raise Refused
    return flow.arranged(op)


HANDLERS: Mapping[str, Handler] = {
    "chunk": _chunk,
    **dict.fromkeys(_SPLITS, _split),
    "slice": _slice,
    "narrow": _taken,
    "unbind": _taken,
    "tensor_split": _parted,
    "select": _taken,
}
