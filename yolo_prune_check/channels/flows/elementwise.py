"""What treats every entry by itself, and what ties those that meet."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from yolo_prune_check.channels.flows.families import UNARY
from yolo_prune_check.channels.flows.state import Flow, Handler, Refused, Results
from yolo_prune_check.channels.parameter_views import MEETING
from yolo_prune_check.channels.program import Op
from yolo_prune_check.channels.rules import ELEMENTWISE, POOLS, UPSAMPLES

_SCALING = MEETING  # of which 0 and 0 make 0
_PADS = frozenset({"constant_pad_nd", "reflection_pad2d", "replication_pad2d"})


def _pass(flow: Flow, op: Op) -> Results:
    """Every entry by itself."""
    found = flow.entries.get(op.inputs[0])
    if found is None:
        raise Refused
    shape, target = flow.shape_of(op.inputs[0]), flow.shape_of(op.outputs[0])
    if len(shape) != len(target) or any(n > 1 and n != target[i] for i, n in enumerate(found.shape)):
        raise Refused
    return [found]


def _resample(flow: Flow, op: Op) -> Results:
    """What mixes or shifts entries along the last two axes, even where it leaves their number alone."""
    found = flow.entries.get(op.inputs[0])
    if found is None or any(n > 1 for n in found.shape[-2:]):
        raise Refused
    return [found]


def _pad(flow: Flow, op: Op) -> Results:
    """Entries are moved along the axes that are given a margin, counted from the last one."""
    found, margins = flow.entries[op.inputs[0]], op.args[1]
    padded = [number for number, pair in enumerate(zip(margins[::2], margins[1::2], strict=True), 1) if any(pair)]
    if any(found.shape[-number] > 1 for number in padded):
        raise Refused
    return [found]


def _tie(flow: Flow, op: Op) -> Results:
    """Elementwise: entries that meet go together; one that meets something of fixed size stays."""
    rank = len(flow.shape_of(op.outputs[0]))
    operands = [(_padded(flow.shape_of(value), rank), flow.laid(value, rank)) for value in op.inputs]
    moving = {axis for _, found in operands if found is not None for axis, n in enumerate(found.shape) if n > 1}
    scales = _scales(flow, op, rank, moving)
    operands = [operand for operand, value in zip(operands, op.inputs, strict=True) if value not in scales]
    result = np.full((1,) * rank, -1)
    for shape, found in operands:
        if found is None:
            continue
        if all(shape[axis] > 1 for axis in moving):
            result = flow.origins.union(result, found)
        elif found.size > 1:  # one entry meets several, of which only some may go
            flow.freeze(op, found)
    for shape, found in operands:
        if any(shape[axis] > 1 and (found is None or found.shape[axis] == 1) for axis in moving):
            raise Refused
        if found is not None and all(shape[axis] > 1 for axis in moving):
            flow.freeze(op, np.where(np.broadcast_to(found, result.shape) < 0, result, -1))
    for value, axis in scales.items():
        flow.scale(op, value, axis - rank, np.moveaxis(result, axis, -1).reshape(-1))
    return [result]


def _scales(flow: Flow, op: Op, rank: int, moving: Collection[int]) -> dict[int, int]:
    """Operands that are parameters with a number for each channel, and the axis on which channels lie."""
    if op.target not in _SCALING or len(moving) != 1:
        return {}
    (axis,) = moving
    found = [value for value in op.inputs if value not in flow.entries and flow.scales(value)]
    return {value: axis for value in found if _padded(flow.shape_of(value), rank)[axis] > 1}


def _prelu(flow: Flow, op: Op) -> Results:
    """One slope for all channels, or one for each."""
    source, slopes = op.inputs
    if source not in flow.entries:
        raise Refused
    if flow.shape_of(slopes) != (1,):
        if not flow.scales(slopes):
            raise Refused
        flow.scale(op, slopes, 0, flow.along(source, 1))
    return [flow.entries[source]]


def _padded(shape: tuple[int, ...], rank: int) -> tuple[int, ...]:
    return (1,) * (rank - len(shape)) + shape


HANDLERS: Mapping[str, Handler] = {
    **dict.fromkeys(UNARY, _pass),
    "prelu": _prelu,
    **dict.fromkeys(POOLS | UPSAMPLES, _resample),
    **dict.fromkeys(_PADS, _pad),
    **dict.fromkeys(ELEMENTWISE, _tie),
}
