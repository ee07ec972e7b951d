"""The smallest change that makes an unsafe plan safe."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from itertools import combinations
from math import comb

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.prediction import Repair
from yolo_prune_check.channels.provenance import ChannelRange, listed
from yolo_prune_check.channels.removal import find_removal

_TRIED = 1_000
"""Plans whose verdicts are asked for in search of fewer drops: every part of a plan of 9 steps, two drops of 44."""


def find_repair(graph: ChannelGraph, plan: Plan) -> Repair | None:
    """The repair of an unsafe plan, if one is found.

    Tried in this order: mask silently (for ``mask: weights``); remove with each channel all that has to go with it
    (``local`` becomes ``group``); keep the plan as it is; carry it out by ``mask``. In each, steps are dropped until
    the rest is safe: the fewest that will do, where up to ``_TRIED`` plans tell; else so that none of them can be put
    back.
    """
    for base, words in _bases(plan):
        found = _fewest_drops(graph, base)
        if found is None:
            continue
        repaired, numbers = found
        dropped = tuple(_named(plan, number) for number in numbers)
        extra = _extra(graph, repaired) if repaired.execution == "group" else ()
        sentences = [words]
        if extra and plan.execution != "group":
            sentences.append(f"With the plan's channels go {listed(extra)}.")
        if dropped:
            sentences.append(f"Drop the step on {', '.join(dropped)}.")
        layers = tuple(dict.fromkeys(plan.layers[number] for number in numbers))
        return Repair(repaired, layers, numbers, extra, " ".join(filter(None, sentences)))
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


def _fewest_drops(graph: ChannelGraph, plan: Plan) -> tuple[Plan, tuple[int, ...]] | None:
    """Drop as few steps as will do; the plan without them and their positions in it."""
    count = len(plan.steps)

    def safe(kept: Collection[int]) -> bool:
        return bool(kept) and graph.verdicts.of(_of(plan, kept))[0] == "safe"

    kept = _irreducible(count, safe)
    for drops in range(count if kept is None else count - len(kept)):
        if sum(comb(count, fewer) for fewer in range(drops + 1)) > _TRIED:
            break
        rests = combinations(range(count), count - drops)  # the first keeps the first steps
        found = next((rest for rest in rests if safe(rest)), None)
        if found is not None:
            kept = found
            break
    if kept is None:
        return None
    return _of(plan, kept), tuple(number for number in range(count) if number not in kept)


def _irreducible(count: int, safe: Callable[[Collection[int]], bool]) -> tuple[int, ...] | None:
    """Steps that are safe together, and with none of the others; None if it finds none."""
    kept = [number for number in range(count) if safe((number,))]
    while kept and not safe(kept):
        kept.pop()
    if not kept:
        return None
    growing = True
    while growing:
        growing = False
        for number in range(count):
            extended = sorted({*kept, number})
            if number not in kept and safe(extended):
                kept, growing = extended, True
    return tuple(kept)


def _of(plan: Plan, kept: Iterable[int]) -> Plan:
    """The plan with these of its steps."""
    return Plan([plan.steps[number] for number in kept], plan.execution, plan.mask)


def _named(plan: Plan, number: int) -> str:
    """A step by its layer, and by its number as well where that layer has several."""
    layer = plan.layers[number]
    return layer if plan.layers.count(layer) == 1 else f"{layer} (step {number + 1})"
