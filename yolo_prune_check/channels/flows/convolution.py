"""What reads channels with a weight: convolutions, which make channels of their own, and linear layers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from yolo_prune_check.channels.flows.state import Flow, Handler, Refused, Results
from yolo_prune_check.channels.program import Op, Ref
from yolo_prune_check.channels.provenance import Balance, Consumer, Ids
from yolo_prune_check.channels.rules import CONVOLUTIONS


def _convolution(flow: Flow, op: Op) -> Results:
    source, weight = op.inputs[0], op.args[1]
    name = flow.program.values[weight.value].parameter if isinstance(weight, Ref) else None
    groups, transposed = op.args[8], op.args[6]
    if name is None or (transposed and groups > 1):
        raise Refused
    layer = flow.layers.get(name)
    own = None if layer is None else flow.result.channels.of(layer.name)
    try:
        line = flow.along(source, 1)
    except Refused:
        flow.freeze(op, flow.entries[source])
        line = np.full(flow.shape_of(source)[1], -1)
    line = flow.origins.channel(line)
    flow.hear(source)
    if op.index in flow.repeated:  # what one call reads goes with what the others do; they make the same channels
        flow.same(op, flow.repeated_lines.setdefault(name, line), line)
    else:
        flow.keep_shared(op, line, *(() if own is None else (own,)))
    flow.result.consumers.append(Consumer(name, op, 0 if transposed else 1, line))
    if groups > 1:
        if own is None:
            raise Refused
        _group(flow, op, line.reshape(groups, -1), own.reshape(groups, -1))
    if own is None:
        return [None]
    return [own.reshape(1, -1, *(1 for _ in flow.shape_of(source)[2:]))]


def _group(flow: Flow, op: Op, inputs: Ids, outputs: Ids) -> None:
    """A grouped convolution: its conv groups keep equally many inputs and outputs, or go as a whole."""
    if inputs.shape[1] > 1:
        units = np.concatenate([inputs, outputs], axis=1)
        flow.result.balances.extend(Balance(op, rows, units) for rows in (inputs, outputs))
        return
    fixed = inputs[:, 0] < 0
    if fixed.any():
        flow.freeze(op, outputs[fixed])
    for copy in range(outputs.shape[1]):
        flow.origins.tie(inputs[:, 0], outputs[:, copy])


def _linear(flow: Flow, op: Op) -> Results:
    weight = op.args[1]
    name = flow.program.values[weight.value].parameter if isinstance(weight, Ref) else None
    if name is None or op.inputs[0] not in flow.entries:
        raise Refused
    line = flow.origins.channel(flow.along(op.inputs[0], -1))
    flow.hear(op.inputs[0])
    flow.keep_shared(op, line)
    flow.result.consumers.append(Consumer(name, op, 1, line))
    return [None]


HANDLERS: Mapping[str, Handler] = {**dict.fromkeys(CONVOLUTIONS, _convolution), "linear": _linear}
