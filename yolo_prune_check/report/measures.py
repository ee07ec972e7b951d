"""What the numbers are called that say how good a model is: mAP, or a classifier's accuracy."""

from __future__ import annotations

from collections.abc import Iterable

from yolo_prune_check.run.record import Record
from yolo_prune_check.scores import Accuracy, MeanAveragePrecision


def measure_of(record: Record) -> type[MeanAveragePrecision] | type[Accuracy]:
    """The measure of a record's model; mAP, that of most tasks, where nothing was measured."""
    return Accuracy if isinstance(record.metrics.scores_before, Accuracy) else MeanAveragePrecision


def first_names(records: Iterable[Record]) -> str:
    """Names of the numbers that sentences about these records tell: ``mAP50``, ``mAP50 or top-1 accuracy``."""
    members = tuple(records)
    measured = [record for record in members if record.metrics.scores_before is not None]
    names = {measure_of(record).names[0] for record in measured or members}
    return " or ".join(sorted(names, key=str.lower)) or MeanAveragePrecision.names[0]
