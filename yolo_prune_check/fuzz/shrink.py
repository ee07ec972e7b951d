"""Make a plan smaller while it still shows what it shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from yolo_prune_check.channels.plan import Plan, Step

BUDGET = 300
"""Plans that are tried on the way, at most: each is a run of the model."""


def shrink(plan: Plan, shows: Callable[[Plan], bool], *, budget: int = BUDGET) -> Plan:
    """A plan with as few steps, and then as few and as low kept channels, as can be found.

    Deterministic: it depends on nothing but the plan and the answers.

    Args:
        plan: A plan for which ``shows`` is true.
        shows: Whether a smaller plan still does.
        budget: How many plans are asked about, at most.
    """
    asked: set[Plan] = {plan}
    improved = True
    while improved:
        improved = False
        for candidate in _smaller(plan):
            if candidate in asked or _size(candidate) >= _size(plan):
                continue
            if len(asked) > budget:
                return plan
            asked.add(candidate)
            if shows(candidate):
                plan, improved = candidate, True
                break
    return plan


def shrink_removed(
    plan: Plan, widths: Mapping[str, int], shows: Callable[[Plan], bool], *, budget: int = BUDGET
) -> Plan:
    """A plan with as few steps, and then as few and as low *removed* channels, as can be found.

    Args:
        plan: A plan for which ``shows`` is true.
        widths: Number of channels, by layer.
        shows: Whether a smaller plan still does.
        budget: How many plans are asked about, at most.
    """

    def mirrored(other: Plan) -> Plan:
        kept = other.kept().items()
        steps = [Step(layer, sorted({*range(widths[layer])}.difference(keep))) for layer, keep in kept]
        return other.with_steps(steps)

    return mirrored(shrink(mirrored(plan), lambda removed: shows(mirrored(removed)), budget=budget))


def _size(plan: Plan) -> tuple[int, int, int]:
    kept = [step.keep for step in plan.steps]
    return len(kept), sum(map(len, kept)), sum(map(sum, kept))


def _smaller(plan: Plan) -> Iterator[Plan]:
    """Smaller plans, the boldest first."""
    steps = plan.steps

    def other(changed: tuple[Step, ...]) -> Plan:
        return plan.with_steps(changed)

    yield other(tuple(Step(layer, keep) for layer, keep in plan.kept().items()))  # a layer named twice, once
    if len(steps) > 1:
        yield from (other((step,)) for step in steps)
        yield from (other((*steps[:index], *steps[index + 1 :])) for index in range(len(steps)))
    for index, step in enumerate(steps):
        for keep in _fewer(step.keep):
            yield other((*steps[:index], Step(step.layer, keep), *steps[index + 1 :]))


def _fewer(keep: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    yield (0,)
    yield keep[:1]
    yield ()
    yield tuple(range(len(keep)))
    length = len(keep)
    while length > 1:
        length = (length + 1) // 2
        for start in range(0, len(keep), length):
            fewer = keep[:start] + keep[start + length :]
            yield tuple(range(len(fewer)))
            yield fewer
        if length == 1:
            return
