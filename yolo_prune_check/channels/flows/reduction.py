"""Reductions, over axes that hold no channels."""

from __future__ import annotations

from collections.abc import Mapping

from yolo_prune_check.channels.flows.state import Flow, Handler, Refused, Results
from yolo_prune_check.channels.program import Op

_REDUCING = frozenset({"sum", "mean", "amax", "amin"})


def _reduce(flow: Flow, op: Op) -> Results:
    found = flow.entries[op.inputs[0]]
    given = op.args[1] if len(op.args) > 1 and op.args[1] is not None else tuple(range(found.ndim))
    axes = {axis % found.ndim for axis in (given if isinstance(given, tuple) else (given,))}
    if any(found.shape[axis] > 1 for axis in axes):
        raise Refused
    keep = len(flow.shape_of(op.outputs[0])) == found.ndim
    return [found if keep else found.reshape([n for axis, n in enumerate(found.shape) if axis not in axes])]


HANDLERS: Mapping[str, Handler] = dict.fromkeys(_REDUCING, _reduce)
