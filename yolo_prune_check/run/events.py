"""The typed events a running scenario yields; terminal, JSON and pytest consume them."""

from __future__ import annotations

from dataclasses import dataclass

from yolo_prune_check.run.record import HazardRecord, Record, StepRecord
from yolo_prune_check.scores import Scores


@dataclass(frozen=True)
class ScenarioStarted:
    """The layers are resolved; ``layers`` are the qualified names in the order in which they are pruned."""

    scenario: str
    layers: tuple[str, ...]


@dataclass(frozen=True)
class BaselineMeasured:
    """What the untouched model is worth on the data."""

    scores: Scores


@dataclass(frozen=True)
class StepStarted:
    """A step begins; ``index`` counts from 0."""

    index: int
    total: int
    layer: str


@dataclass(frozen=True)
class StepFinished:
    """A step is over: pruned, skipped or failed.

    Where training follows the last step and that one was skipped, the last that was carried out is told once more.
    """

    step: StepRecord


@dataclass(frozen=True)
class HazardFound:
    """A hazard was predicted or observed."""

    hazard: HazardRecord


@dataclass(frozen=True)
class PlanTried:
    """A random plan was tried: what was predicted, and whether it happened so (None where nothing was carried out).

    ``outcome`` is ``safe``, ``breaks`` or ``wrong`` (runs, and is not what was meant); None if predicting crashed.
    """

    index: int
    total: int
    execution: str
    outcome: str | None
    agrees: bool | None


@dataclass(frozen=True)
class ScenarioFinished:
    """The last event of every run; carries the record. ``cached``: an earlier run's, under the same conditions."""

    record: Record
    cached: bool = False


Event = ScenarioStarted | BaselineMeasured | StepStarted | StepFinished | HazardFound | PlanTried | ScenarioFinished
