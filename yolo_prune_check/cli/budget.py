"""The largest accepted loss, as options of commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from yolo_prune_check.errors import UserError
from yolo_prune_check.scores import Accuracy, MeanAveragePrecision, Scores, budget_of, loss

MapDrop = Annotated[
    float | None, typer.Option("--max-map-drop", help="Largest accepted loss of mAP50-95, such as 0.02.")
]
AccuracyDrop = Annotated[
    float | None, typer.Option("--max-accuracy-drop", help="Of a classifier: of its top-1 accuracy.")
]

_ONCE = "the largest accepted loss must be said once"
_EITHER = "Give `--max-map-drop 0.02`, or of a classifier `--max-accuracy-drop 0.02`."


@dataclass(frozen=True)
class Budget:
    """The largest accepted loss.

    Attributes:
        field: That of ``expect`` in specs.
        value: Between 0 and 1.
    """

    field: str
    value: float

    @property
    def option(self) -> str:
        """How it is given."""
        return _option(self.field)

    def judge(self, before: Scores, after: Scores) -> Judged:
        """Compare what was lost with it."""
        lost = loss(before, after)
        return Judged(self.option, self.value, lost, lost <= self.value)

    def check_measure(self, task: str | None) -> None:
        """See that a model of this task is measured so: a classifier has an accuracy and no mAP, all others a mAP.

        Raises:
            UserError: It is not.
        """
        right = budget_of(task)
        if self.field != right:
            what = "a classifier has no mAP" if task == "classify" else "only a classifier has an accuracy"
            raise UserError(what, where=self.option, hint=f"Give `{_option(right)}` instead.")


@dataclass(frozen=True)
class Judged:
    """A loss beside the largest accepted one.

    Attributes:
        option: How that was given.
        allowed: The largest accepted loss.
        loss: Of the number that the budget limits; negative for a gain.
        held: Whether the loss is within it.
    """

    option: str
    allowed: float
    loss: float
    held: bool


def _option(field: str) -> str:
    return f"--{field.replace('_', '-')}"


def require_budget(max_map_drop: float | None, max_accuracy_drop: float | None) -> Budget:
    """The one that was given.

    Raises:
        UserError: None was, or both were, or it is no share.
    """
    budget = read_budget(max_map_drop, max_accuracy_drop)
    if budget is None:
        raise UserError(_ONCE, hint=_EITHER)
    return budget


def read_budget(max_map_drop: float | None, max_accuracy_drop: float | None) -> Budget | None:
    """The one that was given, if any.

    Raises:
        UserError: Both were, or it is no share.
    """
    given = {MeanAveragePrecision.budget: max_map_drop, Accuracy.budget: max_accuracy_drop}
    told = [Budget(field, value) for field, value in given.items() if value is not None]
    if len(told) > 1:
        raise UserError(_ONCE, hint=_EITHER)
    for budget in told:
        if not 0 <= budget.value <= 1:
            hint = "Such as 0.02."
            raise UserError("a loss lies between 0 and 1", where=budget.option, value=budget.value, hint=hint)
    return told[0] if told else None
