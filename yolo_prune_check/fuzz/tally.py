"""Counts over tried plans, and the smallest one that must not be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.fuzz.ground import Way
from yolo_prune_check.fuzz.shrink import shrink_removed
from yolo_prune_check.fuzz.trial import Outcome, Trial, Tried


@dataclass(frozen=True)
class Row:
    """What came of the plans that were carried out in one way; ``agreed`` is None where none was carried out."""

    way: Way
    tried: int
    safe: int
    breaks: int
    wrong: int
    agreed: int | None


def tally(tried: Sequence[Tried], ways: Sequence[Way], *, executed: bool = True) -> tuple[Row, ...]:
    """One row for each way, in their order; a way in which no plan was drawn has zeros.

    Args:
        tried: The plans.
        ways: The ways in which they were carried out.
        executed: Whether they were; else none of them agrees with anything, and a crash of the predictor with nothing.
    """
    rows = []
    for way in ways:
        members = [each for each in tried if each.way == way]
        outcomes = [each.outcome for each in members]
        rows.append(
            Row(
                way,
                len(members),
                outcomes.count("safe"),
                outcomes.count("breaks"),
                outcomes.count("wrong"),
                sum(each.agrees is True for each in members) if executed else None,
            )
        )
    return tuple(rows)


def smallest_unsafe(tried: Sequence[Tried], widths: Mapping[str, int]) -> Tried | None:
    """The unsafe plan with the fewest steps, and among those the fewest channels removed; the first of equals.

    One that removes nothing is unsafe as well (`no-op`), but says nothing, and is passed over.
    """
    unsafe = [each for each in tried if each.outcome in ("breaks", "wrong") and removed(each.plan, widths)]
    return min(unsafe, key=lambda each: (len(each.plan.steps), removed(each.plan, widths)), default=None)


def shrunk_unsafe(unsafe: Tried, trial: Trial, widths: Mapping[str, int]) -> Tried:
    """An unsafe plan of the fewest steps and removed channels that break, or are wrong, in the way of this one.

    Args:
        unsafe: A plan that is unsafe and removes something.
        trial: Tries a plan; one that only predicts is fast.
        widths: Number of channels, by layer.
    """
    answers = {unsafe.plan: unsafe}

    def shows(plan: Plan) -> bool:
        answers[plan] = trial(plan)
        return _kind(answers[plan]) == _kind(unsafe) and removed(plan, widths) > 0

    found = shrink_removed(unsafe.plan, widths, shows)
    return answers[found] if found == unsafe.plan or shows(found) else unsafe  # one that names a layer twice was merged


def _kind(tried: Tried) -> tuple[Outcome | None, str]:
    """What is unsafe about it: that it breaks, or the code of its hazard."""
    return tried.outcome, tried.why.partition(" ")[0]


def removed(plan: Plan, widths: Mapping[str, int]) -> int:
    """How many channels a plan takes away."""
    return sum(widths[layer] - len(keep) for layer, keep in plan.kept().items())
