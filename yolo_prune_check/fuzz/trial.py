"""One plan tried: predicted, carried out, compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from torch import nn

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.channels.prediction import Prediction
from yolo_prune_check.confirm.compare import describe
from yolo_prune_check.confirm.confirm import confirm
from yolo_prune_check.errors import UserError
from yolo_prune_check.fuzz.draw import random_plans
from yolo_prune_check.fuzz.ground import Ground, Way

Outcome = Literal["safe", "breaks", "wrong"]
"""Predicted: safe, raises an error, or runs and is wrong."""


@dataclass(frozen=True)
class Tried:
    """A plan and what came of it.

    Attributes:
        outcome: What was predicted; None if predicting it crashed.
        why: Why it is not safe, in one line; empty for a safe plan.
        agrees: Whether it happened so; None where nothing was carried out.
        differences: One sentence for each difference between prediction and execution, or the crash.
    """

    plan: Plan
    outcome: Outcome | None
    why: str
    agrees: bool | None
    differences: tuple[str, ...] = ()

    @property
    def way(self) -> Way:
        """How it was carried out."""
        return Way(self.plan.execution, self.plan.mask)


Trial = Callable[[Plan], Tried]


def trial_of(model: nn.Module, graph: ChannelGraph, *, execute: bool) -> Trial:
    """A function that tries a plan on one loaded model and its graph.

    A crash of the predictor or of the observer is a difference like any other, so that its plan is found, shrunk and
    written down; bad input is not, because every drawn plan fits its graph.

    Args:
        model: The model; it is not changed.
        graph: Its graph.
        execute: Carry plans out; else they are only predicted.
    """

    def try_plan(plan: Plan) -> Tried:
        outcome: Outcome | None = None
        why = ""
        try:
            prediction = predict(graph, plan)
            outcome, why = outcome_of(prediction)
            if not execute:
                return Tried(plan, outcome, why, None)
            confirmation = confirm(model, plan, prediction, graph=graph)
        except UserError:
            raise
        except Exception as error:  # noqa: BLE001  # told as a difference, with the plan that brings it about
            said = f"{'observing' if outcome else 'predicting'} it raised {type(error).__name__}: {error}"
            return Tried(plan, outcome, why, False, (" ".join(said.split()),))
        return Tried(plan, outcome, why, confirmation.agrees, confirmation.differences)

    return try_plan


def outcome_of(prediction: Prediction) -> tuple[Outcome, str]:
    """What was predicted, and why if it is not safe."""
    if prediction.failure is not None:
        return "breaks", describe(prediction.failure)
    if prediction.verdict == "safe":
        return "safe", ""
    hazard = next(hazard for hazard in prediction.hazards if hazard.severity == "error")
    return "wrong", f"{hazard.code} in {hazard.layer}: {hazard.message}"


def try_random_plans(
    trial: Trial, ground: Ground, ways: Sequence[Way], *, examples: int, max_steps: int, seed: int
) -> Iterator[Tried]:
    """Try random plans until ``examples`` are done or one is refuted, which is then the last."""
    for plan in islice(random_plans(ground, ways, max_steps=max_steps, seed=seed), examples):
        tried = trial(plan)
        yield tried
        if tried.agrees is False:
            return
