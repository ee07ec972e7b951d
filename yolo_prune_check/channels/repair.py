"""The smallest change that makes an unsafe plan safe."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from itertools import combinations
from math import comb

import numpy as np

from yolo_prune_check.channels.completion import complete
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.prediction import Repair
from yolo_prune_check.channels.provenance import ChannelRange, listed
from yolo_prune_check.channels.removal import find_removal, named_by

_TRIED = 1_000
"""Plans whose verdicts are asked for in search of fewer drops: every part of a plan of 9 steps, two drops of 44."""

_LEVELLED = 17_000
"""Balances looked at for these verdicts under ``group``: fewer plans are tried where a model has more than 17."""

_COMPLETED = 100
"""Plans that are completed by partner channels in this search, each in about the time of several verdicts."""


def find_repair(graph: ChannelGraph, plan: Plan) -> Repair | None:
    """The repair of an unsafe plan, if one is found.

    Tried in this order: mask silently (for ``mask: weights``); remove with each channel all that has to go with it
    (``local`` becomes ``group``); keep the plan as it is; carry it out by ``mask``. In each, steps are dropped until
    the rest is safe: the fewest that will do, where up to ``_TRIED`` plans tell (fewer where each verdict takes long:
    ``_LEVELLED``); else so that none of them can be put back. Before a step is dropped from a plan by ``group``, or
    this is masked, the plan is completed, where all that it names would be kept for symmetry: by the partner channels
    in the other pieces, heads or conv groups (``completion.complete``; for up to ``_COMPLETED`` parts of the plan). To
    remove a few more is nearer to what was meant than not to remove a layer's channels, or to make none of them
    narrower.
    """
    for base, words in _bases(plan):
        found = _fewest_drops(graph, base)
        if found is not None:
            repaired, numbers = found
            rest = _of(base, [number for number in range(len(plan.steps)) if number not in numbers])
            return _repair(graph, plan, words, rest, repaired, numbers)
    return None


def _repair(
    graph: ChannelGraph, plan: Plan, words: str, rest: Plan, repaired: Plan, numbers: tuple[int, ...]
) -> Repair:
    """A repair of the plan with its message: what to say of the base, what goes besides, which steps are dropped."""
    extra, sentences = tuple[ChannelRange, ...](), [words] if words else []
    if repaired.execution == "group":
        extra, told = _extra(graph, rest, repaired, changed=plan.execution != "group")
        sentences += told
    if numbers:
        sentences.append(f"Drop the step on {', '.join(_named(plan, number) for number in numbers)}.")
    layers = tuple(dict.fromkeys(plan.layers[number] for number in numbers))
    return Repair(repaired, layers, numbers, extra, " ".join(sentences))


def _bases(plan: Plan) -> list[tuple[Plan, str]]:
    """Plans to start from, with what to say of each."""
    silent = Plan(plan.steps, "mask")
    if plan.execution == "mask":
        if plan.mask == "silent":
            return [(plan, "")]
        return [(silent, "Mask with `mask: silent`, which zeroes BatchNorm weight and bias as well."), (plan, "")]
    bases = [(plan, ""), (silent, f"Carry the plan out with execution `mask` instead of `{plan.execution}`.")]
    if plan.execution == "local":
        whole = plan.with_steps(plan.steps, "group")
        bases.insert(0, (whole, "Carry the plan out with execution `group`, which removes whole dependency groups."))
    return bases


def _extra(
    graph: ChannelGraph, rest: Plan, repaired: Plan, *, changed: bool
) -> tuple[tuple[ChannelRange, ...], list[str]]:
    """Channels that go beyond those that the steps name which are not dropped, and what to say of them.

    Args:
        graph: The channel graph.
        rest: The plan's steps that are not dropped.
        repaired: The same, perhaps completed.
        changed: Whether the plan was meant for another execution, and with it what is tied is news.
    """
    channels, named, completed = graph.provenance.channels, named_by(graph, rest), named_by(graph, repaired)
    goes = ~find_removal(graph, repaired).stays
    partners, tied = channels.ranges(np.flatnonzero(completed & ~named)), np.flatnonzero(goes & ~completed)
    told = []
    if partners:
        told.append(f"Remove {listed(partners)} as well, so that equally many go where equally many must stay.")
    if len(tied) and (partners or changed):
        cause = "these" if partners else "the plan's channels"
        told.append(f"With {cause} go {listed(channels.ranges(tied))}.")
    return channels.ranges(np.flatnonzero(goes & ~named)), told


def _fewest_drops(graph: ChannelGraph, plan: Plan) -> tuple[Plan, tuple[int, ...]] | None:
    """Drop as few steps as will do; the plan without them, completed where that takes it, and their positions in it."""
    count, parts = len(plan.steps), _Parts(graph, plan)
    tried = min(_TRIED, _LEVELLED // max(1, len(graph.partition.levels))) if plan.execution == "group" else _TRIED
    kept = _irreducible(count, parts.safe)
    for drops in range(count if kept is None else count - len(kept)):
        if sum(comb(count, fewer) for fewer in range(drops + 1)) > tried:
            break
        rests = combinations(range(count), count - drops)  # the first keeps the first steps
        found = next((rest for rest in rests if parts.safe(rest)), None)
        if found is not None:
            kept = found
            break
    repaired = None if kept is None else parts.repaired(kept)
    if kept is None or repaired is None:
        return None
    return repaired, tuple(number for number in range(count) if number not in kept)


class _Parts:
    """Parts of a plan, each of them completed where that is what makes it safe."""

    def __init__(self, graph: ChannelGraph, plan: Plan) -> None:
        self._graph = graph
        self._plan = plan
        self._completed: dict[tuple[int, ...], Plan | None] = {}

    def safe(self, kept: Collection[int]) -> bool:
        """Whether the plan with these of its steps is safe, or can be completed to be so."""
        return self.repaired(kept) is not None

    def repaired(self, kept: Collection[int]) -> Plan | None:
        """The plan with these of its steps, completed if only that is safe; None if neither is."""
        part = _of(self._plan, kept)
        if kept and self._graph.verdicts.of(part)[0] == "safe":
            return part
        if part.execution != "group":
            return None
        steps = tuple(kept)
        if steps not in self._completed:
            if len(self._completed) >= _COMPLETED:
                return None
            self._completed[steps] = complete(self._graph, part)
        return self._completed[steps]


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
    return plan.with_steps(plan.steps[number] for number in kept)


def _named(plan: Plan, number: int) -> str:
    """A step by its layer, and by its number as well where that layer has several."""
    layer = plan.layers[number]
    return layer if plan.layers.count(layer) == 1 else f"{layer} (step {number + 1})"
