"""A predicted repair, as a record keeps it."""

from __future__ import annotations

from yolo_prune_check.channels.prediction import Prediction
from yolo_prune_check.run.record import RemovalRecord, RepairRecord


def repair_record(prediction: Prediction) -> RepairRecord | None:
    """The repair of an unsafe prediction; None if there is none, or nothing to repair."""
    repair = prediction.repair
    if repair is None:
        return None
    extra: dict[str, list[int]] = {}
    for part in repair.extra:
        extra.setdefault(part.layer, []).extend(range(part.start, part.stop))
    return RepairRecord(
        message=repair.message,
        drop=repair.drop,
        extra=tuple(RemovalRecord(layer, tuple(sorted(channels))) for layer, channels in extra.items()),
        execution=repair.plan.execution,
        mask=repair.plan.mask,
    )
