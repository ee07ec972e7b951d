"""Which channels a step keeps, in the numbering of the untouched model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from math import inf

import numpy as np
from torch import nn

from yolo_prune_check.model.layers import layers_of
from yolo_prune_check.progress import Progress
from yolo_prune_check.run.baseline import Baseline
from yolo_prune_check.run.resolve import Target
from yolo_prune_check.run.state import State
from yolo_prune_check.select.choose import Choice, evidence_of, ranked_choice, select_channels
from yolo_prune_check.select.criteria import criterion_named, score
from yolo_prune_check.select.evidence import Evidence
from yolo_prune_check.select.ranked import ranked
from yolo_prune_check.select.ranking import Scores, keep_count
from yolo_prune_check.select.weights import silent_channels
from yolo_prune_check.select.worth import group_worth, groups_of
from yolo_prune_check.spec.schema import HALF, Scenario, Select


def choose(state: State, target: Target) -> Choice:
    """Choose on the model as it is at this step; on the untouched one where the schedule is `independent`.

    Of a layer that earlier steps have made narrower, `select.ratio` still is a share of what it had at first, and what
    is gone counts.
    """
    if target.keep is not None:
        return Choice(target.keep, target.scores, {})
    scenario, layer, select = state.scenario, target.layer, state.scenario.select
    independent = scenario.schedule == "independent"
    present = tuple(range(layer.out_channels)) if independent else state.present(layer.name, layer.out_channels)
    if len(present) < layer.out_channels:
        if select.share is not None:
            count = keep_count(layer.out_channels, select.share)
            if count >= len(present):
                return Choice(present, None, {"k": len(present), "gone": layer.out_channels - len(present)})
            select = select.model_copy(update={"ratio": 1 - count / len(present)})
        layer = replace(layer, out_channels=len(present))
    evidence = _evidence(scenario, state.baseline.fresh() if independent else state.model, state, select)
    if select.scope == "group":
        choice = _with_what_is_tied(state, evidence, target, present, select, untouched=independent)
    else:
        choice = select_channels(evidence, layer, select, activations=scenario.activations)
    return _renumbered(choice, present, target.layer.out_channels)


def choose_without_data(state: State, target: Target) -> Choice:
    """Channels for a prediction alone: criteria that need data are stood in for by l1."""
    if target.keep is not None:
        return Choice(target.keep, target.scores, {})
    select, stand_in = without_data(state.scenario.select)
    evidence = _evidence(state.scenario, state.baseline.model, state, select)
    present = tuple(range(target.layer.out_channels))
    if select.scope == "group":
        choice = _with_what_is_tied(state, evidence, target, present, select, untouched=True)
    else:
        choice = select_channels(evidence, target.layer, select)
    return Choice(choice.keep, choice.scores, {**choice.details, **stand_in})


def without_data(select: Select) -> tuple[Select, dict[str, str]]:
    """Settings that need no data, and for the record what they stand in for, if for anything."""
    if criterion_named(select.criterion).needs == "weights":
        return select, {}
    ratio = HALF if select.share is None else select.share
    plain = Select(criterion="l1", ratio=ratio, seed=select.seed, scope=select.scope, floor=select.floor)
    return plain, {"stand_in": f"l1, ratio {ratio:g}"}


def ranked_targets(
    scenario: Scenario, baseline: Baseline, targets: tuple[Target, ...], shown: Progress, *, predict_only: bool
) -> tuple[tuple[Target, ...], tuple[str, ...]]:
    """With `scope: global`, the targets with the channels that one ranking of all of them leaves, and notes on it.

    The ranking is made once, on the untouched model. A layer of which nothing goes is no target any more.
    """
    select = without_data(scenario.select)[0] if predict_only else scenario.select
    if scenario.steps is not None or select.scope != "global" or select.share is None:
        return targets, ()
    graph, model = baseline.graph, baseline.fresh()
    evidence = evidence_of(model, select, data=scenario.data, imgsz=graph.imgsz, seed=scenario.seed, progress=shown)
    layers = [layer for layer in layers_of(model) if layer.name in graph.layers]
    worth = group_worth(graph, score(select.criterion, evidence, layers), select.criterion)
    named = np.unique(np.concatenate([groups_of(graph, target.layer.name) for target in targets]))
    gone = ranked(graph, worth, select.floor, among=named)(Decimal(repr(select.share)))
    found, whole = list[Target](), 0
    for target in targets:
        own = groups_of(graph, target.layer.name)
        keep = tuple(np.flatnonzero(~np.isin(own, gone)).tolist())
        if len(keep) == len(own):
            whole += 1
        else:
            found.append(Target(target.layer, keep, tuple(worth[own].tolist())))
    notes = (f"the ranking leaves {whole} of the {len(targets)} layers named whole",) if whole else ()
    return tuple(found), notes


def _evidence(scenario: Scenario, model: nn.Module, state: State, select: Select) -> Evidence:
    return evidence_of(
        model,
        select,
        data=scenario.data,
        imgsz=state.baseline.graph.imgsz,
        seed=scenario.seed,
        progress=state.progress,
    )


def _with_what_is_tied(
    state: State, evidence: Evidence, target: Target, present: tuple[int, ...], select: Select, *, untouched: bool
) -> Choice:
    """Choose among the channels of a layer by what they are worth with all that is tied to them.

    Returns:
        In the numbering of the channels present.
    """
    graph = state.baseline.graph
    own = groups_of(graph, target.layer.name)[list(present)]
    tied = [name for name in graph.layers if np.isin(groups_of(graph, name), own).any()]
    layers = [layer for layer in layers_of(evidence.model) if layer.name in tied]
    scores = score(select.criterion, evidence, layers)
    widths = {name: graph.layers[name].out_channels for name in scores}
    there = {name: range(width) if untouched else state.present(name, width) for name, width in widths.items()}
    worth = group_worth(graph, _in_full(scores, there, widths), select.criterion)[own]
    silent = silent_channels(evidence.model, next(layer for layer in layers if layer.name == target.layer.name))
    return ranked_choice(worth, len(present), select.share or HALF, silent)


def _in_full(
    scores: Mapping[str, Scores], present: Mapping[str, range | tuple[int, ...]], widths: Mapping[str, int]
) -> dict[str, Scores]:
    """Scores of the channels that are left as scores of all: what is gone is worth nothing."""
    found = {}
    for name, own in scores.items():
        found[name] = np.zeros(widths[name])
        found[name][list(present[name])] = own
    return found


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
