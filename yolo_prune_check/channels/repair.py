"""The smallest change that makes an unsafe plan safe."""

from __future__ import annotations

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.prediction import Repair


def find_repair(graph: ChannelGraph, plan: Plan) -> Repair | None:
    """The repair of an unsafe plan, if one is found.

    Tried in this order: silence the masked channels (for ``mask: weights``), keep the plan as it is, carry it out by
    ``mask``. In each, steps are dropped until a prediction calls the rest safe; none of them could be put back.
    That is not always the fewest possible.
    """
    bases = [(plan, "")]
    if plan.execution == "mask" and plan.mask == "weights":
        silent = Plan(plan.steps, "mask", "silent")
        bases.insert(0, (silent, "Mask with `mask: silent`, which zeroes BatchNorm weight and bias as well."))
    if plan.execution != "mask":
        masked = Plan(plan.steps, "mask")
        bases.append((masked, f"Carry the plan out with execution `mask` instead of `{plan.execution}`."))
    for base, words in bases:
        found = _fewest_drops(graph, base)
        if found is not None:
            repaired, dropped = found
            drop = f"Drop the step on {', '.join(dropped)}." if dropped else ""
            return Repair(repaired, dropped, " ".join(filter(None, (words, drop))))
    return None


def _fewest_drops(graph: ChannelGraph, plan: Plan) -> tuple[Plan, tuple[str, ...]] | None:
    """Drop steps until the plan is safe, then put back each that was not needed to be dropped."""

    def safe(steps: tuple[Step, ...]) -> bool:
        return bool(steps) and graph.verdicts.of(_with(plan, steps))[0] == "safe"

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
