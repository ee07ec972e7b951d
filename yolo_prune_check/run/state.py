"""What is known while a scenario runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.prediction import Prediction
from yolo_prune_check.confirm.compare import Confirmation
from yolo_prune_check.confirm.observe import Observation
from yolo_prune_check.progress import Progress
from yolo_prune_check.run.baseline import Baseline
from yolo_prune_check.run.record import HazardRecord, StepRecord
from yolo_prune_check.spec.schema import Scenario
from yolo_prune_check.train.evaluate import Metrics


@dataclass
class State:
    """The model under the knife and everything recorded so far.

    Attributes:
        model: The model as pruned and fine-tuned so far; the untouched one at first.
        standing: Steps whose channels are gone from ``model`` and stay so. A fine-tuning that does not enforce masks
            lets them grow back, and with them the steps fall.
        done: All steps that were carried out.
        prediction: Of the last step, whether it was carried out or broke.
        confirmation: Of the last step, or of the final model.
        final: What was observed of the final model, if fine-tuning changed it since the last step was confirmed.
    """

    scenario: Scenario
    baseline: Baseline
    model: nn.Module
    folder: Path
    progress: Progress
    before: Metrics | None = None
    after: Metrics | None = None
    standing: list[Step] = field(default_factory=list)
    done: list[Step] = field(default_factory=list)
    steps: list[StepRecord] = field(default_factory=list)
    hazards: dict[tuple[str, str, str], HazardRecord] = field(default_factory=dict)
    prediction: Prediction | None = None
    confirmation: Confirmation | None = None
    final: Observation | None = None
    disagreements: list[str] = field(default_factory=list)
    checkpoint: Path | None = None
    tuned_since: bool = False

    def plan(self, *more: Step) -> Plan:
        """The standing steps and these, as one plan on the untouched model."""
        return Plan([*self.standing, *more], self.scenario.execution, self.scenario.mask)
