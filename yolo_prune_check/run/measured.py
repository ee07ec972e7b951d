"""What was measured is kept, each trial under its content as soon as it is finished, so that nothing is done twice."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from yolo_prune_check.errors import UserError
from yolo_prune_check.fanout import Backend, LostError, fan_out, require_place
from yolo_prune_check.progress import Progress
from yolo_prune_check.run.content import key_of
from yolo_prune_check.run.folder import only_here
from yolo_prune_check.run.plain import from_plain, to_plain
from yolo_prune_check.run.record import write_atomically
from yolo_prune_check.run.trial import Bench, Job, Trial, measure
from yolo_prune_check.scores import Scores
from yolo_prune_check.select.ranking import Scores as Worth


@dataclass(frozen=True)
class Hands:
    """Who measures: see ``fan_out``.

    Raises:
        UserError: There is an address, and no cluster that it could be of.
    """

    jobs: int = 1
    backend: Backend = "local"
    address: str | None = None

    def __post_init__(self) -> None:
        if self.backend == "local" and self.address is not None:
            raise UserError("only dask and ray have an address", where="--address", value=self.address)

    def require(self) -> None:
        """Refuse a cluster that is not there.

        Raises:
            UserError: It is not, or its extra is not installed.
        """
        require_place(self.backend, self.address)


def _many(number: int, noun: str) -> str:
    """A number with its noun."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _told_of(lost: Sequence[LostError], *, kept: int) -> LostError:
    """One message for all that were given up, and for what was not in vain."""
    first, more = lost[0], len(lost) - 1
    where = f"{first.where} and {more:,} more" if more else first.where
    rest = f" {kept:,} other{' was' if kept == 1 else 's were'} measured and {'is' if kept == 1 else 'are'} kept: the"
    hint = f"{first.hint}{rest} same command tries again what is missing." if kept else first.hint
    return LostError(first.what, where=where, hint=hint)


class Measurements:
    """The folder in which the trials of one bench are kept; made by ``measuring``.

    Attributes:
        known: How many of the trials that were asked for so far had been kept.
        made: How many were measured.
    """

    def __init__(self, folder: Path, key: str, hands: Hands, shown: Progress) -> None:
        self._folder = folder
        self._key = key
        self._hands = hands
        self._shown = shown
        self.known = 0
        self.made = 0

    def told(self) -> str:
        """In words, how many models had been measured before, and how many were now."""
        return f"{_many(self.made, 'model')} measured, {_many(self.known, 'model')} measured before and kept"

    def of(self, trials: Sequence[Trial], title: str) -> list[tuple[Scores, ...]]:
        """For each trial the scores of its parts: what is kept, and else what is measured now, and kept.

        Args:
            trials: The trials, all of this bench. Equal ones are measured once.
            title: What the progress bar is called.

        Raises:
            UserError: The model or the data cannot be used. What was measured until then is kept.
            LostError: Each process that worked on a trial died. All others are measured, and kept.
            KeyboardInterrupt: Ctrl-C; likewise.
        """
        keys = [self._key_of(trial) for trial in trials]
        found = {key: scores for key in dict.fromkeys(keys) if (scores := self._kept(key)) is not None}
        todo = {key: trial for key, trial in zip(keys, trials, strict=True) if key not in found}
        self.known += len(found)
        if todo:
            found |= self._measured(todo, title)
        return [found[key] for key in keys]

    def one(self, trial: Trial, title: str) -> tuple[Scores, ...]:
        """The scores of the parts of one trial; see ``of``."""
        return self.of([trial], title)[0]

    def worth(self, asked: Mapping[str, object], score: Callable[[], dict[str, Worth]]) -> dict[str, Worth]:
        """The scores of channels by a criterion: what is kept, and else what is scored now, and kept.

        Args:
            asked: All that decides what they are, beside the bench, as JSON knows it.
            score: Scores them: by layer, [channels].
        """
        key = hashlib.sha256(json.dumps([self._key, dict(asked)], sort_keys=True).encode()).hexdigest()
        path = self._folder / f"worth-{key}.json"
        content = self._read(path, key)
        if content is None:
            content = {name: values.tolist() for name, values in score().items()}
            write_atomically(path, json.dumps({"key": key, "content": content}) + "\n")
        return {name: np.array(values, dtype=np.float64) for name, values in content.items()}

    def _measured(self, todo: dict[str, Trial], title: str) -> dict[str, tuple[Scores, ...]]:
        keys, found, lost = list(todo), dict[str, tuple[Scores, ...]](), list[LostError]()
        jobs = [Job(trial, self._training(key) if trial.training else None) for key, trial in todo.items()]
        # One alone is measured in this process, unless it is trained, for which memory may run out.
        apart = any(job.folder is not None for job in jobs)
        for job in jobs:
            if job.folder is not None:
                job.folder.mkdir(parents=True, exist_ok=True)
        outcomes = fan_out(
            measure,
            jobs,
            jobs=self._hands.jobs if apart else min(self._hands.jobs, len(jobs)),
            backend=self._hands.backend,
            address=self._hands.address,
            shown=self._shown,
            name=lambda job: str(job.trial),
        )
        with closing(outcomes), self._shown.task(title, len(jobs)) as advance:
            for index, outcome in outcomes:
                if isinstance(outcome, LostError):
                    lost.append(outcome)
                else:
                    self._keep(keys[index], outcome)
                    found[keys[index]] = outcome
                    self.made += 1
                advance(1)
        if lost:
            raise _told_of(lost, kept=len(found))
        return found

    def _key_of(self, trial: Trial) -> str:
        asked = json.dumps({"bench": self._key, "trial": trial.asked()}, sort_keys=True)
        return hashlib.sha256(asked.encode()).hexdigest()

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.json"

    def _training(self, key: str) -> Path:
        return self._folder / f"training-{key[:16]}"

    def _keep(self, key: str, scores: tuple[Scores, ...]) -> None:
        write_atomically(self._path(key), json.dumps({"key": key, "content": to_plain(scores)}) + "\n")
        shutil.rmtree(self._training(key), ignore_errors=True)  # what is left of it costs room, nothing else

    def _kept(self, key: str) -> tuple[Scores, ...] | None:
        scores: tuple[Scores, ...] | None = self._read(self._path(key), key, tuple[Scores, ...])
        return scores

    def _read(self, path: Path, key: str, kind: Any = dict[str, list[float]]) -> Any:
        """What is kept in a file; None if there is none that can be read."""
        if not path.is_file():
            return None
        try:
            read = json.loads(path.read_text(encoding="utf-8"))
            if read["key"] != key:
                raise ValueError("it is kept under another name")
            return from_plain(kind, read["content"])
        except (OSError, AttributeError, KeyError, TypeError, ValueError) as error:
            self._shown.line(f"what was kept cannot be read ({path}: {error}), it is done anew")
            return None


@contextmanager
def measuring(bench: Bench, work_dir: Path, hands: Hands, shown: Progress) -> Iterator[Measurements]:
    """Be the only process that measures on this bench here, and know what was measured before.

    Kept is one small file for each trial, in a folder below ``work_dir/measured`` for all that the scores depend on
    beside the plan, see ``key_of``; another model file, other images or another version begin a folder of their own.

    Args:
        bench: The model and the data.
        work_dir: Where it is kept.
        hands: Who measures.
        shown: Told of progress, and if there is another process to wait for.

    Raises:
        UserError: The folder cannot be made or written to.
    """
    asked = {"measured": bench.imgsz, "trust": bench.trust}
    key = key_of(asked, model=bench.model, data=bench.data, device=bench.device)
    folder = work_dir / "measured" / key[:16]
    with only_here(folder, shown, "measurements of this model"):
        if (folder / "key").is_file() and (folder / "key").read_text(encoding="utf-8") != key:
            raise UserError("the folder is that of other measurements", where=str(folder), hint="Delete it.")
        write_atomically(folder / "key", key)
        yield Measurements(folder, key, hands, shown)
