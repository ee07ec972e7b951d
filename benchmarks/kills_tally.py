"""Which scenarios are killed, and the count of what came of it."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.killed_run import Moment, Ran, is_torn


@dataclass(frozen=True)
class Kind:
    """A scenario: its execution and schedule, how many processes read its images, and whether it has limits."""

    execution: str
    schedule: str
    workers: int = 0
    limited: bool = False

    def __str__(self) -> str:
        more = [f"{self.workers} workers"] if self.workers else []
        return ", ".join([f"`{self.execution}`", self.schedule, *more, *(["limits"] if self.limited else [])])


KINDS = (
    *(Kind(*each) for each in itertools.product(("mask", "group", "adapter"), ("sequential", "sessions"))),
    Kind("group", "sequential", workers=2),
    Kind("mask", "sequential", limited=True),
)


@dataclass
class Tally:
    """How many were killed where, and what was found.

    Attributes:
        killed: Processes, by kind and place.
        runs: Those that came to their end.
        differences: From undisturbed runs.
        alone: Kills of a process without what it had started.
        torn: Kills that left a final model without its sidecar.
        outlived: Those of a process alone after which something that it had started was still there.
        stayed: Process groups of such that were there when the run had come to its end.
    """

    killed: Counter[tuple[Kind, str]] = field(default_factory=Counter)
    runs: Counter[Kind] = field(default_factory=Counter)
    differences: Counter[Kind] = field(default_factory=Counter)
    alone: int = 0
    torn: int = 0
    outlived: int = 0
    stayed: int = 0

    @property
    def kills(self) -> int:
        """All of them."""
        return self.killed.total()

    @property
    def clean(self) -> bool:
        """Whether nothing was found that must not be."""
        return not (self.differences.total() or self.torn or self.stayed)

    def kills_of(self, kind: Kind) -> int:
        """Those of one kind."""
        return sum(count for (of, _), count in self.killed.items() if of == kind)

    def add(self, kind: Kind, moment: Moment, ran: Ran, folder: Path) -> None:
        """Count a process that was killed."""
        self.killed[kind, moment.place] += 1
        self.alone += moment.alone
        self.torn += is_torn(folder)
        self.outlived += bool(ran.outlived_by)
