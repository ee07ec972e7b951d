"""The smallest change that makes an unsafe plan safe."""

from __future__ import annotations

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.prediction import Repair
from yolo_prune_check.channels.provenance import ChannelRange, listed
from yolo_prune_check.channels.removal import find_removal


def find_repair(graph: ChannelGraph, plan: Plan) -> Repair | None:
    """The repair of an unsafe plan, if one is found.

    Tried in this order: mask silently (for ``mask: weights``); remove with each channel all that has to go with it
    (``local`` becomes ``group``); keep the plan as it is; carry it out by ``mask``. In each, steps are dropped until
    the rest is safe, and none of them could be put back. Under ``mask`` a step is safe or not whatever the others are,
    so that no fewer would do.
    """
    for base, words in _bases(plan):
        found = _fewest_drops(graph, base)
        if found is None:
            continue
        repaired, dropped = found
        extra = _extra(graph, repaired) if repaired.execution == "group" else ()
        sentences = [words]
        if extra and plan.execution != "group":
            sentences.append(f"With the plan's channels go {listed(extra)}.")
        if dropped:
            sentences.append(f"Drop the step on {', '.join(dropped)}.")
        return Repair(repaired, dropped, extra, " ".join(filter(None, sentences)))
    return None


def _bases(plan: Plan) -> list[tuple[Plan, str]]:
    """Plans to start from, with what to say of each."""
    silent = Plan(plan.steps, "mask")
    if plan.execution == "mask":
        if plan.mask == "silent":
            return [(plan, "")]
        return [(silent, "Mask with `mask: silent`, which zeroes BatchNorm weight and bias as well."), (plan, "")]
    bases = [(plan, ""), (silent, f"Carry the plan out with execution `mask` instead of `{plan.execution}`.")]
    if plan.execution == "local":
        whole = Plan(plan.steps, "group")
        bases.insert(0, (whole, "Carry the plan out with execution `group`, which removes whole dependency groups."))
    return bases


def _extra(graph: ChannelGraph, plan: Plan) -> tuple[ChannelRange, ...]:
    """Channels that go beyond those that the steps name."""
    return find_removal(graph, plan).added


def _fewest_drops(graph: ChannelGraph, plan: Plan) -> tuple[Plan, tuple[str, ...]] | None:
    """Drop steps until the plan is safe, then put back each that was not needed to be dropped."""

    def safe(steps: tuple[Step, ...]) -> bool:
        return bool(steps) and graph.verdicts.of(_with(plan, steps))[0] == "safe"

    if safe(plan.steps):
        return plan, ()
    steps = tuple(step for step in plan.steps if safe((step,)))
    while steps and not safe(steps):
        steps = steps[:-1]
    if not steps:
        return None
    for step in plan.steps:
        if step not in steps:
            extended = tuple(other for other in plan.steps if other in steps or other is step)
            steps = extended if safe(extended) else steps
    dropped = tuple(dict.fromkeys(step.layer for step in plan.steps if step not in steps))
    return _with(plan, steps), dropped


def _with(plan: Plan, steps: tuple[Step, ...]) -> Plan:
    return Plan(steps, plan.execution, plan.mask)
