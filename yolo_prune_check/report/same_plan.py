"""Which scenarios carry the same plan out in different ways."""

from __future__ import annotations

from collections.abc import Iterable

from yolo_prune_check.run.record import Record

_ORDER = ("mask", "local", "group", "adapter")

SamePlan = tuple[Record, ...]
"""Records of one plan, by execution."""


def plan_key(record: Record) -> tuple[object, ...]:
    """What a plan is, apart from how it is carried out: records with equal keys are of the same plan.

    It is all that a scenario says of the model, the data, the device, the layers, the choice of channels, their order,
    and the training between. Not part of it are the execution and what belongs to one alone (``mask``, ``extend``,
    ``round_to``); names, reasons and expectations; where the scenario is written; and all that came of it.
    """
    return (
        record.model,
        record.data,
        record.val_part,
        record.imgsz,
        record.device,
        record.blocks,
        record.layers,
        record.selected,
        record.activations,
        record.seed,
        record.order,
        record.schedule,
        record.on_mismatch,
        record.fine_tune,
    )


def same_plans(records: Iterable[Record]) -> tuple[SamePlan, ...]:
    """The plans that were carried out in more than one execution, those in most executions first.

    A record that was only predicted, did not run to its end, or is of random plans is left out.
    """
    found: dict[tuple[object, ...], list[Record]] = {}
    for record in records:
        if record.agrees is not None and record.steps and record.verdict != "stopped":
            found.setdefault(plan_key(record), []).append(record)
    several = [sorted(members, key=_place) for members in found.values() if len(executions_of(members)) > 1]
    several.sort(key=lambda members: (-len(executions_of(members)), members[0].spec, members[0].id))
    return tuple(map(tuple, several))


def executions_of(records: Iterable[Record]) -> frozenset[str]:
    """The executions that occur."""
    return frozenset(record.execution for record in records)


def _place(record: Record) -> tuple[object, ...]:
    return _ORDER.index(record.execution), record.mask, record.spec, record.id
