"""What a scenario's own process tells the one that started it, beside its events: pickled, one after the other."""

from __future__ import annotations

from dataclasses import dataclass

from yolo_prune_check.errors import UserError
from yolo_prune_check.run.events import Event
from yolo_prune_check.run.way import Way
from yolo_prune_check.spec.schema import Scenario


@dataclass(frozen=True)
class Task:
    """What the process is to do, with how many threads."""

    scenario: Scenario
    way: Way
    threads: int


@dataclass(frozen=True)
class Said:
    """A line of progress."""

    text: str


@dataclass(frozen=True)
class TaskBegan:
    """Long work was begun; ``number`` tells it from others."""

    number: int
    title: str
    total: int | None


@dataclass(frozen=True)
class TaskAdvanced:
    """Long work is further by so many units."""

    number: int
    units: int


@dataclass(frozen=True)
class TaskEnded:
    """Long work is done, or was given up."""

    number: int


@dataclass(frozen=True)
class Raised:
    """The scenario cannot be run; or, if it is a text, the traceback of a defect."""

    error: UserError | str


Shown = Said | TaskBegan | TaskAdvanced | TaskEnded
Message = Event | Shown | Raised
