"""The largest safe cut of a model whose loss stays within a budget: decided on one half of the val images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.errors import UserError
from yolo_prune_check.fanout import LostError
from yolo_prune_check.run.families import Row, by_ranking, by_sensitivity
from yolo_prune_check.run.halves import CHECK, DECIDE, error_of
from yolo_prune_check.run.measured import Measurements
from yolo_prune_check.run.sensitivity import Wanted, sensitivity_of, why_unsafe
from yolo_prune_check.run.suggestion_record import Candidate, Outcome, Suggestion
from yolo_prune_check.run.trial import Bench, Trial
from yolo_prune_check.scores import Scores, loss
from yolo_prune_check.select.everywhere import FLOOR
from yolo_prune_check.select.ranking import Scores as Worth
from yolo_prune_check.spec.part import Part
from yolo_prune_check.spec.schema import FineTune
from yolo_prune_check.train.failure import TrainingError

TRIES: Final = 8
"""Most plans of each family that are measured…"""
TRIES_TRAINED: Final = 6
"""… and where each is trained first."""


@dataclass(frozen=True)
class Search:
    """A search for the largest cut on one model.

    Attributes:
        graph: Of the untouched model.
        bench: The model and the data.
        budget: The largest accepted drop.
        folds: Parts of the deciding images; see ``folds_of``.
        measured: Keeps what is measured.
        training: How each candidate is trained before it is measured; None for not at all.
        seed: Of the criterion, and of the training.
    """

    graph: ChannelGraph
    bench: Bench
    budget: float
    folds: tuple[Part, ...]
    measured: Measurements
    training: FineTune | None = None
    seed: int = 0

    @property
    def tries(self) -> int:
        """How many plans of each family are measured at most."""
        return TRIES if self.training is None else TRIES_TRAINED

    @cached_property
    def dense(self) -> tuple[Scores, ...]:
        """The untouched model's scores on the deciding half, and on each of its folds.

        Raises:
            UserError: It finds next to nothing there, so that no loss would say anything; or it cannot be measured.
        """
        trial = Trial(self.bench, Plan(), (DECIDE, *self.folds))
        dense = self.measured.one(trial, f"measure the untouched model on part {DECIDE} of the val images")
        if dense[0].blind:
            raise UserError(
                f"nothing can be suggested: {dense[0].blindness}",
                value=dense[0].basis,
                hint="To lose nothing says nothing where there is nothing to lose. Name data that it was trained for.",
            )
        return dense

    def best_of(self, row: Row) -> list[tuple[Candidate, Plan]]:
        """Bisect a row of plans, each of which removes more than the one before, for the last that holds.

        Returns:
            All that were tried, in this order.
        """
        tried, measured, low, high = list[tuple[Candidate, Plan]](), 0, -1, len(row.settings)
        while high - low > 1 and measured < self.tries:
            middle = (low + high) // 2
            plan = row.plan(middle)
            candidate = self._tried(row, row.settings[middle], plan, measured + 1)
            measured += candidate.scores is not None
            tried.append((candidate, plan))
            low, high = (middle, high) if candidate.outcome == "holds" else (low, middle)
        return tried

    def _tried(self, row: Row, setting: float, plan: Plan, number: int) -> Candidate:
        if not plan.steps:
            return Candidate(row.family, setting, "holds", 0.0, 0.0)
        whole, prediction = predict(self.graph, Plan()), predict(self.graph, plan)
        macs_cut = 1 - (prediction.macs or 0) / max(whole.macs or 0, 1)
        params_cut = 1 - prediction.params / max(whole.params, 1)
        if prediction.verdict != "safe":
            return Candidate(row.family, setting, "unsafe", macs_cut, params_cut, reason=why_unsafe(prediction))
        trial = Trial(self.bench, plan, (DECIDE, *self.folds), self.training, self.seed)
        title = f"candidate {number} of at most {self.tries} by {row.family}, {macs_cut:.1%} of the MACs saved"
        try:
            scores = self.measured.one(trial, title)
        except TrainingError as failed:
            return Candidate(row.family, setting, "cannot be trained", macs_cut, params_cut, reason=failed.what)
        except LostError as lost:
            return Candidate(row.family, setting, "lost", macs_cut, params_cut, reason=lost.what)
        drop, *folds = (loss(before, after) for before, after in zip(self.dense, scores, strict=True))
        error = error_of(drop, folds)
        outcome: Outcome = "holds" if drop + error <= self.budget else "loses too much"
        return Candidate(row.family, setting, outcome, macs_cut, params_cut, scores[0], drop, error)


def largest(tried: Sequence[tuple[Candidate, Plan]]) -> tuple[Candidate, Plan] | None:
    """Of those that hold and remove something the one that saves most multiply-accumulates, then parameters."""
    held = [each for each in tried if each[0].outcome == "holds" and each[1].steps]
    return max(held, key=lambda each: (each[0].macs_cut, each[0].params_cut), default=None)


def suggestion_of(
    search: Search,
    score: Callable[[], dict[str, Worth]],
    criterion: str,
    ratios: tuple[float, ...],
    *,
    command: str,
    compact: str,
) -> tuple[Suggestion, Plan | None]:
    """Measure what each part costs alone, then bisect both families of whole plans.

    Args:
        search: On what, and with which budget.
        score: Gives the scores of the channels, by layer, by the criterion.
        criterion: Whose they are.
        ratios: At which each part is pruned alone.
        command: The command that makes it again.
        compact: The command that makes the small model's file, but for the plan and the file.

    Returns:
        What was tried, and the chosen plan, if any holds.

    Raises:
        UserError: Nothing can be suggested for this model and data.
    """
    dense = search.dense[0]
    scores = score()
    wanted = Wanted("group", ratios, criterion, DECIDE, search.seed)
    alone = sensitivity_of(search.graph, scores, search.bench, wanted, search.measured)
    most = 2**search.tries - 1  # so many that a bisection with so many tries comes to its end
    rows = (
        by_sensitivity(search.graph, scores, criterion, alone, most=most),
        by_ranking(search.graph, scores, criterion, floor=FLOOR, most=most),
    )
    tried = [each for row in rows for each in search.best_of(row)]
    best = largest(tried)
    found = Suggestion(
        model=search.bench.model,
        data=search.bench.data,
        imgsz=search.bench.imgsz,
        command=command,
        compact=compact,
        criterion=criterion,
        budget=search.budget,
        decided_on=str(DECIDE),
        decided_images=alone.images,
        checked_on=str(CHECK),
        checked_images=search.bench.images(CHECK),
        folds=len(search.folds),
        epochs=0 if search.training is None else search.training.epochs,
        macs=alone.macs,
        params=alone.params,
        dense=dense,
        candidates=tuple(candidate for candidate, _ in tried),
        chosen=None if best is None else best[0],
    )
    return found, None if best is None else best[1]
