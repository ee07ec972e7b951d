"""What is known while a scenario runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.prediction import EdgeState, Prediction
from yolo_prune_check.confirm.compare import Confirmation
from yolo_prune_check.confirm.observe import Observation
from yolo_prune_check.progress import Progress
from yolo_prune_check.prune.cuts import Cuts
from yolo_prune_check.run.baseline import Baseline
from yolo_prune_check.run.record import HazardRecord, StepRecord
from yolo_prune_check.scores import Scores
from yolo_prune_check.spec.schema import Scenario


@dataclass(frozen=True)
class Foretold:
    """What the record tells of a prediction.

    Attributes:
        params: Parameters of the pruned model.
        macs: Its multiply-accumulates; None where execution breaks.
        edges: Every concat, split and residual operand.
    """

    params: int
    macs: int | None
    edges: tuple[EdgeState, ...]

    @classmethod
    def of(cls, prediction: Prediction) -> Foretold:
        """That of a prediction."""
        return cls(prediction.params, prediction.macs, prediction.edges)


@dataclass
class State:
    """The model under the knife and everything recorded so far.

    Attributes:
        model: The model as pruned and fine-tuned so far; the untouched one at first.
        cuts: What ``model`` has lost by execution ``group``.
        standing: Steps whose channels are gone from ``model`` and stay so. A fine-tuning that does not enforce masks
            lets them grow back, and with them the steps fall.
        done: All steps that were carried out.
        predicted: Hazards of the standing steps as one plan; a later step can make or mend them.
        found: Hazards that no later step mends, such as regrowth.
        graph: By which steps are predicted: the untouched model's, with the numbers of the latest fine-tuning.
        foretold: Of the last step, whether it was carried out or broke.
        confirmation: Of the last step, or of the final model.
        final: What was observed of the final model, if fine-tuning changed it since the last step was confirmed.
        resume_dir: Where training keeps what it goes on from if it is killed; None where nothing is kept.

    After each step ``run.unfinished`` keeps all but what a state is made with: as JSON, so that a field holds plain
    data or dataclasses of such.
    """

    scenario: Scenario
    baseline: Baseline
    model: nn.Module
    folder: Path
    progress: Progress
    before: Scores | None = None
    after: Scores | None = None
    cuts: Cuts = field(default_factory=Cuts)
    standing: list[Step] = field(default_factory=list)
    done: list[Step] = field(default_factory=list)
    steps: list[StepRecord] = field(default_factory=list)
    predicted: tuple[HazardRecord, ...] = ()
    found: list[HazardRecord] = field(default_factory=list)
    foretold: Foretold | None = None
    confirmation: Confirmation | None = None
    final: Observation | None = None
    disagreements: list[str] = field(default_factory=list)
    tuned_since: bool = False
    resume_dir: Path | None = None
    graph: ChannelGraph = field(init=False)

    def __post_init__(self) -> None:
        self.graph = self.baseline.graph

    @property
    def hazards(self) -> tuple[HazardRecord, ...]:
        """All hazards that stand, each once."""
        return tuple(dict.fromkeys((*self.predicted, *self.found)))

    def plan(self, *more: Step) -> Plan:
        """The standing steps and these, as one plan on the untouched model."""
        scenario = self.scenario
        return Plan(
            [*self.standing, *more],
            scenario.execution,
            scenario.mask,
            extend=scenario.extend,
            round_to=scenario.round_to,
        )

    def present(self, layer: str, total: int) -> tuple[int, ...]:
        """Channels that a layer still has, in the numbering of the untouched model, in which it has ``total``."""
        cut = self.cuts.layers.get(layer)
        return tuple(range(total) if cut is None else cut.outputs.tolist())
