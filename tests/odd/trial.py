"""Plans on one model, for each layer alone and random ones: does all that speaks about a plan agree with execution?"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

import torch
from torch import nn

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.judge import judge
from yolo_prune_check.channels.plan import Execution, MaskKind, Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.channels.prediction import Prediction
from yolo_prune_check.confirm import confirm

IMGSZ: Final = 64
EXECUTED: Final[tuple[tuple[Execution, MaskKind], ...]] = (
    ("local", "silent"),
    ("mask", "silent"),
    ("mask", "weights"),
)
WAYS: Final[tuple[tuple[Execution, MaskKind], ...]] = (*EXECUTED, ("group", "silent"), ("adapter", "silent"))


def findings(
    model: nn.Module, plans_each: int = 8, seed: int = 0, ways: tuple[tuple[Execution, MaskKind], ...] = WAYS
) -> list[str]:
    """What is wrong on each layer alone and on ``plans_each`` random plans per way of execution; or nothing."""
    before = {name: value.clone() for name, value in model.state_dict().items()}
    graph = ChannelGraph.trace(model, IMGSZ)
    after = model.state_dict()
    wrong = [f"tracing changed {name}" for name, value in before.items() if not torch.equal(value, after[name])]
    if not graph.layers:
        return wrong
    rng = random.Random(seed)
    plans = [*alone(graph), *(draw(graph, rng, *way) for _ in range(plans_each) for way in ways)]
    for plan, packed in zip(plans, graph.predict_many(plans), strict=True):
        for what in (*_contradictions(graph, plan, packed), *_refutations(model, graph, plan)):
            wrong.append(f"{_words(plan)}: {what}")
    return wrong


def alone(graph: ChannelGraph) -> Iterator[Plan]:
    """Every layer by itself, shrunk to one channel, which may be broadcast, and to half of its channels."""
    for name, layer in graph.layers.items():
        for width in sorted({1, layer.out_channels // 2} - {0, layer.out_channels}):
            yield Plan([Step(name, range(width))], "local")


def draw(graph: ChannelGraph, rng: random.Random, execution: Execution, mask: MaskKind) -> Plan:
    """A plan of one to all layers, now and then with a layer named twice."""
    names = list(graph.layers)
    count = min(len(names), rng.choice([1, 1, 1, 2, 3, 5, len(names)]))
    chosen = rng.choices(names, k=count) if rng.random() < 0.3 else rng.sample(names, count)
    return Plan([Step(name, _keep(graph.layers[name].out_channels, rng)) for name in chosen], execution, mask)


def _keep(width: int, rng: random.Random) -> list[int]:
    """Halves, every other channel, one, none, all or any subset."""
    everything = list(range(width))
    kinds = [
        (30, everything[: width // 2]),
        (10, [rng.randrange(width)]),
        (5, []),
        (5, everything),
        (15, everything[width // 2 :]),
        (15, everything[::2]),
        (20, sorted(rng.sample(everything, rng.randint(1, width)))),
    ]
    return rng.choices([keep for _, keep in kinds], [weight for weight, _ in kinds])[0]


def _contradictions(graph: ChannelGraph, plan: Plan, packed: Prediction) -> Iterator[str]:
    """Where predict, judge, predict_many and the repair contradict each other."""
    alone, judged = predict(graph, plan), judge(graph, plan)
    for name, other in (("judge", judged), ("predict_many", packed)):
        if other.verdict != alone.verdict:
            yield f"predict says {alone.verdict}, {name} {other.verdict}"
        if other.failure != alone.failure:
            yield f"predict says {alone.failure}, {name} {other.failure}"
    if alone.verdict == "unsafe" and alone.repair is not None:
        repaired = judge(graph, alone.repair.plan)
        if repaired.verdict != "safe":
            yield f"the repair is unsafe: {[hazard.code for hazard in repaired.hazards]} of {_words(alone.repair.plan)}"


def _refutations(model: nn.Module, graph: ChannelGraph, plan: Plan) -> Iterator[str]:
    """Where execution shows something else than the prediction."""
    yield from (str(difference) for difference in confirm(model, plan, predict(graph, plan), graph=graph).differences)


def _words(plan: Plan) -> str:
    steps = ", ".join(f"{step.layer} keeps {list(step.keep)}" for step in plan.steps)
    return f"{plan.execution}/{plan.mask} {steps}"
