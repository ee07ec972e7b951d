"""What experiments measured: the score at the end one way instead of another, all else equal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean

from yolo_prune_check.report.claims.evidence import Evidence
from yolo_prune_check.report.comparison.effects import Effect, effect_between
from yolo_prune_check.report.comparison.matrix import Comparison, final_score
from yolo_prune_check.report.figures import many
from yolo_prune_check.report.samples import difference
from yolo_prune_check.run.record import Record


@dataclass(frozen=True)
class Contrast:
    """The effect of one way instead of another, over all experiments that tried both.

    Attributes:
        effect: The difference, over pairs of scenarios that differ in nothing else; ``second`` less ``first``.
        measure: What the score is called.
        experiments: The experiments.
    """

    effect: Effect
    measure: str
    experiments: tuple[Comparison, ...]

    @property
    def is_better(self) -> bool:
        """Whether the second way scores higher by more than the spread."""
        return self.effect.is_clear and self.effect.difference.mean > 0

    @property
    def words(self) -> str:
        """The numbers: ``mAP50-95 changes by +0.004 ± 0.010 (27 pairs), within the spread``."""
        sample = self.effect.difference
        if sample.spread is None:
            how = "of which no spread is known"
        else:
            how = "more than the spread" if self.effect.is_clear else "within the spread"
        return f"{self.measure} changes by {difference(sample)} ({many(sample.n, 'pair')}), {how}"


def contrast(evidence: Evidence, axis: str, way: Callable[[Record], str], first: str, second: str) -> Contrast | None:
    """Compare two ways in all experiments that have both; None if none has.

    Args:
        evidence: The records.
        axis: The field that decides the way. Axes of this name, or of parts of it, are not among what must be equal.
        way: Which way a record goes.
        first: One way.
        second: The other.
    """
    scores: dict[str, dict[tuple[str, ...], list[float]]] = {first: {}, second: {}}
    used: list[Comparison] = []
    for number, comparison in enumerate(evidence.experiments):
        others = [name for name in (*comparison.axes, *comparison.seeds) if name.partition(".")[0] != axis]
        ways = set()
        for record in comparison.records:
            score = final_score(record)
            if score is not None and way(record) in scores:
                ways.add(way(record))
                rest = (str(number), *(record.axes[name] for name in others))
                scores[way(record)].setdefault(rest, []).append(score)
        if len(ways) == 2:
            used.append(comparison)
    means = {each: {rest: fmean(known) for rest, known in found.items()} for each, found in scores.items()}
    effect = effect_between(axis, first, second, means)
    return None if effect is None or not used else Contrast(effect, used[0].measure, tuple(used))


def order(record: Record) -> str:
    """In which order a record prunes."""
    return record.order


def schedule(record: Record) -> str:
    """By which schedule."""
    return record.schedule


NO_TRAINING, AFTER_EACH, AFTER_LAST = "none", "each", "last"


def training(record: Record) -> str:
    """Whether, and when, a record trains."""
    if record.fine_tune is None:
        return NO_TRAINING
    return AFTER_LAST if "after the last step" in record.fine_tune else AFTER_EACH
