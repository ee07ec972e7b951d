"""What follows from a comparison, in sentences. Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from yolo_prune_check.report import figures
from yolo_prune_check.report.comparison.effects import Effect, effects_of, largest
from yolo_prune_check.report.comparison.matrix import Combination, Comparison
from yolo_prune_check.report.comparison.standing import Standing
from yolo_prune_check.report.markdown import code
from yolo_prune_check.report.samples import difference, score

_NAMED = 2
"""More tied combinations than this are only counted in a sentence; the table marks them."""


def conclusion(comparison: Comparison, standing: Standing) -> str:
    """Which combination is best, in one sentence."""
    said = f"{_standing(comparison, standing)}{_barred(comparison, standing)}."
    if all(record.metrics.blind for record in comparison.records):
        return f"The untouched model knows next to nothing of this data, so that no score here says anything. {said}"
    return said


def _standing(comparison: Comparison, standing: Standing) -> str:
    leader, measure = standing.leader, comparison.measure
    if leader is None:
        return "No combination can be called best: none is safe with every seed and measured at the end"
    scored = f"{measure} {score(leader.final)}"
    others = len(standing.candidates) - 1
    if not others:
        return f"Only {name(leader)} is safe with every seed: {scored}"
    if len(standing.tied) == others:
        both = "Both combinations are" if others == 1 else f"All {others + 1} combinations that can win are"
        highest = f"the highest {measure} at the end is {score(leader.final)}, of {name(leader)}"
        return f"{both} tied, so that none is best: {highest}"
    if not standing.repeated:
        scored = f"{name(leader)} has the highest {measure} at the end, {score(leader.final)}"
        return f"{scored}; with a single seed it is not known whether that is chance"
    tied = f"tied with {_names(standing.tied)}" if standing.tied else "tied with no other"
    beaten = others - len(standing.tied)
    return (
        f"{name(leader)} is best: {measure} {score(leader.final)} at the end, {tied}, and better than "
        f"{'the other' if beaten == 1 else f'the other {beaten}'} by more than the spread"
    )


def _barred(comparison: Comparison, standing: Standing) -> str:
    number = len(comparison.combinations) - len(standing.candidates)
    if not number or not standing.candidates:
        return ""
    return f"; {number} cannot win, being unsafe, partial, or without a score at the end"


def effect_sentence(comparison: Comparison, axis: str) -> str:
    """What an axis changes, by the largest of its effects."""
    effects = effects_of(comparison, axis)
    most = largest(effects)
    if most is None:
        why = "no two records that differ in nothing else have scores at the end"
        return f"What {code(axis)} changes is not known: {why}."
    sample = most.difference
    how = (
        f"{code(most.second)} instead of {code(most.first)} changes {comparison.measure} by {difference(sample)} "
        f"({figures.many(sample.n, 'pair')})"
    )
    if sample.spread is None:
        return f"{how}: one pair, of which no spread is known."
    if most.is_clear:
        return f"{code(axis)} matters: {how}, more than the spread."
    return f"{code(axis)} makes no difference that is larger than its spread: {how} at most."


def effect_rows(effects: Sequence[Effect]) -> list[list[str]]:
    """A row for each effect: its values, mean difference, in how many pairs the second is higher, how to take it."""
    return [
        [
            f"{code(effect.first)} → {code(effect.second)}",
            difference(effect.difference),
            figures.count(effect.difference.n),
            figures.of(effect.higher, effect.difference.n),
            _taken_as(effect),
        ]
        for effect in effects
    ]


def _taken_as(effect: Effect) -> str:
    if effect.difference.spread is None:
        return "a single pair"
    return "more than the spread" if effect.is_clear else "within the spread"


def name(combination: Combination) -> str:
    """A combination as it is named in a sentence."""
    return code(combination.label) if combination.values else "the plan"


def _names(combinations: Sequence[Combination]) -> str:
    if len(combinations) > _NAMED:
        return figures.many(len(combinations), "other")
    return " and ".join(map(name, combinations))
