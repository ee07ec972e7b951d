"""What follows from a comparison, in sentences. Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from yolo_prune_check.report import figures
from yolo_prune_check.report.comparison.effects import Effect, effects_of, largest
from yolo_prune_check.report.comparison.matrix import Combination, Comparison
from yolo_prune_check.report.comparison.standing import Standing
from yolo_prune_check.report.markdown import NONE, code
from yolo_prune_check.report.paired import SMALL, Difference, between, chance, not_counted
from yolo_prune_check.report.samples import difference, score

_UNEQUAL = 0.01
"""From this share of the MACs or parameters on, two combinations removed unequally much."""
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
    if standing.all_tied:
        both = "Both combinations are" if others == 1 else f"All {others + 1} combinations that can win are"
        highest = f"the highest {measure} at the end is {score(leader.final)}, of {name(leader)}"
        return f"{both} tied, so that none is best: {highest}"
    if not standing.repeated:
        scored = f"{name(leader)} has the highest {measure} at the end, {score(leader.final)}"
        once = "since every seed made the same models" if comparison.seeds else "with a single seed"
        return f"{scored}; {once} it is not known whether that is chance"
    if standing.tied:
        scored = f"{name(leader)} has the highest {measure} at the end, {score(leader.final)}"
        return f"None is best: {scored}, but cannot be told from {_names(standing.tied)}"
    beaten = "the other" if others == 1 else f"each of the other {others}"
    return (
        f"{name(leader)} is best: {measure} {score(leader.final)} at the end, better than {beaten} by more than "
        f"chance ({chance(standing.p)})"
    )


def _barred(comparison: Comparison, standing: Standing) -> str:
    number = len(comparison.combinations) - len(standing.candidates)
    if not number or not standing.candidates:
        return ""
    return f"; {number} cannot win, being unsafe, partial, or without a score at the end"


def unequal_cuts(comparison: Comparison) -> str:
    """That combinations of one execution removed unequally much, in one sentence; nothing if they removed the same."""
    told = []
    executions = list(dict.fromkeys(record.execution for record in comparison.records))
    for execution in executions:
        those = [each for each in comparison.combinations if each.records[0].execution == execution]
        ranges = [
            f"{figures.percent(min(shares))} to {figures.percent(max(shares))} of the {what}"
            for what, shares in (
                ("MACs", [each.macs.mean for each in those if each.macs]),
                ("parameters", [each.params.mean for each in those if each.params]),
            )
            if shares and max(shares) - min(shares) >= _UNEQUAL
        ]
        if ranges:
            told.append(" and ".join(ranges) + (f" by {code(execution)}" if len(executions) > 1 else ""))
    if not told:
        return ""
    return f"Not all removed equally much, {'; '.join(told)} are left: a higher score may only mean that less went."


def effect_sentence(comparison: Comparison, axis: str) -> str:
    """What an axis changes, by the largest of its effects."""
    effects = effects_of(comparison, axis)
    most = largest(effects)
    if most is None:
        why = "no two records that differ in nothing else have scores at the end"
        return f"What {code(axis)} changes is not known: {why}."
    return f"{_found(comparison, axis, most, effects)}{_left_out(effects)}"


def _found(comparison: Comparison, axis: str, most: Effect, effects: Sequence[Effect]) -> str:
    found = most.difference
    if found.sample is None:
        return f"{code(axis)} changes nothing here: both scenarios of every pair ended alike."
    which = f"{code(most.second)} instead of {code(most.first)}"
    if most.dependence is not None and most.turns:
        return (
            f"What {code(axis)} changes depends on {code(most.dependence.axis)}: {which} changes {comparison.measure} "
            f"by {most.dependence.words}. Over all values it is {found.words}, which is the mean of two things."
        )
    how = f"{which} changes {comparison.measure} by {found.words}"
    if found.p is None:
        return f"{how}: measured once, so that it is not known what chance makes."
    if found.is_clear:
        if found.is_small:
            return (
                f"{code(axis)} changes little: {how}, which is more than chance and less than {figures.score(SMALL)}."
            )
        return f"{code(axis)} matters: {how}, which is more than chance."
    measured = sum(effect.difference.sample is not None for effect in effects)
    alone = measured == 1
    if not alone:
        how = f"the largest of {measured} mean differences of {comparison.measure}, {which}, is {found.words}"
    if all(effect.difference.is_small for effect in effects):
        within = f"{'the' if alone else 'every'} interval lies within ±{figures.score(SMALL)}"
        return f"{code(axis)} makes no difference of {figures.score(SMALL)} or more: {how}, and {within}."
    return f"Whether {code(axis)} matters cannot be told from this: {how}, which chance could make."


def _left_out(effects: Sequence[Effect]) -> str:
    """What no effect counts, and why."""
    equal = sum(effect.difference.equal for effect in effects)
    copies = sum(effect.difference.copies for effect in effects)
    told = not_counted(equal, copies)
    return f" Not counted: {told}." if told else ""


def effect_rows(effects: Sequence[Effect]) -> list[list[str]]:
    """A row for each effect: its values, mean difference, interval, p, how many are higher, how to take it."""
    return [_effect_row(effect) for effect in effects]


def _effect_row(effect: Effect) -> list[str]:
    found = effect.difference
    changed, interval, *higher = _numbers(found)
    p = chance(found.p).removeprefix("p = ").removeprefix("p ") or NONE
    return [_pair(effect), changed, interval, p, *higher, _taken_as(effect)]


def part_rows(effects: Sequence[Effect]) -> list[list[str]]:
    """A row for each effect and each value of the other axis whose values differ most: the numbers of these pairs."""
    return [
        [_pair(effect), f"{code(dependence.axis)} {code(part.value)}", *_numbers(part.difference)]
        for effect in effects
        if (dependence := effect.dependence) is not None and effect.difference.sample is not None
        for part in dependence.parts
    ]


def _pair(effect: Effect) -> str:
    return f"{code(effect.first)} → {code(effect.second)}"


def _numbers(found: Difference) -> list[str]:
    """Mean difference, interval, and of how many seeds and of how many pairs the second is higher."""
    if found.sample is None:
        return [NONE, NONE, NONE, NONE]
    return [
        difference(found.sample),
        NONE if found.interval is None else between(found.interval),
        figures.of(found.higher, found.sample.n),
        figures.of(found.pairs_higher, found.pairs),
    ]


def _taken_as(effect: Effect) -> str:
    found = effect.difference
    if found.sample is None:
        return "ended alike"
    if effect.dependence is not None and effect.turns:
        return f"depends on {code(effect.dependence.axis)}"
    if found.p is None:
        return "measured once"
    if found.is_small:
        return f"less than {figures.score(SMALL)}"
    return "different" if found.is_clear else "not told apart"


def name(combination: Combination) -> str:
    """A combination as it is named in a sentence."""
    return code(combination.label) if combination.values else "the plan"


def _names(combinations: Sequence[Combination]) -> str:
    if len(combinations) > _NAMED:
        return figures.many(len(combinations), "other")
    return " and ".join(map(name, combinations))
