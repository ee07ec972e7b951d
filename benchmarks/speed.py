"""What the speed benchmark measures, in seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import count, islice
from typing import Any

import torch
from torch import nn

from benchmarks import peer
from benchmarks.plans import PREDICTED, How, named, random_plans
from benchmarks.timing import alternate, seconds
from benchmarks.zoo import build, randomise_norms
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.channels.prediction import Prediction
from yolo_prune_check.cli.inspect.overview import overview
from yolo_prune_check.cli.inspect.parts import parts_of
from yolo_prune_check.prune.local import shrink
from yolo_prune_check.prune.norms import norms_of

IMGSZ = 64
BEFORE, IN_A_ROW, READ = 1000, 100, 10
"""Plans that a graph is asked about before single verdicts are timed; those whose mean is then taken; the same of those
of which more than the verdict is read.
"""

TRIAL, TRACE, COLD = "trial and error", "trace", "one verdict, first on its graph"
PLAN, WARM, REASONS, DETAILS, REPAIR = "plan", "one verdict", "failure and hazards", "all details", "repair"
INSPECT = "inspect"
PEER_BUILD, PEER_STEP = "Torch-Pruning build", "Torch-Pruning step"


@dataclass
class Speed:
    """All measurements, in seconds.

    Attributes:
        model: The model of ``one_plan`` and ``many``.
        one_plan: Medians by what was timed.
        building: The same by model, for tracing and for Torch-Pruning.
        many: By execution and number of plans ``(first on its graph, later)``, per plan; None where it was left out.
        growing: Medians and sizes by model.
    """

    model: str
    one_plan: dict[str, float] = field(default_factory=dict)
    building: dict[str, dict[str, float]] = field(default_factory=dict)
    many: dict[str, dict[int, tuple[float, float] | None]] = field(default_factory=dict)
    growing: dict[str, dict[str, float]] = field(default_factory=dict)


def one_plan(name: str, repeats: int) -> dict[str, float]:
    """One plan after another, a new one each time, under execution ``local`` unless another is named."""
    model = _model(name)
    graph = ChannelGraph.trace(model, imgsz=IMGSZ)
    fresh = _fresh_plans(graph, ("local", "silent"))
    for how in PREDICTED:
        _verdict_each(graph, _fresh_plans(graph, how), BEFORE)
    timed: dict[str, Callable[[], float]] = {
        TRIAL: _trial_and_error(model, graph, fresh),
        TRACE: lambda: seconds(lambda: ChannelGraph.trace(model, imgsz=IMGSZ)),
        COLD: lambda: _verdict(ChannelGraph.trace(model, imgsz=IMGSZ), next(fresh)),
        PLAN: lambda: _making(fresh),
        **{f"{WARM}: {named(how)}": _one_by_one(graph, how) for how in PREDICTED},
        REASONS: _reading(graph, fresh, lambda p: (p.verdict, p.failure, p.hazards)),
        DETAILS: _reading(
            graph, fresh, lambda p: (p.verdict, p.failure, p.hazards, p.layers, p.edges, p.shapes, p.params, p.macs)
        ),
        REPAIR: _reading(graph, fresh, lambda p: p.repair),
    }
    return alternate(timed, repeats)


def building(name: str, repeats: int) -> dict[str, float]:
    """Tracing against Torch-Pruning's build, on the same model: every C2f replaced, as Torch-Pruning needs it.

    Its pruning step is timed on a copy; building and preparing the pruner are not in that time.
    """
    model, _ = peer.helped(name, "C2f replaced, head and attention ignored")
    stock = build(name)
    timed: dict[str, Callable[[], float]] = {
        TRACE: lambda: seconds(lambda: ChannelGraph.trace(model, imgsz=IMGSZ)),
        f"{TRACE}, stock": lambda: seconds(lambda: ChannelGraph.trace(stock, imgsz=IMGSZ)),
    }
    if peer.available():
        timed[PEER_BUILD] = lambda: seconds(lambda: peer.build_graph(model, IMGSZ))
        timed[PEER_STEP] = lambda: _step(name)
    return alternate(timed, repeats)


def many(name: str, counts: Sequence[int], limit: float) -> dict[str, dict[int, tuple[float, float] | None]]:
    """``predict_many`` by execution and number of plans: seconds per plan, on a fresh graph and again with new plans.

    Args:
        name: The model.
        counts: Numbers of plans, ascending.
        limit: Once a count can be expected to take more seconds than this, it is left out.
    """
    model = _model(name)
    table: dict[str, dict[int, tuple[float, float] | None]] = {}
    for how in PREDICTED:
        row: dict[int, tuple[float, float] | None] = {}
        each = 0.0
        for number in counts:
            if each * number > limit:
                row[number] = None
                continue
            taken = alternate(_together(model, how, number), 5 if number <= 100 else 3)
            each = taken["warm"] / number
            row[number] = taken["cold"] / number, each
        table[named(how)] = row
    return table


def growing(name: str, repeats: int) -> dict[str, float]:
    """Sizes of a model, and how long tracing, a verdict, ``inspect`` after tracing and trial and error take."""
    model = _model(name)
    graph = ChannelGraph.trace(model, imgsz=IMGSZ)
    fresh = _fresh_plans(graph, ("local", "silent"))
    _verdict_each(graph, fresh, BEFORE)
    batch = 1000

    def together() -> float:
        plans = [next(fresh) for _ in range(batch)]
        return seconds(lambda: _verdicts(graph, plans)) / batch

    taken = alternate(
        {
            TRIAL: _trial_and_error(model, graph, fresh),
            TRACE: lambda: seconds(lambda: ChannelGraph.trace(model, imgsz=IMGSZ)),
            COLD: lambda: _verdict(ChannelGraph.trace(model, imgsz=IMGSZ), next(fresh)),
            WARM: lambda: _verdict_each(graph, fresh, IN_A_ROW),
            INSPECT: lambda: _inspecting(name, model),
        },
        repeats,
    )
    taken |= alternate({"many": together}, 3)
    sizes = {"parameters": sum(graph.program.sizes.values()), "layers": len(graph.layers)}
    return {**sizes, "operators": len(graph.program.ops), **taken}


def _model(name: str) -> nn.Module:
    model = build(name)
    randomise_norms(model, 0)
    return model


def _fresh_plans(graph: ChannelGraph, how: How, first: int = 0) -> Iterator[Plan]:
    """Ever new plans, from a first seed on."""
    for seed in count(first):
        for steps in random_plans(graph, 100, seed):
            yield Plan(steps, *how)


def _trial_and_error(model: nn.Module, graph: ChannelGraph, plans: Iterator[Plan]) -> Callable[[], float]:
    """What one does without a prediction: copy, cut, run. Which batch norms belong to the layers is known before."""
    norms = norms_of(model, list(graph.layers), imgsz=IMGSZ)
    image = torch.rand(1, 3, IMGSZ, IMGSZ)

    def attempt(plan: Plan) -> None:
        pruned = deepcopy(model)
        shrink(pruned, plan, norms)
        with torch.no_grad():
            try:
                pruned(image)
            except (RuntimeError, IndexError, ValueError):
                return

    def timed() -> float:
        plan = next(plans)
        return seconds(lambda: attempt(plan))

    return timed


def _verdict(graph: ChannelGraph, plan: Plan) -> float:
    return seconds(lambda: predict(graph, plan).verdict)


def _one_by_one(graph: ChannelGraph, how: How) -> Callable[[], float]:
    fresh = _fresh_plans(graph, how, first=BEFORE)
    return lambda: _verdict_each(graph, fresh, IN_A_ROW)


def _verdict_each(graph: ChannelGraph, plans: Iterator[Plan], number: int) -> float:
    """Seconds per plan, each predicted by itself."""
    taken = list(islice(plans, number))

    def ask() -> None:
        for plan in taken:
            predict(graph, plan).verdict  # noqa: B018  # reading it is what is timed

    return seconds(ask) / number


def _making(plans: Iterator[Plan]) -> float:
    """Seconds that it takes to make a plan of its steps."""
    taken = [plan.steps for plan in islice(plans, IN_A_ROW)]

    def make() -> None:
        for steps in taken:
            Plan(steps, "local")

    return seconds(make) / IN_A_ROW


def _reading(graph: ChannelGraph, plans: Iterator[Plan], read: Callable[[Prediction], Any]) -> Callable[[], float]:
    """Seconds per plan; the mean of some, as plans that break late take longer."""

    def timed() -> float:
        taken = list(islice(plans, READ))

        def ask() -> None:
            for plan in taken:
                read(predict(graph, plan))

        return seconds(ask) / READ

    return timed


def _inspecting(name: str, model: nn.Module) -> float:
    graph = ChannelGraph.trace(model, imgsz=IMGSZ)
    return seconds(lambda: overview(name, graph, parts_of(model, graph)))


def _together(model: nn.Module, how: How, number: int) -> dict[str, Callable[[], float]]:
    graph = ChannelGraph.trace(model, imgsz=IMGSZ)
    fresh = _fresh_plans(graph, how)
    _verdicts(graph, [next(fresh)])

    def cold() -> float:
        untouched = ChannelGraph.trace(model, imgsz=IMGSZ)
        plans = [next(fresh) for _ in range(number)]
        return seconds(lambda: _verdicts(untouched, plans))

    def warm() -> float:
        plans = [next(fresh) for _ in range(number)]
        return seconds(lambda: _verdicts(graph, plans))

    return {"cold": cold, "warm": warm}


def _verdicts(graph: ChannelGraph, plans: Sequence[Plan]) -> int:
    """How many plans are unsafe: every verdict is read."""
    return int(graph.predict_many(plans).unsafe.sum())


def _step(name: str) -> float:
    model, ignored = peer.helped(name, "C2f replaced, head and attention ignored")
    return peer.halve(model, ignored, IMGSZ)
