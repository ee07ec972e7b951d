"""What experiments measured: the score at the end one way instead of another, all else equal."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from statistics import fmean

from yolo_prune_check.report.claims.evidence import Evidence
from yolo_prune_check.report.claims.ruling import Verdict
from yolo_prune_check.report.comparison.dependence import Dependence, dependence_of
from yolo_prune_check.report.comparison.matrix import Comparison, condition_of, outcome
from yolo_prune_check.report.figures import score
from yolo_prune_check.report.markdown import code
from yolo_prune_check.report.paired import SMALL, Condition, Difference, Outcome, compare
from yolo_prune_check.run.record import Record


@dataclass(frozen=True)
class Contrast:
    """The effect of one way instead of another, over all experiments that tried both.

    Attributes:
        difference: Over pairs of scenarios that differ in nothing else; the second way less the first.
        dependence: The same by the values of the other axis whose values differ most; None if there is no other.
        measure: What the score is called.
        experiments: The experiments.
    """

    difference: Difference
    dependence: Dependence | None
    measure: str
    experiments: tuple[Comparison, ...]

    @property
    def words(self) -> str:
        """The numbers: ``mAP50-95 changes by +0.004 ± 0.010 (3 seeds, 20 of 27 pairs higher, …), not told apart``."""
        found = self.difference
        if found.sample is None:
            return f"no pair can tell, {found.left_out}"
        told = [f"{self.measure} changes by {found.words}", taken_as(found)]
        if self.turns and self.dependence is not None:
            told = [f"{told[0]}, which depends on {code(self.dependence.axis)}: by {self.dependence.words}"]
        return "; ".join(filter(None, [", ".join(told), found.left_out]))

    @property
    def turns(self) -> bool:
        """Whether it has opposite signs with two values of another axis."""
        return self.dependence is not None and self.dependence.turns

    @property
    def matters(self) -> Verdict:
        """Rule on "this matters": refuted only by an interval that lies within a small difference, not by a wide one.

        What goes up with one value of another axis and down with another matters, whatever the mean.
        """
        if self.turns:
            return Verdict.CONFIRMED
        if self.difference.is_small:
            return Verdict.REFUTED
        return Verdict.CONFIRMED if self.difference.is_clear else Verdict.UNDECIDED

    @property
    def is_better(self) -> Verdict:
        """Rule on "the second is better", which is neither true nor false of what turns."""
        return Verdict.UNDECIDED if self.turns else is_better(self.difference)


def taken_as(found: Difference) -> str:
    """What a difference shows, in words."""
    if found.p is None:
        return "measured once, so that it is not known what chance makes"
    if found.is_small:
        return f"less than {score(SMALL)}"
    return "more than chance" if found.is_clear else "not told apart"


def is_better(found: Difference) -> Verdict:
    """Rule on "the second is better": refuted where the whole interval lies below a small difference."""
    if found.interval is None:
        return Verdict.UNDECIDED
    if found.interval[1] < SMALL:
        return Verdict.REFUTED
    return Verdict.CONFIRMED if found.is_clear and found.interval[0] > 0 else Verdict.UNDECIDED


def contrast(
    evidence: Evidence,
    axis: str,
    way: Callable[[Record], str],
    first: str,
    second: str,
    alike: Callable[[Record], Hashable] = lambda _: None,
) -> Contrast | None:
    """Compare two ways in all experiments that have both; None if none has.

    Args:
        evidence: The records.
        axis: The field that decides the way. Axes of this name, or of parts of it, are not among what must be equal.
        way: Which way a record goes.
        first: One way.
        second: The other.
        alike: What else must be equal in a pair.
    """
    found: dict[str, dict[Condition, list[Outcome]]] = {first: {}, second: {}}
    used: list[Comparison] = []
    for number, comparison in enumerate(evidence.experiments):
        axes, seeds = (
            [name for name in names if name.partition(".")[0] != axis] for names in (comparison.axes, comparison.seeds)
        )
        tried: dict[str, set[Condition]] = {first: set(), second: set()}
        for record in comparison.records:
            known = outcome(record)
            if known is not None and way(record) in found:
                condition = condition_of(record, axes, seeds, (number, alike(record)))
                tried[way(record)].add(condition)
                found[way(record)].setdefault(condition, []).append(known)
        if tried[first] & tried[second]:
            used.append(comparison)
    one, other = ({condition: _together(known) for condition, known in found[each].items()} for each in (first, second))
    difference = compare(one, other)
    if difference is None:
        return None
    return Contrast(difference, dependence_of(one, other), used[0].measure, tuple(used))


def _together(outcomes: list[Outcome]) -> Outcome:
    """Of several records that go one way under the same conditions, the mean; copies are counted once."""
    different = list(dict.fromkeys(outcomes))
    return Outcome(fmean(each.score for each in different), frozenset(each.model for each in different))


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
