"""A predicted repair, as a record keeps it."""

from __future__ import annotations

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.prediction import Prediction
from yolo_prune_check.run.record import RemovalRecord, RepairRecord


def repair_record(prediction: Prediction, graph: ChannelGraph) -> RepairRecord | None:
    """The repair of an unsafe prediction; None if there is none, or nothing to repair.

    Args:
        prediction: Of a plan on the graph.
        graph: The untouched model's.
    """
    repair = prediction.repair
    if repair is None:
        return None
    before, after = _removed(prediction.plan, graph), _removed(repair.plan, graph)
    extra = {layer: sorted(channels - before.get(layer, set())) for layer, channels in after.items()}
    return RepairRecord(
        message=repair.message,
        drop=repair.drop,
        extra=tuple(RemovalRecord(layer, tuple(channels)) for layer, channels in extra.items() if channels),
        execution=repair.plan.execution,
        mask=repair.plan.mask,
    )


def _removed(plan: Plan, graph: ChannelGraph) -> dict[str, set[int]]:
    return {layer: set(range(graph.layer(layer).out_channels)) - set(keep) for layer, keep in plan.kept().items()}
