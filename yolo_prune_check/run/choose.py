"""Which channels a step keeps, in the numbering of the untouched model."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from torch import nn

from yolo_prune_check.model.layers import Layer
from yolo_prune_check.run.resolve import Target
from yolo_prune_check.run.state import State
from yolo_prune_check.run.tied import choose_with_ties
from yolo_prune_check.select.choose import Choice, evidence_of, select_channels, without_data
from yolo_prune_check.select.evidence import Evidence
from yolo_prune_check.select.ranking import keep_count
from yolo_prune_check.spec.schema import Scenario, Select


def choose(state: State, target: Target) -> Choice:
    """Choose on the model as it is at this step, unless the choice was made before the first one.

    Of a layer that earlier steps have made narrower, `select.ratio` still is a share of what it had at first, and what
    is gone counts.
    """
    if target.keep is not None:
        return Choice(target.keep, target.scores, dict(target.details))
    scenario, layer, select = state.scenario, target.layer, state.scenario.select
    if select.scope == "group":
        return _with_ties(state, _evidence(scenario, state.model, state, select), layer, select)
    independent = scenario.schedule == "independent"  # and sliced: else the choice was made beforehand
    present = tuple(range(layer.out_channels)) if independent else state.present(layer.name, layer.out_channels)
    if len(present) < layer.out_channels:
        if select.share is not None:
            count = keep_count(layer.out_channels, select.share)
            if count >= len(present):
                return Choice(present, None, {"k": len(present), "gone": layer.out_channels - len(present)})
            select = select.model_copy(update={"ratio": 1 - count / len(present)})
        layer = replace(layer, out_channels=len(present))
    model = state.baseline.fresh() if independent else state.model
    choice = select_channels(_evidence(scenario, model, state, select), layer, select, activations=scenario.activations)
    return _renumbered(choice, present, target.layer.out_channels)


def choose_without_data(state: State, target: Target) -> Choice:
    """Channels for a prediction alone: criteria that need data are stood in for by l1."""
    if target.keep is not None:
        return Choice(target.keep, target.scores, dict(target.details))
    select, stand_in = without_data(state.scenario.select)
    evidence = _evidence(state.scenario, state.baseline.model, state, select)
    if select.scope == "group":
        choice = _with_ties(state, evidence, target.layer, select)
    else:
        choice = select_channels(evidence, target.layer, select)
    return Choice(choice.keep, choice.scores, {**choice.details, **stand_in})


def _with_ties(state: State, evidence: Evidence, layer: Layer, select: Select) -> Choice:
    graph = state.baseline.graph

    def present(name: str) -> tuple[int, ...]:
        return state.present(name, graph.layers[name].out_channels)

    return choose_with_ties(graph, evidence, [layer.name], select, present)[layer.name]


def _evidence(scenario: Scenario, model: nn.Module, state: State, select: Select) -> Evidence:
    return evidence_of(
        model,
        select,
        data=scenario.data,
        imgsz=state.baseline.graph.imgsz,
        seed=scenario.seed,
        progress=state.progress,
    )


def _renumbered(choice: Choice, present: tuple[int, ...], total: int) -> Choice:
    """A choice among the channels that are left, in the numbering of all."""
    if len(present) == total:
        return choice
    scores = None
    if choice.scores is not None:
        known = dict(zip(present, choice.scores, strict=True))
        scores = tuple(known.get(channel, -inf) for channel in range(total))
    details = {**choice.details, "gone": total - len(present)}
    return Choice(tuple(present[index] for index in choice.keep), scores, details)
