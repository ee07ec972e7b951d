"""Prune each layer alone, or all that is tied together, at several ratios, and measure what that costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.channels.prediction import Prediction
from yolo_prune_check.confirm.compare import describe
from yolo_prune_check.errors import UserError
from yolo_prune_check.run.measured import Measurements
from yolo_prune_check.run.sensitivity_record import Per, Point, Sensitivity, UnitRecord
from yolo_prune_check.run.trial import Bench, Trial
from yolo_prune_check.scores import loss
from yolo_prune_check.select.everywhere import plan_without
from yolo_prune_check.select.ranking import Scores as Worth
from yolo_prune_check.select.ranking import share_of
from yolo_prune_check.select.units import settled, union, units_of
from yolo_prune_check.select.worth import group_worth
from yolo_prune_check.spec.part import Part


@dataclass(frozen=True)
class Wanted:
    """What is to be found out.

    Attributes:
        per: ``layer``: each alone, by execution ``mask``; ``group``: each with all that is tied to it, by ``group``.
        ratios: Shares of the channels that go, ascending, above 0 and below 1.
        criterion: Which channels these are: the least important by it.
        part: The val images that it is measured on.
        seed: Of the criterion.
    """

    per: Per
    ratios: tuple[float, ...]
    criterion: str
    part: Part
    seed: int = 0


@dataclass(frozen=True)
class _Case:
    """A unit at one ratio.

    Attributes:
        plan: By the execution that is measured.
        costs: By that of which costs are counted.
        whole_parts: How many heads or conv groups go of which nothing less can.
    """

    unit: UnitRecord
    ratio: float
    plan: Plan
    costs: Plan
    whole_parts: int = 0


def sensitivity_of(
    graph: ChannelGraph, scores: dict[str, Worth], bench: Bench, wanted: Wanted, measured: Measurements
) -> Sensitivity:
    """Measure all points that are not kept yet.

    Args:
        graph: Of the untouched model.
        scores: By layer, [channels], by the criterion.
        bench: The model and the data.
        wanted: What is to be found out.
        measured: What was measured before, which takes what is measured now.

    Raises:
        UserError: Nothing can be pruned; or see ``Measurements.of``.
    """
    whole = predict(graph, Plan())
    cases = list(_of_layers(graph, scores, wanted) if wanted.per == "layer" else _of_groups(graph, scores, wanted))
    if not cases:
        raise UserError("nothing of this model can be pruned", where=bench.model)
    points = [_foretold(graph, whole, case) for case in cases]
    todo = [index for index, point in enumerate(points) if point.status == "measured"]
    parts = (wanted.part,)
    trials = [Trial(bench, Plan(), parts), *(Trial(bench, cases[index].plan, parts) for index in todo)]
    title = f"measure {len(trials)} models on part {wanted.part} of the val images"
    (dense,), *found = measured.of(trials, title)
    for index, (pruned,) in zip(todo, found, strict=True):
        points[index] = replace(points[index], scores=pruned, drop=loss(dense, pruned))
    units = dict[str, UnitRecord]()
    for case, point in zip(cases, points, strict=True):
        known = units.setdefault(case.unit.name, case.unit)
        units[case.unit.name] = replace(known, points=(*known.points, point))
    return Sensitivity(
        model=bench.model,
        data=bench.data,
        imgsz=bench.imgsz,
        per=wanted.per,
        criterion=wanted.criterion,
        ratios=wanted.ratios,
        val_part=str(wanted.part),
        images=bench.images(wanted.part),
        seed=wanted.seed,
        device=bench.device,
        dense=dense,
        macs=whole.macs or 0,
        params=whole.params,
        units=tuple(units.values()),
        left_out=tuple(name for name in graph.layers if name not in scores),
    )


def _of_layers(graph: ChannelGraph, scores: dict[str, Worth], wanted: Wanted) -> Iterator[_Case]:
    for name, layer in graph.layers.items():
        if name not in scores:
            continue
        unit = UnitRecord(name, (name,), layer.out_channels, ())
        order = np.argsort(scores[name], kind="stable")
        for ratio in wanted.ratios:
            gone = share_of(layer.out_channels, Decimal(repr(ratio)))
            steps = [Step(name, sorted(order[gone:].tolist()))] if gone else []
            yield _Case(unit, ratio, Plan(steps, "mask"), Plan(steps, "adapter"))


def _of_groups(graph: ChannelGraph, scores: dict[str, Worth], wanted: Wanted) -> Iterator[_Case]:
    worth = group_worth(graph, scores, wanted.criterion)
    for found in units_of(graph):
        if not any(layer in scores for layer in found.layers):
            continue
        unit = UnitRecord(found.name, found.layers, found.size, (), found.whole_parts)
        for ratio in wanted.ratios:
            groups = found.least(worth, ratio)
            plan = settled(graph, plan_without(graph, groups, worth, round_to=None))
            yield _Case(unit, ratio, plan, plan, found.whole_parts_in(groups))


def _foretold(graph: ChannelGraph, whole: Prediction, case: _Case) -> Point:
    """The point before anything is measured: only what is predicted to be safe will be."""
    removed = sum(graph.layers[step.layer].out_channels - len(step.keep) for step in case.plan.steps)
    if not removed:
        return Point(case.ratio, "unchanged", 0, drop=0.0, macs_cut=0.0, params_cut=0.0)
    prediction = predict(graph, case.plan)
    if prediction.verdict != "safe":
        return Point(case.ratio, "unsafe", removed, reason=why_unsafe(prediction), whole_parts=case.whole_parts)
    costs = prediction if case.costs == case.plan else predict(graph, case.costs)
    known = costs.verdict == "safe"
    return Point(
        case.ratio,
        "measured",
        removed,
        macs_cut=1 - costs.macs / whole.macs if known and costs.macs is not None and whole.macs else None,
        params_cut=1 - costs.params / whole.params if known else None,
        whole_parts=case.whole_parts,
    )


def why_unsafe(prediction: Prediction) -> str:
    """Why a plan that is predicted to be unsafe is, in one sentence."""
    if prediction.failure is not None:
        return f"the model {describe(prediction.failure)}"
    errors = [hazard.message for hazard in prediction.hazards if hazard.severity == "error"]
    return errors[0] if errors else str(prediction.unknown)


def largest_within(found: Sensitivity, threshold: float) -> dict[str, float]:
    """For each unit the largest ratio of which the own drop is at most the threshold; units without one are left out.

    A larger threshold gives each unit the same ratio or a larger one.
    """
    chosen = dict[str, float]()
    for unit in found.units:
        fits = [point.ratio for point in unit.known if point.drop is not None and point.drop <= threshold]
        if fits:
            chosen[unit.name] = max(fits)
    return chosen


def thresholds(found: Sensitivity) -> tuple[float, ...]:
    """The drops at which ``largest_within`` changes, ascending."""
    drops = {point.drop for point in found.points if point.drop is not None and point.removed}
    return tuple(sorted(drops))


def union_plan(graph: ChannelGraph, scores: dict[str, Worth], criterion: str) -> Callable[[dict[str, float]], Plan]:
    """From a ratio for each unit, by name, to the plan that prunes all of them so."""
    worth = group_worth(graph, scores, criterion)
    units = {unit.name: unit for unit in units_of(graph)}

    def plan(ratios: dict[str, float]) -> Plan:
        gone = union(units[name].least(worth, ratio) for name, ratio in ratios.items())
        return settled(graph, plan_without(graph, gone, worth, round_to=None))

    return plan
