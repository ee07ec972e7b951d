"""Judge a plan on the channel graph: will it fit, is it what was meant, what does it save."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from yolo_prune_check.channels.explain import explain
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.hazards import find_hazards
from yolo_prune_check.channels.interpretation import Interpretation
from yolo_prune_check.channels.layers import GraphLayer
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.planned import Changes, carry_out
from yolo_prune_check.channels.prediction import ChannelCount, EdgeState, Judgement


def judge(graph: ChannelGraph, plan: Plan) -> Judgement:
    """Run the operators on which a plan has an effect, abstractly, and say all there is to say."""
    changes = carry_out(graph, plan)
    result = graph.interpreter.rerun(
        graph.baseline, changes.parameters, scattered=changes.scattered, replaced=changes.replaced
    )
    failure = result.failure
    if failure is not None:
        failure = replace(failure, path=explain(graph, result))
    return Judgement(
        failure=failure,
        hazards=find_hazards(graph, plan, changes, result),
        layers=_layers(graph, changes, result),
        edges=_edges(graph, _pruned(graph, plan, changes), result),
        shapes=_shapes(graph, changes, result),
        params=graph.costs.params(changes.parameters),
        macs=graph.costs.macs(changes.parameters, result.tensors) if result.stopped is None else None,
        unknown=result.unknown,
        added=() if changes.removal is None else changes.removal.added,
        returned=() if changes.removal is None else changes.removal.returned,
    )


def _pruned(graph: ChannelGraph, plan: Plan, changes: Changes) -> set[str]:
    """Layers that lose output channels."""
    if changes.removal is not None:
        cuts = changes.removal.layers.items()
        return {name for name, cut in cuts if len(cut.outputs) < graph.layers[name].out_channels}
    return {name for name, width in plan.widths().items() if width < graph.layers[name].out_channels}


def _layers(graph: ChannelGraph, changes: Changes, result: Interpretation) -> dict[str, ChannelCount]:
    counts, regrouped = {}, changes.regrouped
    for name, layer in graph.layers.items():
        weight = changes.parameters.get(f"{name}.weight")
        hidden = _hidden(result, layer)
        counts[name] = ChannelCount(
            in_channels=layer.in_channels if weight is None else weight.shape[1] * regrouped.get(name, layer.groups),
            out_channels=layer.out_channels if weight is None else weight.shape[0],
            active_in=_active(graph, result, graph.program.ops[layer.op].inputs[0]),
            active_out=None if hidden else _active_out(graph, result, layer),
            hidden=hidden,
        )
    return counts


def _active(graph: ChannelGraph, result: Interpretation, value: int) -> int | None:
    """Active channels of a value; None if execution does not get there, or they are not known."""
    found = result.get(value)
    if found is None or result.is_unclear(value):
        return None
    return found.active if value in result.tensors else graph.base_active[value]


def _hidden(result: Interpretation, layer: GraphLayer) -> bool:
    """Whether execution gets to where a layer emits, in one of its calls, and nothing but the shape is known there."""
    return any(result.get(value) is not None and result.is_unclear(value) for value in layer.emissions)


def _active_out(graph: ChannelGraph, result: Interpretation, layer: GraphLayer) -> int | None:
    """Channels that a layer emits in one of its calls; None if execution does not get to the first."""
    if len(layer.emissions) == 1:
        return _active(graph, result, layer.emission)
    calls = [tensor.emits for value in layer.emissions if (tensor := result.get(value)) is not None]
    return int(np.logical_or.reduce(calls).sum()) if calls else None


def _edges(graph: ChannelGraph, pruned: set[str], result: Interpretation) -> tuple[EdgeState, ...]:
    states = []
    for junction in graph.junctions:
        reached = result.ran(junction.op)
        for port in junction.ports:
            before, after = graph.baseline.tensors[port.value], result.get(port.value)
            if not reached or (port.value in result.absent and port.value in junction.op.outputs):
                after = None
            states.append(
                EdgeState(
                    operator=junction.operator,
                    kind=junction.kind,
                    port=port.name,
                    producers=graph.provenance.producers(port.value),
                    before=before.shape[1],
                    after=None if after is None else after.shape[1],
                    active_before=graph.base_active[port.value],
                    active_after=None if after is None else _active(graph, result, port.value),
                    touched=not pruned.isdisjoint(graph.provenance.producers(port.value)),
                )
            )
    return tuple(states)


def _shapes(graph: ChannelGraph, changes: Changes, result: Interpretation) -> dict[str, tuple[tuple[int, ...], ...]]:
    shapes: dict[str, tuple[tuple[int, ...], ...]] = {}
    for index, call in enumerate(graph.program.calls):
        tensor = None if call.output is None else result.get(call.output)
        if tensor is not None:
            shape = tensor.shape
            if index in changes.narrow:
                shape = (shape[0], changes.narrow[index], *shape[2:])
            shapes[call.name] = (*shapes.get(call.name, ()), shape)
    return shapes
