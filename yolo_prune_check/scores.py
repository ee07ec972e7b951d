"""How good a model is on a data set's `val` images, in the measure of its task, and what people call that.

Both measures can be asked the same things, so that whoever compares or prints them need not know which it is. What they
are asked for first is what sentences tell; budgets are about another number where the field prefers that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

_DECIMALS: Final = 9
_NEXT_TO_NOTHING: Final = 0.05
"""What a model must reach above one that knows nothing; else pruning has next to nothing to lose."""


@dataclass(frozen=True)
class MeanAveragePrecision:
    """Of boxes, masks, keypoints or oriented boxes, averaged over classes; between 0 and 1.

    Attributes:
        map50: At an IoU of 0.5; for keypoints, at a similarity (OKS) of 0.5.
        map50_95: Averaged over 0.50, 0.55, … 0.95.
    """

    map50: float
    map50_95: float

    names: ClassVar[tuple[str, str]] = ("mAP50", "mAP50-95")
    pair: ClassVar[str] = "mAP50 / 50-95"
    budget: ClassVar[str] = "max_map_drop"
    budgeted_name: ClassVar[str] = "mAP50-95"
    blindness: ClassVar[str] = "the untouched model finds next to nothing in this data"

    @property
    def values(self) -> tuple[float, float]:
        """The numbers of ``names``."""
        return self.map50, self.map50_95

    @property
    def first(self) -> float:
        """The number that sentences tell."""
        return self.map50

    @property
    def budgeted(self) -> float:
        """The number whose loss the budget limits."""
        return self.map50_95

    @property
    def blind(self) -> bool:
        """Whether there is next to nothing to lose, so that no loss says nothing."""
        return self.map50 < _NEXT_TO_NOTHING

    @property
    def basis(self) -> str:
        """The figures of which that is said."""
        return f"mAP50 {self.map50:.3f}"


@dataclass(frozen=True)
class Accuracy:
    """Shares of the images that a classifier gets right, between 0 and 1.

    Attributes:
        top1: Its first guess is right.
        top5: One of its first five is.
        majority: What a model gets whose first guess always is the most frequent class: it knows nothing.
    """

    top1: float
    top5: float
    majority: float

    names: ClassVar[tuple[str, str]] = ("top-1 accuracy", "top-5 accuracy")
    pair: ClassVar[str] = "top-1 / top-5 accuracy"
    budget: ClassVar[str] = "max_accuracy_drop"
    budgeted_name: ClassVar[str] = "top-1 accuracy"
    blindness: ClassVar[str] = "the untouched model is hardly better on this data than naming one class always"

    @property
    def values(self) -> tuple[float, float]:
        """The numbers of ``names``."""
        return self.top1, self.top5

    @property
    def first(self) -> float:
        """The number that sentences tell."""
        return self.top1

    @property
    def budgeted(self) -> float:
        """The number whose loss the budget limits."""
        return self.top1

    @property
    def blind(self) -> bool:
        """Whether there is next to nothing to lose, so that no loss says nothing."""
        return self.top1 < self.majority + _NEXT_TO_NOTHING

    @property
    def basis(self) -> str:
        """The figures of which that is said."""
        return f"top-1 accuracy {self.top1:.3f}, of one class {self.majority:.3f}"


Scores = MeanAveragePrecision | Accuracy


def budget_of(task: str | None) -> str:
    """The field of ``expect`` that limits the loss of a model for a task: a classifier has no mAP, others have one."""
    return Accuracy.budget if task == "classify" else MeanAveragePrecision.budget


def loss(before: Scores, after: Scores) -> float:
    """By how much the number that budgets limit has fallen, without what is only rounding of floats.

    >>> loss(MeanAveragePrecision(0.95, 0.9), MeanAveragePrecision(0.95, 0.88)) <= 0.02
    True
    """
    return round(before.budgeted - after.budgeted, _DECIMALS) + 0.0  # no -0.0


LEAST_FALL: Final = 0.001
"""The smallest fall worth a word: people are shown three digits."""


def fall(before: Scores, after: Scores) -> str | None:
    """How the number that budgets limit has fallen, by 0.001 or more; None if it has not.

    >>> fall(MeanAveragePrecision(0.9, 0.7), MeanAveragePrecision(0.8, 0.65))
    'mAP50-95 fell from 0.700 to 0.650'
    """
    one, other = before.budgeted, after.budgeted
    return f"{before.budgeted_name} fell from {one:.3f} to {other:.3f}" if one - other >= LEAST_FALL else None
