"""Numbers that were measured several times: their mean, their spread, and how many they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from yolo_prune_check.report import figures
from yolo_prune_check.report.markdown import NONE


@dataclass(frozen=True)
class Sample:
    """What several measurements of one number come to.

    Attributes:
        mean: Their mean.
        spread: Their sample standard deviation, with n - 1; None of a single one, which has none.
        n: How many they are.
    """

    mean: float
    spread: float | None
    n: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Sample | None:
        """None of no value.

        >>> Sample.of([0.25, 0.75])
        Sample(mean=0.5, spread=0.3535533905932738, n=2)
        """
        known = list(values)
        if not known:
            return None
        return cls(fmean(known), stdev(known) if len(known) > 1 else None, len(known))


def whole(values: Sequence[float | None]) -> Sample | None:
    """The sample of values all of which must be known; None if one is not."""
    known = [value for value in values if value is not None]
    return Sample.of(known) if len(known) == len(values) else None


def score(sample: Sample | None) -> str:
    """A score as it is printed, with its spread if there is one."""
    if sample is None:
        return NONE
    return figures.score(sample.mean) + _spread(sample)


def difference(sample: Sample) -> str:
    """A difference of scores as it is printed, with its sign and spread."""
    return figures.difference(0.0, sample.mean) + _spread(sample)


def _spread(sample: Sample) -> str:
    return "" if sample.spread is None else f" ± {figures.score(sample.spread)}"
