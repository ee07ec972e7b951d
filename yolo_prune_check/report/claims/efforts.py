"""How much experiments train: only as much training at the end tells whether it must be between the steps."""

from __future__ import annotations

import re

from yolo_prune_check.report.claims.contrasts import AFTER_EACH, AFTER_LAST, training
from yolo_prune_check.report.claims.ruling import Ruling, Verdict
from yolo_prune_check.report.comparison.matrix import Comparison, done, final_score
from yolo_prune_check.run.record import Record

_EPOCHS = re.compile(r"^(\d+) epochs?\b")
_SHARE = re.compile(r" on (\d+)% of the images")


def effort(record: Record) -> float:
    """How often a record's training sees all images: epochs times their share, times the steps that it follows.

    Raises:
        ValueError: The record's words on its training do not say how many epochs.
    """
    if record.fine_tune is None:
        return 0.0
    epochs, share = _EPOCHS.search(record.fine_tune), _SHARE.search(record.fine_tune)
    if epochs is None:
        raise ValueError(f"no epochs in {record.fine_tune!r}")
    rounds = 1 if training(record) == AFTER_LAST else len(done(record))
    return int(epochs[1]) * rounds * (int(share[1]) if share else 100) / 100


def unequal_ways(experiments: tuple[Comparison, ...]) -> Ruling:
    """Trainings that do not see as many images cannot be held against each other."""
    each, last = (
        " or ".join(f"{epochs:g}" for epochs in sorted(_efforts(experiments, way))) for way in (AFTER_EACH, AFTER_LAST)
    )
    words = (
        f"Counted in epochs of all images, training after each step came to {each}, and training after the last to "
        f"{last}: which of the two is better says nothing of when to train. Needs an experiment in which both are "
        "equal: epochs × fraction × steps."
    )
    return Ruling(Verdict.UNDECIDED, words, experiments=experiments)


def equal_ways(experiments: tuple[Comparison, ...], way: str) -> str:
    """How much is trained in one way, where the other way is trained as much; in words."""
    equal = _efforts(experiments, AFTER_EACH) & _efforts(experiments, AFTER_LAST)
    found = {record.fine_tune or "" for record in _going(experiments, way) if effort(record) in equal}
    return " or ".join(sorted(found))


def _efforts(experiments: tuple[Comparison, ...], way: str) -> set[float]:
    return {effort(record) for record in _going(experiments, way) if final_score(record) is not None}


def _going(experiments: tuple[Comparison, ...], way: str) -> list[Record]:
    return [record for each in experiments for record in each.records if training(record) == way]
