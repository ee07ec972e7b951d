"""Products of two values, neither of them a weight."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from yolo_prune_check.channels.flows.families import MATMUL
from yolo_prune_check.channels.flows.state import Flow, Handler, Refused, Results
from yolo_prune_check.channels.program import Op
from yolo_prune_check.channels.provenance import Ids


def _matmul(flow: Flow, op: Op) -> Results:
    """Entries along the contracted axis go together; rows of the left and columns of the right pass."""
    left, right = op.inputs[:2]
    if len(flow.shape_of(left)) < 2 or len(flow.shape_of(right)) < 2:
        raise Refused
    rank = max(len(flow.shape_of(left)), len(flow.shape_of(right)))
    a, b = flow.laid(left, rank), flow.laid(right, rank)
    a = np.full((1,) * rank, -1) if a is None else a
    b = np.full((1,) * rank, -1) if b is None else b
    contracted, crossed = a.shape[-1], b.shape[-2]
    if contracted > 1 or crossed > 1:
        if a.shape[-2] > 1 or b.shape[-1] > 1:
            raise Refused
        flow.hear(left, right)
        first, second = np.broadcast_arrays(a[..., 0, :], b[..., :, 0])
        flow.same(op, flow.origins.channel(first).reshape(-1), flow.origins.channel(second).reshape(-1))
        return [None]
    rows, columns = a[..., :, :1], b[..., :1, :]
    if rows.shape[-2] > 1 and columns.shape[-1] > 1:
        raise Refused
    return [_weighted(flow, op, rows, columns)]


def _weighted(flow: Flow, op: Op, rows: Ids, columns: Ids) -> Ids:
    """Rows and columns of a product, of which one alone holds channels."""
    varied = [found for found in (rows, columns) if (found >= 0).any()]
    if len(varied) > 1:
        raise Refused
    return varied[0] if varied else rows


HANDLERS: Mapping[str, Handler] = dict.fromkeys(MATMUL, _matmul)
