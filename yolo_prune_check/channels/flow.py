"""Follow every layer's channels through the program, operator by operator."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from yolo_prune_check.channels.flows import HANDLERS, SIZED, Flow, Handler, Refused, Results
from yolo_prune_check.channels.layers import GraphLayer
from yolo_prune_check.channels.program import Op, Program, Ref
from yolo_prune_check.channels.provenance import Balance, Channels, Ids, Origins, Provenance, Width
from yolo_prune_check.channels.reshape import Form
from yolo_prune_check.channels.rules import CONVOLUTIONS
from yolo_prune_check.channels.sizes import attributes_in, sized


def trace_provenance(program: Program, layers: Mapping[str, GraphLayer], unruled: Collection[int] = ()) -> Provenance:
    """Follow every layer's channels through the program.

    Args:
        program: The traced pass.
        layers: Its layers.
        unruled: Operators whose rule does not reproduce the trace: they freeze what flows into them.
    """
    channels = Channels(layers)
    flow = Flow(Provenance(program, channels, Origins(channels.total)), layers)
    for op in program.ops:
        _follow(flow, op, unruled)
    _settle(flow)
    return flow.result


def _follow(flow: Flow, op: Op, unruled: Collection[int]) -> None:
    """Find the origins of an operator's results, and what it asks of its operands."""
    flow.changing = set()
    _handle(flow, op, unruled)
    flow.heads.follow(op, ruled=op.index not in unruled)
    if flow.attributes:
        flow.settled |= {item.key for item in attributes_in(op.args)} - flow.changing


def _handle(flow: Flow, op: Op, unruled: Collection[int]) -> None:
    handler, counted = _handler(flow, op, unruled), flow.counted(op)
    if handler is None and not counted:
        return
    try:
        if handler is None or (counted and op.target not in SIZED):
            raise Refused
        results = handler(flow, op)
    except Refused:
        flow.freeze(op, *(flow.entries[value] for value in op.inputs if value in flow.entries), *counted)
        return
    for value, found in zip(op.outputs, results, strict=False):
        if found is not None and (found >= 0).any():
            flow.entries[value] = found
    flow.silence.follow(op, flow.converted)


def _handler(flow: Flow, op: Op, unruled: Collection[int]) -> Handler | None:
    if op.target not in CONVOLUTIONS:  # which make channels, whatever they read
        if not any(value in flow.entries for value in op.inputs):
            return None
        if op.index in unruled:
            return _refuse
    return HANDLERS.get(op.target, _refuse)


def _refuse(flow: Flow, op: Op) -> Results:
    raise Refused


def _settle(flow: Flow) -> None:
    """Balance what one attribute counts, or freeze it where the attribute must stay what it is."""
    _freeze_widths(flow)
    flow.heads.finish()
    flow.settled |= flow.heads.free.keys() & flow.counts.keys()  # a number of rows here, a length of rows there
    for op, form, rows in flow.sums.values():  # no split takes the sum apart again
        if not _is_whole(flow, form, rows):
            flow.settled |= form.keys()
            flow.freeze(op, rows)
    for key, uses in flow.counts.items():
        if key in flow.settled:
            for use in uses:
                flow.freeze(use.op, use.rows)
        else:
            rows = np.concatenate([use.rows for use in uses])
            units = flow.heads.units_of([use.within for use in uses])
            flow.result.balances.append(Balance(uses[0].op, rows, units))
            flow.result.widths[key] = Width(flow.attributes[key], rows)
    flow.result.balances.extend(Balance(use.op, use.rows, flow.heads.units_of([use.within])) for use in flow.loose)
    for key, views in flow.heads.free.items():
        flow.result.balances.extend(flow.heads.balances(views))
        flow.result.widths[key] = Width(flow.attributes[key], views.units, counts_blocks=True)
    for op, rows in flow.heads.settled_rows():
        flow.freeze(op, rows)


def _freeze_widths(flow: Flow) -> None:
    """Freeze what a parameter reads or makes where its own width is a number among an operator's arguments."""
    values, result = flow.program.values, flow.result
    for op in flow.program.ops:
        for axis in {axis for item in op.args if not isinstance(item, Ref) for axis in sized(item)}:
            name = values[axis.value].parameter
            if name is None:
                continue
            if name in flow.layers and axis.axis == 0:
                flow.freeze(op, result.channels.of(flow.layers[name].name))
            flow.freeze(op, *(reader.channels for reader in result.consumers if reader.weight == name and axis.axis))
            flow.freeze(op, result.norms.get(name.rpartition(".")[0], np.empty(0, dtype=np.int64)))
            scale = result.scales.get(name)
            if scale is not None and scale.axis == axis.axis and flow.viewed.keys().isdisjoint(op.outputs):
                flow.freeze(op, scale.channels)


def _is_whole(flow: Flow, form: Form, rows: Ids) -> bool:
    """Whether a multiple of an attribute stays just that: it counts whole heads, as the attribute does elsewhere."""
    if len(form) > 1 or len(rows) > 1:
        return False
    key, times = next(iter(form.items()))
    uses = flow.counts.get(key)
    return uses is not None and flow.heads.are_times(rows[0], times, uses[0].rows[0])
