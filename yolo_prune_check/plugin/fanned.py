"""One scenario as a unit of work for another process: what is sent there, and what comes back. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from yolo_prune_check.plugin.store import as_asked, lost_record, run_scenario
from yolo_prune_check.run.events import Event
from yolo_prune_check.run.record import Record

if TYPE_CHECKING:
    from yolo_prune_check.progress import Advance
    from yolo_prune_check.spec import Scenario


@dataclass(frozen=True)
class Asked:
    """A scenario and how it is run; see ``run_scenario``."""

    scenario: Scenario
    work_dir: Path | None
    model: str | None = None
    trust_checkpoint: bool = False
    device: str | None = None
    predict_only: bool = False
    rerun: bool = False

    @property
    def name(self) -> str:
        """As users know it."""
        return f"{self.scenario.spec}::{self.scenario.id}"

    @property
    def changed(self) -> Scenario:
        """The scenario as options change it."""
        scenario, _ = as_asked(
            self.scenario,
            model=self.model,
            trust_checkpoint=self.trust_checkpoint,
            device=self.device,
            predict_only=self.predict_only,
        )
        return scenario


@dataclass(frozen=True)
class Ran:
    """The record, and the events and lines of progress in the order in which they came."""

    record: Record
    said: tuple[Event | str, ...]


def run_asked(asked: Asked) -> Ran:
    """Run a scenario in this process, and keep what happens for the one that asked for it."""
    said: list[Event | str] = []
    record = run_scenario(
        asked.scenario,
        work_dir=asked.work_dir,
        progress=_Kept(said),
        model=asked.model,
        trust_checkpoint=asked.trust_checkpoint,
        device=asked.device,
        predict_only=asked.predict_only,
        rerun=asked.rerun,
        on_event=said.append,
    )
    return Ran(record, tuple(said))


def lost(asked: Asked, reason: str) -> Record:
    """The record of a scenario whose processes died."""
    return lost_record(
        asked.scenario,
        reason,
        model=asked.model,
        trust_checkpoint=asked.trust_checkpoint,
        device=asked.device,
        predict_only=asked.predict_only,
    )


class _Kept:
    """Progress of which only what is said once is kept: nobody looks while it happens."""

    def __init__(self, said: list[Event | str]) -> None:
        self._said = said

    @contextmanager
    def task(self, title: str, total: int | None = None) -> Iterator[Advance]:
        yield lambda _units: None

    def line(self, text: str) -> None:
        self._said.append(text)
