"""Choices on the untouched model, made before the first step: in one pass over the images for all layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

import numpy as np

from yolo_prune_check.errors import UserError
from yolo_prune_check.model.layers import layers_of
from yolo_prune_check.progress import Progress
from yolo_prune_check.run.baseline import Baseline
from yolo_prune_check.run.resolve import Target
from yolo_prune_check.run.tied import choose_with_ties
from yolo_prune_check.run.where import where_of
from yolo_prune_check.select.choose import evidence_of, not_scored, select_each, without_data
from yolo_prune_check.select.criteria import criterion_named, score
from yolo_prune_check.select.evidence import Evidence
from yolo_prune_check.select.ranked import ranked
from yolo_prune_check.select.worth import group_worth, groups_of
from yolo_prune_check.spec.schema import HALF, Scenario, Select

_UNEQUAL: Final = 0.01
"""A share that is not told from another; numbers of channels are rounded."""


def chosen_beforehand(
    scenario: Scenario, baseline: Baseline, targets: tuple[Target, ...], shown: Progress, *, predict_only: bool
) -> tuple[tuple[Target, ...], tuple[str, ...]]:
    """The targets with their channels, where no step changes what is chosen by; and notes.

    That is so with `scope: global`, one ranking of all layers named, and with `schedule: independent`. A layer of which
    a ranking takes nothing is no target any more.

    Raises:
        UserError: As ``select_each``, or a ranking takes nothing at all.
    """
    if scenario.steps is not None:
        return targets, ()
    select, stand_in = without_data(scenario.select) if predict_only else (scenario.select, {})
    model, graph = baseline.fresh(), baseline.graph
    evidence = evidence_of(model, select, data=scenario.data, imgsz=graph.imgsz, seed=scenario.seed, progress=shown)
    if select.scope == "global":
        return _ranked(scenario, baseline, targets, evidence, select, stand_in)
    if predict_only or scenario.schedule != "independent" or scenario.activations == "sliced":
        return targets, ()
    if select.scope == "group":
        names, whole = [target.layer.name for target in targets], graph.layers
        chosen = choose_with_ties(graph, evidence, names, select, lambda name: range(whole[name].out_channels))
    else:
        chosen = select_each(evidence, [target.layer for target in targets], select)
    choices = ((target.layer, chosen[target.layer.name]) for target in targets)
    return tuple(Target(layer, choice.keep, choice.scores, choice.details) for layer, choice in choices), ()


def _ranked(
    scenario: Scenario,
    baseline: Baseline,
    targets: Sequence[Target],
    evidence: Evidence,
    select: Select,
    stand_in: Mapping[str, str],
) -> tuple[tuple[Target, ...], tuple[str, ...]]:
    graph, share = baseline.graph, select.share or HALF
    layers = [layer for layer in layers_of(evidence.model) if layer.name in graph.layers]
    worth = group_worth(graph, score(select.criterion, evidence, layers), select.criterion)
    named = np.unique(np.concatenate([groups_of(graph, target.layer.name) for target in targets]))
    gone = ranked(graph, worth, select.floor, among=named)(Decimal(repr(share)))
    found, whole, unscored = list[Target](), 0, list[str]()
    for target in targets:
        own = groups_of(graph, target.layer.name)
        keep = tuple(np.flatnonzero(~np.isin(own, gone)).tolist())
        if np.isinf(worth[own]).all():
            unscored.append(target.layer.name)
        elif len(keep) == len(own):
            whole += 1
        else:
            found.append(Target(target.layer, keep, tuple(worth[own].tolist()), {"k": len(keep), **stand_in}))
    if len(unscored) == len(targets):
        raise not_scored(unscored[0], select.criterion)
    if not found:
        raise UserError(
            f"the ranking takes no channel of the {len(targets)} layers named",
            where=where_of(scenario, "select.ratio", "select"),
            value=f"ratio {share:g}",
            hint="Give a larger ratio, or a smaller floor.",
        )
    return tuple(found), tuple(_told(select, share, len(gone) / len(named), whole, unscored, len(targets)))


def _told(select: Select, share: float, gone: float, whole: int, unscored: Sequence[str], named: int) -> Iterator[str]:
    if whole:
        yield f"the ranking leaves {whole} of the {named} layers named whole"
    if unscored:
        yield f"{select.criterion} says nothing of {', '.join(unscored)}: left whole"
    if gone < share - _UNEQUAL:
        yield f"a floor of {select.floor:g} leaves more than asked for: {gone:.1%} goes instead of {share:.1%}"
    if not criterion_named(select.criterion).comparable:
        yield (
            f"scores by {select.criterion} of different layers do not compare: a ranking of them takes nearly all of "
            "some layers; see docs/choosing.md"
        )
