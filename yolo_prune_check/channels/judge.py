"""Judge a plan on the channel graph: will it fit, is it what was meant, what does it save."""

from __future__ import annotations

import math
from collections.abc import Mapping

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.hazards import find_hazards
from yolo_prune_check.channels.interpret import Interpretation, interpret
from yolo_prune_check.channels.parameters import masked, shrunk
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.prediction import ChannelCount, EdgeState, Prediction
from yolo_prune_check.channels.tensors import Tensor
from yolo_prune_check.errors import UnavailableError


def judge(graph: ChannelGraph, plan: Plan) -> Prediction:
    """Predict a plan, without looking for a repair; see ``channels.predict.predict``."""
    graph.check(plan)
    parameters = planned_parameters(graph, plan)
    result = interpret(graph.program, parameters)
    hazards = find_hazards(graph, plan, result)
    unsafe = result.failure is not None or any(hazard.severity == "error" for hazard in hazards)
    return Prediction(
        execution=plan.execution,
        imgsz=graph.imgsz,
        verdict="unsafe" if unsafe else "safe",
        failure=result.failure,
        hazards=hazards,
        layers=_layers(graph, parameters, result),
        edges=_edges(graph, plan, result),
        shapes=_shapes(graph, result),
        params=sum(_numel(name, size, parameters) for name, size in graph.program.sizes.items()),
        macs=_macs(graph, parameters) if result.failure is None and result.unknown is None else None,
    )


def planned_parameters(graph: ChannelGraph, plan: Plan) -> dict[str, Tensor]:
    """Abstract parameters after the plan.

    Raises:
        UnavailableError: Execution ``group`` or ``adapter``.
    """
    if plan.execution not in ("mask", "local"):
        raise UnavailableError(
            f"execution `{plan.execution}` is declared but not carried out in this version",
            hint="Use `mask` or `local`.",
        )
    parameters = dict(graph.parameters)
    for name, keep in plan.kept().items():
        layer = graph.layer(name)
        if plan.execution == "mask":
            parameters = masked(parameters, layer, keep, plan.mask)
        else:
            parameters = shrunk(parameters, layer, keep)
    return parameters


def _layers(graph: ChannelGraph, parameters: Mapping[str, Tensor], result: Interpretation) -> dict[str, ChannelCount]:
    counts = {}
    for name, layer in graph.layers.items():
        shape = parameters[f"{name}.weight"].shape
        source = result.tensors.get(graph.program.ops[layer.op].inputs[0])
        emitted = result.tensors.get(layer.emission)
        counts[name] = ChannelCount(
            in_channels=shape[1] * layer.groups,
            out_channels=shape[0],
            active_in=source.active if source is not None else None,
            active_out=emitted.active if emitted is not None else None,
        )
    return counts


def _edges(graph: ChannelGraph, plan: Plan, result: Interpretation) -> tuple[EdgeState, ...]:
    pruned = {step.layer for step in plan.steps if len(step.keep) < graph.layers[step.layer].out_channels}
    states = []
    for junction in graph.junctions:
        for port in junction.ports:
            before, after = graph.baseline.tensors[port.value], result.tensors.get(port.value)
            if not result.ran(junction.op) or port.value in result.absent:
                after = None
            states.append(
                EdgeState(
                    operator=junction.operator,
                    kind=junction.kind,
                    port=port.name,
                    producers=port.producers,
                    before=before.shape[1],
                    after=None if after is None else after.shape[1],
                    active_before=before.active,
                    active_after=None if after is None else after.active,
                    touched=not pruned.isdisjoint(port.producers),
                )
            )
    return tuple(states)


def _shapes(graph: ChannelGraph, result: Interpretation) -> dict[str, tuple[tuple[int, ...], ...]]:
    shapes: dict[str, tuple[tuple[int, ...], ...]] = {}
    for call in graph.program.calls:
        if call.output is not None and call.output in result.tensors:
            shapes[call.name] = (*shapes.get(call.name, ()), result.tensors[call.output].shape)
    return shapes


def _numel(name: str, size: int, parameters: Mapping[str, Tensor]) -> int:
    found = parameters.get(name)
    return size if found is None else math.prod(found.shape)


def _macs(graph: ChannelGraph, parameters: Mapping[str, Tensor]) -> int:
    """Multiply-accumulates as torchinfo counts them.

    A convolution's weights and bias count once per output pixel, other parameters once per image.
    """
    total = 0
    for call in graph.program.calls:
        if not call.is_leaf or call.output is None:
            continue
        shape = graph.program.values[call.output].shape
        times = math.prod(shape[:1] + shape[2:]) if "Conv" in call.class_name else shape[0]
        for part in ("weight", "bias"):
            name = f"{call.name}.{part}"
            if name in graph.program.sizes:
                total += _numel(name, graph.program.sizes[name], parameters) * times
    return total
