"""Concats: channels behind each other, or tied where operands must agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from yolo_prune_check.channels.flows.state import Flow, Handler, Refused, Results
from yolo_prune_check.channels.program import Op
from yolo_prune_check.channels.provenance import Ids


def _cat(flow: Flow, op: Op) -> Results:
    axis = (op.args[1] if len(op.args) > 1 else 0) % len(flow.shape_of(op.inputs[0]))
    return _joined(flow, op, axis, flow.arranged(op), lambda found: found)


def _stack(flow: Flow, op: Op) -> Results:
    rank = len(flow.shape_of(op.inputs[0]))
    axis = (op.args[1] if len(op.args) > 1 else 0) % (rank + 1)
    return _joined(flow, op, axis, flow.arranged(op), lambda found: np.expand_dims(found, axis))


def _joined(flow: Flow, op: Op, axis: int, joined: Results, lay: Callable[[Ids], Ids]) -> Results:
    """A concat needs its operands to agree along every other axis: there, entries that meet go together."""
    operands = [flow.entries.get(value) for value in op.inputs]
    laid = [None if found is None else lay(found) for found in operands]
    others = {i for found in laid if found is not None for i, n in enumerate(found.shape) if i != axis and n > 1}
    if not others:
        return joined
    if any(found is None or found.shape[axis] > 1 for found in laid):
        raise Refused
    result = laid[0]
    for found in laid[1:]:
        if result is None or found is None or found.shape != result.shape:
            raise Refused
        flow.same(op, flow.origins.channel(result).reshape(-1), flow.origins.channel(found).reshape(-1))
        result = flow.origins.union(result, found)
    return [result]


HANDLERS: Mapping[str, Handler] = {"cat": _cat, "stack": _stack}
