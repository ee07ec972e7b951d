"""What one axis of a matrix changes, all else equal: differences between records that differ in nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from yolo_prune_check.report.comparison.dependence import Dependence, dependence_of
from yolo_prune_check.report.comparison.matrix import Comparison, condition_of, outcome
from yolo_prune_check.report.paired import Condition, Difference, Outcome, compare, corrected


@dataclass(frozen=True)
class Effect:
    """How the score at the end changes where an axis has one value instead of another.

    Attributes:
        axis: The axis.
        first: Its one value.
        second: Its other value.
        difference: Score with the second less score with the first, over all pairs of records that agree in every
            other axis, seeds among them; its p is corrected for all two values of the axis.
        dependence: The same by the values of the other axis whose values differ most; None if there is no other.
    """

    axis: str
    first: str
    second: str
    difference: Difference
    dependence: Dependence | None

    @property
    def turns(self) -> bool:
        """Whether it has opposite signs with two values of another axis, so that its mean says little."""
        return self.dependence is not None and self.dependence.turns


def effects_of(comparison: Comparison, axis: str) -> tuple[Effect, ...]:
    """The effects of each two values of an axis; of values that no pair of measured records has, none."""
    found: dict[str, dict[Condition, Outcome]] = {value: {} for value in comparison.values(axis)}
    others = tuple(name for name in comparison.axes if name != axis)
    for record in comparison.records:
        known = outcome(record)
        if known is not None:
            found[record.axes[axis]][condition_of(record, others, comparison.seeds)] = known
    pairs = [
        (one, other, difference)
        for one, other in combinations(found, 2)
        if (difference := compare(found[one], found[other])) is not None
    ]
    held = corrected([difference for _, _, difference in pairs])
    return tuple(
        Effect(axis, one, other, difference, dependence_of(found[one], found[other]))
        for (one, other, _), difference in zip(pairs, held, strict=True)
    )


def largest(effects: Sequence[Effect]) -> Effect | None:
    """The effect with the largest mean difference, either way; of those that are clear, or turn, if any does."""
    return max(effects, key=_size, default=None)


def _size(effect: Effect) -> tuple[bool, float]:
    sample = effect.difference.sample
    if effect.turns and effect.dependence is not None:
        return True, effect.dependence.range / 2
    return effect.difference.is_clear, -1.0 if sample is None else abs(sample.mean)
