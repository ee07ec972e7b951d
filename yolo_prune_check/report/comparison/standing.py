"""Which combination of a matrix is best, which are tied with it, and which none is better than at its cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from yolo_prune_check.report.comparison.matrix import Combination, Comparison
from yolo_prune_check.report.samples import Sample, pooled

_ALIKE = 0.0005
"""A difference of scores that is not printed."""

RULE = """\
*Best* is the combination with the largest mean score at the end. One is *tied* with it if the difference of the two \
means is not larger than their pooled spread (the root of the mean of both variances over the seeds, weighted by \
n - 1). A combination that is unsafe or partial with any seed, or has no score at the end, cannot win. Where all that \
can win are tied, none is called best; where nothing was repeated with other seeds, there is no spread, and the \
largest score is called *highest* only."""


@dataclass(frozen=True)
class Standing:
    """How the combinations of a comparison stand.

    Attributes:
        candidates: Those that can win: safe with every seed, and measured at the end.
        leader: The candidate with the largest mean score at the end; None if there is no candidate.
        tied: Candidates that the leader is not better than by more than the pooled spread.
        front: Candidates to which no other is preferable in both MACs and score; empty where all have the same MACs.
        repeated: Whether any candidate was measured with several seeds, so that a spread is known.
    """

    candidates: tuple[Combination, ...]
    leader: Combination | None
    tied: tuple[Combination, ...]
    front: tuple[Combination, ...]
    repeated: bool

    @classmethod
    def of(cls, comparison: Comparison) -> Standing:
        """By the rule that pages print."""
        scored = [(each, each.final) for each in comparison.combinations if each.is_safe]
        known = [(each, final) for each, final in scored if final is not None]
        if not known:
            return cls((), None, (), (), repeated=False)
        leader, best = max(known, key=lambda pair: pair[1].mean)
        tied = tuple(each for each, final in known if each is not leader and _is_tied(best, final))
        candidates = tuple(each for each, _ in known)
        repeated = any(final.n > 1 for _, final in known)
        return cls(candidates, leader, tied, _front(candidates), repeated)

    @property
    def winner(self) -> Combination | None:
        """The combination that may be called best; None where chance could have made it so."""
        return self.leader if self.repeated and not self.all_tied else None

    @property
    def all_tied(self) -> bool:
        """Whether the leader is better than no other candidate."""
        return len(self.tied) == len(self.candidates) - 1

    def word(self, combination: Combination) -> str:
        """How one combination stands, in a word or two; nothing of those that are merely behind."""
        if combination not in self.candidates:
            return "cannot win"
        if combination is self.leader and not self.all_tied:
            return "best" if self.winner is not None else "highest"
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


def _is_tied(best: Sample, other: Sample) -> bool:
    return best.mean - other.mean <= max(pooled(best, other) or 0.0, _ALIKE)


def _front(candidates: Sequence[Combination]) -> tuple[Combination, ...]:
    known = [(each, each.macs.mean, each.final.mean) for each in candidates if each.macs and each.final]
    if len({macs for _, macs, _ in known}) < 2:
        return ()
    return tuple(known[index][0] for index in dominant([(macs, final) for _, macs, final in known]))
