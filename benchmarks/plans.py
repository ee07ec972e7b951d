"""Plans to try on a model: every layer alone, and random ones. The same seed gives the same plans everywhere."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Execution, MaskKind, Step

Steps = tuple[Step, ...]
How = tuple[Execution, MaskKind]

HOW: tuple[How, ...] = (("local", "silent"), ("mask", "silent"), ("mask", "weights"))
"""The executions that keep a model's wiring: how often they go as predicted is measured by ``benchmarks.agreement``."""

PREDICTED: tuple[How, ...] = (*HOW, ("group", "silent"), ("adapter", "silent"))
"""All executions; those of ``group`` are proven by ``benchmarks.equality``."""


def named(how: How) -> str:
    """An execution as tables name it: ``local``, ``mask`` or ``mask: weights``."""
    execution, mask = how
    return execution if mask == "silent" else f"{execution}: {mask}"


def single_layers(graph: ChannelGraph) -> Iterator[Steps]:
    """Every layer alone, cut to half and to one channel."""
    for name, layer in graph.layers.items():
        yield (Step(name, range(max(1, layer.out_channels // 2))),)
        yield (Step(name, [0]),)


def random_plans(graph: ChannelGraph, count: int, seed: int | str) -> Iterator[Steps]:
    """Plans of 2 to 6 steps (fewer where the model has fewer layers)."""
    draw = random.Random(seed)
    names = list(graph.layers)
    for _ in range(count):
        chosen = draw.sample(names, min(len(names), draw.randint(2, 6)))
        yield tuple(Step(name, _kept(draw, graph.layers[name].out_channels)) for name in chosen)


def _kept(draw: random.Random, width: int) -> Sequence[int]:
    count = draw.choice([1, max(1, width // 2), width, draw.randint(1, width)])
    return draw.sample(range(width), count)
