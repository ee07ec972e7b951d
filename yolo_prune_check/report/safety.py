"""How a failure comes about, and what would make its plan safe: lines for the page of a suite."""

from __future__ import annotations

from collections.abc import Sequence

from yolo_prune_check.report.markdown import code, text
from yolo_prune_check.run.record import MismatchRecord, RepairRecord, StepRecord


def path_line(failure: MismatchRecord) -> str:
    """The operators from the pruned layer to the break; empty where they are not known."""
    return f"how it gets there: {' → '.join(code(part) for part in failure.path)}" if failure.path else ""


def repair_line(repair: RepairRecord) -> str:
    """The repair in words."""
    return f"what would make it safe: {text(repair.message)}"


def repair_of_plan(steps: Sequence[StepRecord]) -> str:
    """The repair of a plan that runs and is still unsafe; empty for any other.

    A step that did not run has its own repair beside its failure.
    """
    if any(step.status in ("failed", "skipped") for step in steps):
        return ""
    repair = steps[-1].repair if steps else None
    return f"**Repair**: {repair_line(repair)}" if repair is not None else ""
