"""What one axis of a matrix changes, all else equal: differences between records that differ in nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

from yolo_prune_check.report.comparison.matrix import Comparison, final_score
from yolo_prune_check.report.samples import Sample


@dataclass(frozen=True)
class Effect:
    """How the score at the end changes where an axis has one value instead of another.

    Attributes:
        axis: The axis.
        first: Its one value.
        second: Its other value.
        difference: Score with the second less score with the first, over all pairs of records that agree in every
            other axis, seeds among them.
        higher: In how many of these pairs the second scores higher.
    """

    axis: str
    first: str
    second: str
    difference: Sample
    higher: int

    @property
    def is_clear(self) -> bool:
        """Whether the mean difference is larger than the spread of the differences."""
        spread = self.difference.spread
        return spread is not None and abs(self.difference.mean) > spread


def effects_of(comparison: Comparison, axis: str) -> tuple[Effect, ...]:
    """The effects of each two values of an axis; of values that no pair of measured records has, none."""
    scores: dict[str, dict[tuple[str, ...], float]] = {value: {} for value in comparison.values(axis)}
    others = [name for name in (*comparison.axes, *comparison.seeds) if name != axis]
    for record in comparison.records:
        score = final_score(record)
        if score is not None:
            scores[record.axes[axis]][tuple(record.axes[name] for name in others)] = score
    found = (effect_between(axis, one, other, scores) for one, other in combinations(scores, 2))
    return tuple(effect for effect in found if effect is not None)


def effect_between(
    axis: str, first: str, second: str, scores: dict[str, dict[tuple[str, ...], float]]
) -> Effect | None:
    """The effect of one value instead of another.

    Args:
        axis: The axis.
        first: One value.
        second: The other.
        scores: For each value, the score at the end by the values of all other axes.
    """
    one, other = scores[first], scores[second]
    differences = [other[rest] - one[rest] for rest in sorted(one.keys() & other.keys())]
    sample = Sample.of(differences)
    return None if sample is None else Effect(axis, first, second, sample, sum(each > 0 for each in differences))


def largest(effects: tuple[Effect, ...]) -> Effect | None:
    """The effect with the largest mean difference, either way; of those that are clear, if any is."""
    return max(effects, key=lambda effect: (effect.is_clear, abs(effect.difference.mean)), default=None)
