"""Plans by ``group`` to carry out on a model. The same seed gives the same plans everywhere."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import count

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.prunable import free_channels

FEW = 5
"""Most layers of a small plan."""
LARGE = 3
"""One plan in so many names a third of all free layers, or more."""


def group_plans(graph: ChannelGraph, seed: str) -> Iterator[Plan]:
    """Random plans without end, by the rules by which the head's layers and others that are frozen stay out.

    Two of three name up to five layers and keep anything from one channel to all but one. The third names many, of
    which it keeps more; of these every second has scores for its channels, and every second rounds widths to 8.
    """
    draw = random.Random(seed)
    free = free_channels(graph)
    layers = [name for name in graph.layers if free[graph.provenance.channels.span(name)].all()]
    for number in count():
        if number % LARGE:
            chosen = draw.sample(layers, draw.randint(1, min(FEW, len(layers))))
            yield Plan([Step(name, _few(draw, graph.layers[name].out_channels)) for name in chosen], "group")
        else:
            chosen = draw.sample(layers, draw.randint(-(-len(layers) // 3), len(layers)))
            yield _large(graph, chosen, draw, scored=number // LARGE % 2 == 0, rounded=number // LARGE % 4 < 2)


def _few(draw: random.Random, width: int) -> Sequence[int]:
    return draw.sample(range(width), draw.choice([1, max(1, width // 2), draw.randint(1, max(1, width - 1))]))


def _large(graph: ChannelGraph, chosen: Sequence[str], draw: random.Random, *, scored: bool, rounded: bool) -> Plan:
    share, steps = draw.uniform(0.5, 0.95), []
    for name in chosen:
        width = graph.layers[name].out_channels
        scores = [draw.random() for _ in range(width)] if scored else None
        steps.append(Step(name, draw.sample(range(width), max(1, round(share * width))), scores))
    return Plan(steps, "group", round_to=8 if rounded else None)
