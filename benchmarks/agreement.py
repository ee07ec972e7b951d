"""Predicted against observed: every layer alone, and random plans, on stock YOLOv8 models.

Run with ``make bench`` or ``python -m benchmarks.agreement [--models …] [--plans 300] [--seed 0] [--json FILE]``.
Exits with 3 if a prediction was refuted.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tabulate import tabulate
from torch import nn

from benchmarks.zoo import randomise_norms
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Execution, MaskKind, Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.confirm.compare import compare
from yolo_prune_check.confirm.observe import observe
from yolo_prune_check.model.load import load_model
from yolo_prune_check.prune.apply import prune

MODELS = ("yolov8n.yaml", "yolov8s.yaml", "yolov8m.yaml")
HOW: tuple[tuple[Execution, MaskKind], ...] = (("local", "silent"), ("mask", "silent"), ("mask", "weights"))


@dataclass
class Tally:
    """Plans of one kind on one model."""

    model: str
    plans: str
    execution: str
    tried: int = 0
    agreed: int = 0
    broke: int = 0
    wrong: int = 0
    seconds_predicting: float = 0.0
    seconds_executing: float = 0.0
    disagreements: list[str] = field(default_factory=list)


def single_layers(graph: ChannelGraph) -> Iterator[tuple[Step, ...]]:
    """Every layer alone, cut to half and to one channel."""
    for name, layer in graph.layers.items():
        yield (Step(name, range(max(1, layer.out_channels // 2))),)
        yield (Step(name, [0]),)


def random_plans(graph: ChannelGraph, count: int, seed: int) -> Iterator[tuple[Step, ...]]:
    """Plans of 2 to 6 steps."""
    draw = random.Random(seed)
    for _ in range(count):
        names = draw.sample(list(graph.layers), draw.randint(2, 6))
        yield tuple(Step(name, _kept(draw, graph.layers[name].out_channels)) for name in names)


def _kept(draw: random.Random, width: int) -> list[int]:
    count = draw.choice([1, max(1, width // 2), width, draw.randint(1, width)])
    return draw.sample(range(width), count)


def measure(source: str, plans: int, seed: int, imgsz: int = 64) -> Iterator[Tally]:
    """Try all plans on one model."""
    model = load_model(source)
    randomise_norms(model, seed)
    graph = ChannelGraph.trace(model, imgsz=imgsz)
    for kind, steps in (("one layer", list(single_layers(graph))), ("random", list(random_plans(graph, plans, seed)))):
        for execution, mask in HOW:
            tally = Tally(source, kind, execution if mask == "silent" else f"{execution}: {mask}")
            for chosen in steps:
                _try(Plan(chosen, execution, mask), model, graph, tally)
            yield tally


def _try(plan: Plan, model: nn.Module, graph: ChannelGraph, tally: Tally) -> None:
    start = time.perf_counter()
    prediction = predict(graph, plan)
    middle = time.perf_counter()
    observation = observe(model, prune(model, plan, graph=graph), plan, graph.imgsz)
    tally.seconds_predicting += middle - start
    tally.seconds_executing += time.perf_counter() - middle
    confirmation = compare(prediction, observation)
    tally.tried += 1
    tally.agreed += confirmation.agrees
    tally.broke += observation.failure is not None
    tally.wrong += observation.failure is None and prediction.verdict == "unsafe"
    if not confirmation.agrees:
        kept = ", ".join(f"{step.layer}: {len(step.keep)}" for step in plan.steps)
        tally.disagreements.append(f"{plan.execution} ({kept}): {confirmation.differences[0]}")


def main() -> int:
    """Measure, print the table, and say by the exit code whether all agreed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--plans", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    tallies = []
    for source in options.models:
        for tally in measure(source, options.plans, options.seed):
            tallies.append(tally)
            print(f"{tally.model} {tally.plans} {tally.execution}: {tally.agreed}/{tally.tried}", file=sys.stderr)
    headers = ("model", "plans", "execution", "tried", "break", "run but unsafe", "agree", "agreement")
    rows = [
        (t.model, t.plans, t.execution, t.tried, t.broke, t.wrong, t.agreed, f"{100 * t.agreed / t.tried:.2f} %")
        for t in tallies
    ]
    print(tabulate(rows, headers, tablefmt="github"))
    predicting, executing = (sum(t.seconds_predicting for t in tallies), sum(t.seconds_executing for t in tallies))
    print(f"\nExecuting and observing took {executing / predicting:.0f} times as long as predicting.")
    for tally in tallies:
        for text in tally.disagreements:
            print(f"REFUTED {tally.model} {text}")
    if options.json:
        options.json.write_text(json.dumps([asdict(tally) for tally in tallies], indent=1) + "\n", encoding="utf-8")
    return 3 if any(tally.disagreements for tally in tallies) else 0


if __name__ == "__main__":
    sys.exit(main())
