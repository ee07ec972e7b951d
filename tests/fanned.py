"""Functions that tests hand to workers, which import them by name."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from yolo_prune_check.errors import UserError
from yolo_prune_check.scores import MeanAveragePrecision

if TYPE_CHECKING:
    from yolo_prune_check.run.trial import Job
    from yolo_prune_check.scores import Scores

KILLED, WORKER_KILLED = "model.5.conv", "model.7.conv"
"""Of which point the process is killed that works on it, and of which the cluster's worker, where there is one."""


@dataclass(frozen=True)
class Seen:
    """What a worker sees of its surroundings."""

    item: int
    folder: str
    threads: int
    variable: str | None
    blas: frozenset[int]


def seen(item: int) -> Seen:
    import numpy  # noqa: F401  # loads its BLAS
    import torch
    from threadpoolctl import threadpool_info

    blas = frozenset(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")
    return Seen(item, str(Path.cwd()), torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS"), blas)


def who(item: int) -> tuple[int, int]:
    return item, os.getpid()


def started(item: int | str) -> int:
    """How often this item was begun, with this time; what it says on standard output is no result."""
    print("a worker says something", flush=True)
    Path(f"start-{item}-{os.getpid()}-{time.time_ns()}").touch()
    return len(list(Path().glob(f"start-{item}-*")))


def dies_once(item: int) -> Seen:
    """Item 1 ends its own process, item 3 that of the cluster's worker, where there is one."""
    if started(item) == 1 and item in (1, 3):
        pid = os.getpid() if item == 1 else os.getppid()
        if item == 1 or Path("of-a-cluster").exists():
            os.kill(pid, signal.SIGKILL)
            time.sleep(5)  # until this process, too, is ended
    time.sleep(0.3)  # so that the other worker has to help
    return seen(item)


def dies_always(item: int) -> int:
    started(item)
    if item == 1:
        os.kill(os.getppid() if Path("of-a-cluster").exists() else os.getpid(), signal.SIGKILL)
        time.sleep(5)
    return 10 * item


def refuses(item: int) -> int:
    if item == 1:
        raise UserError("is odd", where="here", value=item, hint="Try 2.")
    return item


class AwkwardError(Exception):
    """Cannot be pickled."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")
        self.unsendable = lambda: None


def breaks_awkwardly(item: int) -> int:
    raise AwkwardError(item, item)


def takes_long(item: int) -> int:
    started(item)
    for _ in range(600):
        time.sleep(0.1)
    Path(f"end-{item}").touch()
    return item


def measured_or_killed(job: Job) -> tuple[MeanAveragePrecision, ...]:
    """Of a plan that leaves one channel of a layer the process is killed, as if memory ran out."""
    if any(len(step.keep) == 1 for step in job.trial.plan.steps):
        os.kill(os.getpid(), signal.SIGKILL)
    return tuple(MeanAveragePrecision(0.9, 0.8) for _ in job.trial.parts)


def measured_though_killed(job: Job) -> tuple[Scores, ...]:
    """Measures; but of two points the first that did so is killed before it has said what it found."""
    from yolo_prune_check.run.trial import measure

    name = str(job.trial)
    first, scores = started(name) == 1, measure(job)
    if first and name == KILLED:
        os.kill(os.getpid(), signal.SIGKILL)
    if first and name == WORKER_KILLED and Path("of-a-cluster").exists():
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(5)  # until this process, too, is ended
    return scores
