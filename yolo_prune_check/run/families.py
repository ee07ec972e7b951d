"""Two families of plans for a whole model, each in an order in which every plan removes what the one before does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.run.sensitivity import largest_within, thresholds, union_plan
from yolo_prune_check.run.sensitivity_record import Sensitivity
from yolo_prune_check.run.suggestion_record import Family
from yolo_prune_check.select.everywhere import plan_without
from yolo_prune_check.select.ranked import ranked
from yolo_prune_check.select.ranking import Scores as Worth
from yolo_prune_check.select.units import settled
from yolo_prune_check.select.worth import group_worth

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """Plans that remove more and more.

    Attributes:
        family: How they come about.
        settings: What each is made by; see ``Candidate.setting``.
        plan: From its place in the row to a plan by ``group``.
    """

    family: Family
    settings: tuple[float, ...]
    plan: Callable[[int], Plan]


def by_sensitivity(
    graph: ChannelGraph, scores: dict[str, Worth], criterion: str, found: Sensitivity, *, most: int
) -> Row:
    """Every unit loses the largest tested ratio of which the own drop is at most a threshold.

    Args:
        graph: Of the untouched model.
        scores: Of the channels, by layer, by the criterion.
        criterion: That of the measurement.
        found: What each unit's own drop is; by ``group``.
        most: Thresholds, evenly spread over all at which the plan changes.
    """
    plan = union_plan(graph, scores, criterion)
    settings = _spread(thresholds(found), most)
    return Row("sensitivity", settings, lambda place: plan(largest_within(found, settings[place])))


def by_ranking(graph: ChannelGraph, scores: dict[str, Worth], criterion: str, *, floor: float, most: int) -> Row:
    """The least important of all go, wherever they are, as far as each layer keeps its floor.

    Args:
        graph: Of the untouched model.
        scores: Of the channels, by layer, by the criterion.
        criterion: Whose they are.
        floor: Share of each layer's channels that stays at least.
        most: How many plans, evenly spread over what can go.
    """
    worth = group_worth(graph, scores, criterion)
    order = ranked(graph, worth, floor)(Decimal(1))
    counts = _spread(tuple(range(1, len(order) + 1)), most)

    def plan(place: int) -> Plan:
        return settled(graph, plan_without(graph, order[: counts[place]], worth, round_to=None))

    return Row("global", tuple(count / len(order) for count in counts), plan)


def _spread(values: tuple[T, ...], most: int) -> tuple[T, ...]:
    """At most so many of some values, evenly spread, the last among them."""
    if len(values) <= most:
        return values
    return tuple(values[(index + 1) * len(values) // most - 1] for index in range(most))
