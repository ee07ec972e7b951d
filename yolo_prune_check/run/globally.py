"""One ranking of all layers that a scenario names, made before its first step."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from yolo_prune_check.errors import UserError
from yolo_prune_check.model.layers import layers_of
from yolo_prune_check.progress import Progress
from yolo_prune_check.run.baseline import Baseline
from yolo_prune_check.run.resolve import Target, where_of
from yolo_prune_check.select.choose import evidence_of, without_data
from yolo_prune_check.select.criteria import score
from yolo_prune_check.select.ranked import ranked
from yolo_prune_check.select.worth import group_worth, groups_of
from yolo_prune_check.spec.schema import Scenario


def ranked_targets(
    scenario: Scenario, baseline: Baseline, targets: tuple[Target, ...], shown: Progress, *, predict_only: bool
) -> tuple[tuple[Target, ...], tuple[str, ...]]:
    """With `scope: global`, the targets with the channels that one ranking of all of them leaves, and notes on it.

    The ranking is made once, on the untouched model. A layer of which nothing goes is no target any more.
    """
    select, stand_in = without_data(scenario.select) if predict_only else (scenario.select, {})
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
            found.append(Target(target.layer, keep, tuple(worth[own].tolist()), {"k": len(keep), **stand_in}))
    if not found:
        raise UserError(
            f"the ranking takes no channel of the {len(targets)} layers named",
            where=where_of(scenario),
            value=f"ratio {select.share:g}",
            hint="Give a larger ratio, or a smaller floor.",
        )
    notes = (f"the ranking leaves {whole} of the {len(targets)} layers named whole",) if whole else ()
    return tuple(found), notes
