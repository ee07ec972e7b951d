"""Which combination of a matrix is best, which are tied with it, and which none is better than at its cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from yolo_prune_check.report.comparison.matrix import Combination, Comparison, outcome
from yolo_prune_check.report.leading import leading

RULE = """\
*Best* is the combination with the largest mean score at the end, if it is better than every other one that can win: \
by Tukey's range test over all of them, at 5 %, with seeds as blocks, and with the spread of two combinations' own \
differences where that is larger than what is pooled. Those that are clearly behind are set aside, and the others \
compared again by the chance among them. One that the test does not tell from it is *tied* with \
it; then none is called best. Seeds with which all made the very same models count once. A combination that is unsafe \
or partial with any seed, or has no score at the end, cannot win. Where no two seeds made different models, of the \
highest and of another, there is nothing to test, and the largest score is called *highest* only. With few seeds only \
what is far apart can be told apart."""


@dataclass(frozen=True)
class Standing:
    """How the combinations of a comparison stand.

    Attributes:
        candidates: Those that can win: safe with every seed, and measured at the end.
        leader: The candidate with the largest mean score at the end; None if there is no candidate.
        tied: Candidates that the leader cannot be told from.
        front: Candidates to which no other is preferable in both MACs and score; empty where all have the same MACs.
        repeated: Whether seeds made different models, so that it can be told what is chance.
        p: Of the leader's comparisons the largest p; None where nothing was repeated.
    """

    candidates: tuple[Combination, ...]
    leader: Combination | None
    tied: tuple[Combination, ...]
    front: tuple[Combination, ...]
    repeated: bool
    p: float | None

    @classmethod
    def of(cls, comparison: Comparison) -> Standing:
        """By the rule that pages print."""
        candidates = tuple(each for each in comparison.combinations if each.is_safe and each.final is not None)
        if not candidates:
            return cls((), None, (), (), repeated=False, p=None)
        outcomes = {
            index: {
                tuple(record.axes[name] for name in comparison.seeds): known
                for record in each.records
                if (known := outcome(record)) is not None
            }
            for index, each in enumerate(candidates)
        }
        found = leading(outcomes)
        tied = tuple(candidates[index] for index in found.tied)
        return cls(candidates, candidates[found.leader], tied, _front(candidates), found.tested, found.p)

    @property
    def winner(self) -> Combination | None:
        """The combination that may be called best; None where chance could have made it so."""
        return self.leader if self.repeated and not self.tied else None

    @property
    def all_tied(self) -> bool:
        """Whether the leader is better than no other candidate."""
        return len(self.tied) == len(self.candidates) - 1

    def word(self, combination: Combination) -> str:
        """How one combination stands, in a word or two; nothing of those that are merely behind."""
        if combination not in self.candidates:
            return "cannot win"
        if combination is self.winner:
            return "best"
        if combination is self.leader and not self.repeated and not self.all_tied:
            return "highest"
        alone = len(self.candidates) == 1
        return "tied" if not alone and (combination in self.tied or combination is self.leader) else ""


def dominant(points: Sequence[tuple[float, float]]) -> list[int]:
    """Indices of the points ``(cost, score)`` that no other beats: costs no more, scores no less, is better in one.

    >>> dominant([(1.0, 0.5), (0.5, 0.5), (0.4, 0.2), (0.9, 0.6)])
    [1, 2, 3]
    """
    return [
        index
        for index, (cost, score) in enumerate(points)
        if not any(c <= cost and s >= score and (c < cost or s > score) for c, s in points)
    ]


def _front(candidates: Sequence[Combination]) -> tuple[Combination, ...]:
    known = [(each, each.macs.mean, each.final.mean) for each in candidates if each.macs and each.final]
    if len({macs for _, macs, _ in known}) < 2:
        return ()
    return tuple(known[index][0] for index in dominant([(macs, final) for _, macs, final in known]))
