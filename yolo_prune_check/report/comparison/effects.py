"""What one axis of a matrix changes, all else equal: differences between records that differ in nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from yolo_prune_check.report.comparison.matrix import Comparison, outcome
from yolo_prune_check.report.paired import Difference, Outcome, compare, corrected


@dataclass(frozen=True)
class Effect:
    """How the score at the end changes where an axis has one value instead of another.

    Attributes:
        axis: The axis.
        first: Its one value.
        second: Its other value.
        difference: Score with the second less score with the first, over all pairs of records that agree in every
            other axis, seeds among them; its p is corrected for all two values of the axis.
    """

    axis: str
    first: str
    second: str
    difference: Difference


def effects_of(comparison: Comparison, axis: str) -> tuple[Effect, ...]:
    """The effects of each two values of an axis; of values that no pair of measured records has, none."""
    found: dict[str, dict[tuple[str, ...], Outcome]] = {value: {} for value in comparison.values(axis)}
    others = [name for name in (*comparison.axes, *comparison.seeds) if name != axis]
    for record in comparison.records:
        known = outcome(record)
        if known is not None:
            found[record.axes[axis]][tuple(record.axes[name] for name in others)] = known
    pairs = [
        (one, other, difference)
        for one, other in combinations(found, 2)
        if (difference := compare(found[one], found[other])) is not None
    ]
    held = corrected([difference for _, _, difference in pairs])
    return tuple(Effect(axis, one, other, held[index]) for index, (one, other, _) in enumerate(pairs))


def largest(effects: Sequence[Effect]) -> Effect | None:
    """The effect with the largest mean difference, either way; of those that are clear, if any is."""
    return max(effects, key=_size, default=None)


def _size(effect: Effect) -> tuple[bool, float]:
    sample = effect.difference.sample
    return effect.difference.is_clear, -1.0 if sample is None else abs(sample.mean)
