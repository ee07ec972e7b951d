"""What measures entries against each other: channels are told apart only along an axis that it does not span."""

from __future__ import annotations

from collections.abc import Mapping

from yolo_prune_check.channels.flows.families import SOFTMAX
from yolo_prune_check.channels.flows.state import WEIGHT, Flow, Handler, Refused, Results
from yolo_prune_check.channels.program import Op, Ref
from yolo_prune_check.channels.rules import NORMS


def _norm(flow: Flow, op: Op) -> Results:
    line = flow.origins.channel(flow.along(op.inputs[0], 1))
    weight = op.args[1]
    name = flow.program.values[weight.value].parameter if isinstance(weight, Ref) else None
    if name is None:
        raise Refused
    flow.keep_shared(op, line)
    flow.result.norms[name.removesuffix(WEIGHT)] = line
    return [flow.entries[op.inputs[0]]]


def _layer_norm(flow: Flow, op: Op) -> Results:
    found, count = flow.entries[op.inputs[0]], len(op.args[1])
    if any(n > 1 for n in found.shape[-count:]):
        raise Refused
    return [found]


def _softmax(flow: Flow, op: Op) -> Results:
    found = flow.entries[op.inputs[0]]
    if found.shape[op.args[1]] > 1:
        raise Refused
    return [found]


HANDLERS: Mapping[str, Handler] = {
    **dict.fromkeys(NORMS, _norm),
    **dict.fromkeys(SOFTMAX, _softmax),
    "native_layer_norm": _layer_norm,
}
