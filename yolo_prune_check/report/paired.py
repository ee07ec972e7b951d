"""What pairs of measurements tell: by how much one way differs from another, and whether chance could do as much.

The one rule of "different" in all pages: a two-sided t-test at 5 % of what each seed gives on average over its pairs,
with Holm's correction where several pairs of ways are compared at once. Pairs of one seed are no repetitions: they
share images and models, so that taking each for a measurement of its own would find differences that are chance. What
is "best" or "tied" is told by ``leading``.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Final

from yolo_prune_check.report import figures
from yolo_prune_check.report.samples import Sample
from yolo_prune_check.report.samples import difference as with_spread

LEVEL: Final = 0.05
"""What differs by chance is called different this often, over all comparisons that are made at once."""
SMALL: Final = 0.01
"""A difference of scores that does not matter."""
ALIKE: Final = 0.0005
"""A difference of scores that is not printed."""
_DIGITS: Final = 9
"""Decimals of a difference; what is beyond comes from the rounding of floats."""


@dataclass(frozen=True)
class Outcome:
    """A score, and what tells its model from others: two of the same ``model`` are one measurement, made twice."""

    score: float
    model: Hashable


@dataclass(frozen=True)
class Condition:
    """All that must be equal in a pair.

    Attributes:
        seed: What repeats the measurement, as the seed does: the unit of the test.
        axes: Values of the other axes, by their names.
        rest: What else must be equal.
    """

    seed: Hashable
    axes: tuple[tuple[str, str], ...] = ()
    rest: Hashable = None


Outcomes = Mapping[Condition, Outcome]
Pair = tuple[Outcome, Outcome]


@dataclass(frozen=True)
class Difference:
    """What a second way changes, over pairs that differ in nothing else.

    Attributes:
        sample: Score of the second less that of the first, one number for each seed: the mean over the seed's pairs.
            None where no pair can tell.
        higher: With how many of these seeds the second scores higher.
        pairs: Over how many pairs these are the means.
        pairs_higher: In how many of these the second scores higher.
        equal: Pairs left out because both ended alike: in the same model, which cannot tell.
        copies: Pairs left out because they are copies of another, of the same seed or as all pairs of theirs.
        p: How often chance alone makes at least as much of a difference; None of fewer than two seeds.
        unit: What repeats the measurement, in a word.
    """

    sample: Sample | None
    higher: int
    pairs: int
    pairs_higher: int
    equal: int
    copies: int
    p: float | None
    unit: str = "seed"

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the mean difference, by Student's t, for this comparison alone; None where p is."""
        if self.sample is None or self.sample.spread is None:
            return None
        from scipy.special import stdtrit  # here, so that the command line starts without NumPy

        freedom, error = self.sample.n - 1, self.sample.spread / math.sqrt(self.sample.n)
        half = float(stdtrit(freedom, 1 - LEVEL / 2)) * error
        return self.sample.mean - half, self.sample.mean + half

    @property
    def is_clear(self) -> bool:
        """Whether it is more than chance makes."""
        return self.p is not None and self.p < LEVEL and self.sample is not None and abs(self.sample.mean) >= ALIKE

    @property
    def is_small(self) -> bool:
        """Whether the whole interval lies within what does not matter: a test of equivalence."""
        return self.interval is not None and self.interval[0] > -SMALL and self.interval[1] < SMALL

    @property
    def words(self) -> str:
        """The numbers: ``+0.004 ± 0.002 (3 seeds, 20 of 27 pairs higher, 95 % interval 0.000 to +0.008, p = …)``."""
        if self.sample is None:
            return f"nothing ({self.left_out})"
        told = [figures.many(self.sample.n, self.unit)]
        if self.pairs > self.sample.n:
            told.append(f"{figures.of(self.pairs_higher, self.pairs)} pairs higher")
        elif self.sample.n > 1:
            told.append(f"{figures.of(self.higher, self.sample.n)} higher")
        if self.interval is not None:
            told += [f"95 % interval {between(self.interval)}", chance(self.p)]
        return f"{with_spread(self.sample)} ({', '.join(told)})"

    @property
    def left_out(self) -> str:
        """How many pairs were left out, and why; nothing where none was."""
        told = not_counted(self.equal, self.copies)
        return f"left out: {told}" if told else ""


def not_counted(equal: int, copies: int) -> str:
    """Pairs that tell nothing, and why: ``9 pairs that ended alike, and 1 pair that is a copy of another``."""
    told = []
    if equal:
        told.append(f"{figures.many(equal, 'pair')} that ended alike")
    if copies:
        told.append(f"{figures.many(copies, 'pair')} that {'is a copy' if copies == 1 else 'are copies'} of another")
    return ", and ".join(told)


def compare(first: Outcomes, second: Outcomes, unit: str = "seed") -> Difference | None:
    """The difference of two ways, over what both were tried on; None where that is nothing.

    Args:
        first: By all that must be equal in a pair what came of the one way.
        second: What came of the other.
        unit: What the conditions' seeds are called.
    """
    shared = [condition for condition in first if condition in second]
    if not shared:
        return None
    equal = sum(first[condition] == second[condition] for condition in shared)
    own = list({frozenset(pairs): pairs for pairs in pairs_by_seed(first, second).values()}.values())
    sample = Sample.of(map(mean_change, own))
    changes = [change(pair) for pairs in own for pair in pairs]
    return Difference(
        sample=sample,
        higher=sum(mean_change(pairs) > 0 for pairs in own),
        pairs=len(changes),
        pairs_higher=sum(each > 0 for each in changes),
        equal=equal,
        copies=len(shared) - equal - len(changes),
        p=_p(sample),
        unit=unit,
    )


def pairs_by_seed(first: Outcomes, second: Outcomes) -> dict[Hashable, tuple[Pair, ...]]:
    """Of each seed the pairs that can tell two ways apart, copies once; no seed of which no pair can."""
    found: dict[Hashable, dict[Pair, None]] = {}
    for condition, one in first.items():
        other = second.get(condition)
        if other is not None and other != one:
            found.setdefault(condition.seed, {})[one, other] = None
    return {seed: tuple(pairs) for seed, pairs in found.items()}


def change(pair: Pair) -> float:
    """The second's score less that of the first."""
    one, other = pair
    return round(other.score - one.score, _DIGITS)


def mean_change(pairs: Sequence[Pair]) -> float:
    """What a seed says: the mean over its pairs, of which there is at least one."""
    return round(fmean(map(change, pairs)), _DIGITS)


def corrected(found: Sequence[Difference]) -> tuple[Difference, ...]:
    """The same differences with p by Holm's correction, over those that can be tested at all.

    Two that are equal to the last digit, as where two ways make the same models, are one test.
    """
    different = list(dict.fromkeys(found))
    tested = sorted((each.p, index) for index, each in enumerate(different) if each.p is not None)
    given, least = list(different), 0.0
    for rank, (p, index) in enumerate(tested):
        least = max(least, min(1.0, p * (len(tested) - rank)))
        given[index] = replace(given[index], p=least)
    return tuple(given[different.index(each)] for each in found)


def between(interval: tuple[float, float]) -> str:
    """An interval of differences as it is printed."""
    low, high = interval
    return f"{figures.difference(0.0, low)} to {figures.difference(0.0, high)}"


def chance(p: float | None) -> str:
    """A p as it is printed: ``p = 0.021``, ``p < 0.001``."""
    if p is None:
        return ""
    return "p < 0.001" if p < 0.001 else f"p = {figures.score(p)}"


def _p(sample: Sample | None) -> float | None:
    if sample is None or sample.spread is None:
        return None
    if sample.spread == 0:
        return 1.0 if sample.mean == 0 else 0.0
    from scipy.special import stdtr

    t = abs(sample.mean) / (sample.spread / math.sqrt(sample.n))
    return float(2 * stdtr(sample.n - 1, -t))
