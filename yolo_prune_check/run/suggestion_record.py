"""What was tried to find the largest cut within a budget: plain data. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from yolo_prune_check.scores import Scores, loss

Family = Literal["sensitivity", "global"]
"""By a threshold for what each part costs alone; or by one ranking of all channels."""
Outcome = Literal["holds", "loses too much", "unsafe", "cannot be trained", "lost"]


@dataclass(frozen=True)
class Candidate:
    """A plan that was tried.

    Attributes:
        family: How it came about.
        setting: Of ``sensitivity`` the threshold: each part loses the largest tested ratio of which the own drop is at
            most this; of ``global`` the share that goes of all that can.
        outcome: ``unsafe`` is predicted, and was not run; ``lost``: each process that worked on it died.
        macs_cut: Share of the multiply-accumulates saved, as predicted.
        params_cut: Share of the parameters.
        scores: On the deciding half as a whole; None where it was not run.
        drop: What is lost there of the score that budgets limit.
        error: The standard error of this drop, by the folds of that half; see ``error_of``.
        reason: Why it is unsafe, cannot be trained, or is lost.
    """

    family: Family
    setting: float
    outcome: Outcome
    macs_cut: float
    params_cut: float
    scores: Scores | None = None
    drop: float | None = None
    error: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Checked:
    """What came of the chosen candidate's spec when it was run on the other half.

    Attributes:
        before: Of the untouched model there.
        after: Of the small model there.
        held: Whether the spec passed.
        failures: Why not.
    """

    before: Scores | None
    after: Scores | None
    held: bool
    failures: tuple[str, ...] = ()

    @property
    def drop(self) -> float | None:
        """What is lost; None where it was not measured."""
        return None if self.before is None or self.after is None else loss(self.before, self.after)


@dataclass(frozen=True)
class Suggestion:
    """A search and its result.

    Attributes:
        command: The command that makes it again.
        compact: The command that makes the small model's file, but for the plan and the file.
        budget: The largest accepted drop of the score that budgets limit.
        decided_on: The part of the val images that decided, and how many these are; ``checked_on``: those that did not.
        folds: In how many parts the deciding one was split.
        epochs: Epochs of training of each candidate before it was measured; 0 for none.
        dense: The untouched model's scores on the deciding part.
        candidates: In the order in which they were tried.
        chosen: Of those that hold the one that saves most; None if none holds.
    """

    model: str
    data: str
    imgsz: int
    command: str
    compact: str
    criterion: str
    budget: float
    decided_on: str
    decided_images: int
    checked_on: str
    checked_images: int
    folds: int
    epochs: int
    macs: int
    params: int
    dense: Scores
    candidates: tuple[Candidate, ...]
    chosen: Candidate | None
