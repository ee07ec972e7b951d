"""Plans from a random generator: the same seed gives the same plans, on every machine.

Hypothesis draws from the same patterns (``yolo_prune_check.strategies``), but what it draws for a seed changes with its
version and with the constants of whatever modules are imported; a record must not.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence

from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.fuzz.ground import Ground, Way
from yolo_prune_check.fuzz.keep import Layer, Source, T, draw_keep

REPEATS = 20
"""One plan of this many may name a layer more than once."""


class Generator:
    """Choices from ``random.Random``."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def pick(self, options: Sequence[T]) -> T:
        """One of these."""
        return self._random.choice(options)

    def integer(self, low: int, high: int) -> int:
        """A number from ``low`` to ``high``, both included."""
        return self._random.randint(low, high)

    def some(self, count: int) -> Iterable[int]:
        """Any of the numbers below ``count``: a share of them that is itself drawn."""
        return self._random.sample(range(count), self._random.randint(0, count))


def random_plans(ground: Ground, ways: Sequence[Way], *, max_steps: int, seed: int) -> Iterator[Plan]:
    """Plans without end.

    Args:
        ground: What they are drawn from.
        ways: How they may be carried out; each is as likely as the others.
        max_steps: Most steps of a plan.
        seed: Which plans.
    """
    source = Generator(seed)
    names = tuple(ground.widths)
    while True:
        way = source.pick(ways)
        repeats = source.integer(1, REPEATS) == REPEATS
        count = source.integer(1, max_steps if repeats else min(max_steps, len(names)))
        steps: list[Step] = []
        while len(steps) < count:
            step = draw_step(source, ground, names)
            if repeats or all(step.layer != other.layer for other in steps):
                steps.append(step)
        yield Plan(steps, way.execution, way.mask)


def draw_step(source: Source, ground: Ground, names: Sequence[str]) -> Step:
    """One step on one of these layers."""
    name = source.pick(names)
    return Step(name, draw_keep(source, Layer(ground.widths[name], ground.slices[name])))
