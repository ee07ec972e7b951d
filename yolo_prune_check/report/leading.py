"""Which of several ways is best, and which cannot be told from it: the one rule of "best" and "tied" in all pages."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, variance
from typing import Final, Generic, TypeVar

from yolo_prune_check.report.paired import ALIKE, LEVEL, Outcome

_DIGITS: Final = 9
"""Decimals of a difference; what is beyond comes from the rounding of floats."""

Name = TypeVar("Name", bound=Hashable)
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Leading(Generic[Name]):
    """Which of several ways scores highest, and which of the others cannot be told from it.

    Attributes:
        leader: The one with the highest mean.
        tied: The others that the test does not tell from it.
        tested: Whether all were measured often enough to be tested; if not, ``tied`` are those that score alike.
        p: The largest p of its comparisons; None where nothing was tested.
    """

    leader: Name
    tied: tuple[Name, ...]
    tested: bool
    p: float | None


def leading(outcomes: Mapping[Name, Mapping[Key, Outcome]]) -> Leading[Name]:
    """Compare the one with the highest mean to each other one.

    By Tukey's range test (Tukey, "The problem of multiple comparisons", 1953), which holds for all pairs at once, and
    so for the highest, too. The seeds are its blocks: what all ways have in common with a seed is no difference between
    them. Chance is what is left, pooled over all ways. Ways that are clearly behind are set aside, and the others
    compared again by what is chance among them: a bad way has ups and downs that good ones have not. Where the
    differences of two ways vary more than what is pooled, these are taken instead, so that a way with ups and downs of
    its own is not best, or behind, by one of them.

    Seeds with which every way made the same models as with another count once, and so do ways that made the same models
    with every seed. A seed with which not all ways were tried is left out. A way with which all seeds made one model
    was measured once: it says nothing of chance, and two such ways cannot be told apart by it, so that nothing is
    tested where the highest and another are such.

    Args:
        outcomes: Of each way, what came of it by seed; of at least one way.
    """
    known = {name: own for name, own in outcomes.items() if own}
    first = next(iter(known.values()))
    seeds = [seed for seed in first if all(seed in own for own in known.values())]
    means = {name: fmean(own[seed].score for seed in seeds or own) for name, own in known.items()}
    leader = max(means, key=lambda name: means[name])
    behind = {name: means[leader] - means[name] for name in means if name != leader}
    blocks = list(dict.fromkeys(tuple(own[seed] for own in known.values()) for seed in seeds))
    rows = {name: tuple(block[index] for block in blocks) for index, name in enumerate(known)}
    ways = len(set(rows.values()))
    once = {name for name, row in rows.items() if len(set(row)) == 1}
    if len(blocks) < 2 or ways < 2 or (leader in once and len(once) > 1):
        return Leading(leader, tuple(name for name, gap in behind.items() if gap < ALIKE), tested=False, p=None)
    found, left = dict[Name, float](), list(behind)
    while left:
        chance = _pooled(list(dict.fromkeys(rows[name] for name in (leader, *left) if name not in once)))
        found |= {name: _p(rows[leader], rows[name], chance, ways) for name in left}
        still = [name for name in left if found[name] >= LEVEL or behind[name] < ALIKE]
        if still == left:
            break
        left = still
    return Leading(leader, tuple(left), tested=True, p=max(found.values()))


def _pooled(outcomes: Sequence[Sequence[Outcome]]) -> float:
    """The variance of what neither the way nor the seed explains; 0 of a single way."""
    if len(outcomes) < 2:
        return 0.0
    rows = [[each.score for each in row] for row in outcomes]
    columns = list(zip(*rows, strict=True))
    whole = fmean(map(fmean, rows))
    left = [
        score - fmean(row) - fmean(column) + whole for row in rows for score, column in zip(row, columns, strict=True)
    ]
    return sum(each * each for each in left) / ((len(rows) - 1) * (len(columns) - 1))


def _p(first: Sequence[Outcome], second: Sequence[Outcome], chance: float, ways: int) -> float:
    """How often chance makes at least as much of a difference between the highest and the lowest of so many ways."""
    if first == second:
        return 1.0
    changes = [round(one.score - other.score, _DIGITS) for one, other in zip(first, second, strict=True)]
    spread = max(chance, variance(changes) / 2)
    if spread < 10.0 ** (-2 * _DIGITS):
        return 0.0 if any(changes) else 1.0
    from scipy.stats import studentized_range  # here, so that the command line starts without it

    ranges = abs(fmean(changes)) / math.sqrt(spread / len(changes))
    return float(min(1.0, max(0.0, studentized_range.sf(ranges, ways, (ways - 1) * (len(changes) - 1)))))
