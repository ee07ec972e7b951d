"""Pruned against masked: random plans by ``group`` on many architectures, each of them carried out and proven.

Run with ``make bench`` or ``python -m benchmarks.equality [--models yolov8n.yaml] [--plans 50] [--jobs 2] …``. Results
are kept in a file for each model, and a run that was stopped goes on where it was. Exits with 3 if a plan failed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from torch import nn

from benchmarks.equality_page import page
from benchmarks.equality_plans import group_plans
from benchmarks.equality_trial import SIZE, Result, try_plan
from benchmarks.parallel import in_processes
from benchmarks.setting import fingerprint, versions
from benchmarks.store import Store
from benchmarks.zoo import build, randomise_norms
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.errors import UserError

DETECTORS = (
    *("yolov3-tiny", "yolov5n", "yolov6n", "yolov8n", "yolov8n-p2", "yolov8n-ghost", "yolov9t", "yolov10n"),
    *("yolo11n", "yolo12n", "yolo26n", "yolov8n-p6", "yolo26n-p6"),
)
TASKS = tuple(
    f"{name}-{task}" for name in ("yolov8n", "yolo11n", "yolo12n", "yolo26n") for task in ("seg", "pose", "obb", "cls")
)
LARGER = ("yolov8s", "yolov8m", "yolov8l", "yolov8x")
MODELS = tuple(f"{name}.yaml" for name in (*DETECTORS, *TASKS, *LARGER))
"""Stock models: every family of detectors at its smallest scale, every task, and one family at all scales."""

PART = 10
"""Safe plans that a process tries before it hands its results over."""


@dataclass(frozen=True)
class Part:
    """Some plans on one model: all that decides which plans these are."""

    model: str
    index: int
    count: int
    seed: int

    @property
    def name(self) -> str:
        """Name that is unique in the model's file."""
        return f"{self.index} of {self.count} seed {self.seed}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Try what is not known yet, write the page, and say by the exit code whether all was proven."""
    options = _parser().parse_args(arguments)
    store = Store(options.json, {"code": fingerprint(), **versions()}, Result)
    parts = [part for model in options.models for part in _parts(model, options)]
    missing = [part for part in parts if not store.has(part.model, part.name)]
    for done, (part, result) in enumerate(in_processes(try_part, missing, options.jobs), 1):
        store.add(part.model, part.name, [result])
        words = f"{result.proven}/{result.safe} proven, {result.seconds:.0f} s"
        print(f"{done}/{len(missing)} {part.model} {part.index}: {words}", file=sys.stderr)
    results = [(model, found) for model in options.models if (found := total(store, model))]
    text, failed = page(results, [model for model in MODELS if model not in dict(results)], store.setting)
    print(text)
    if options.write:
        options.write.write_text(text + "\n", encoding="utf-8")
    return 3 if failed else 0


def total(store: Store[Result], model: str) -> Result | None:
    """All that is known of a model; None if it was not tried."""
    results = store.all_of(model)
    if not results:
        return None
    found = Result(results[0].params)
    for result in results:
        found.add(result)
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.equality", description=__doc__)
    parser.add_argument("--models", nargs="+", default=MODELS, metavar="NAME", help="default: all of the page")
    parser.add_argument("--plans", type=int, default=50, help="safe plans for each model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--json", type=Path, default=Path("build/equality"), metavar="FOLDER", help="results")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page here, too")
    return parser


def _parts(model: str, options: argparse.Namespace) -> Iterator[Part]:
    for index in range(-(-options.plans // PART)):
        yield Part(model, index, min(PART, options.plans - index * PART), options.seed)


@lru_cache(maxsize=1)
def _ground(name: str, seed: int) -> tuple[nn.Module, ChannelGraph]:
    model = build(name)
    randomise_norms(model, seed)
    return model, ChannelGraph.trace(model, imgsz=SIZE)


def try_part(part: Part) -> Result:
    """Draw plans until there are enough safe ones, and try each."""
    model, graph = _ground(part.model, part.seed)
    result = Result(sum(parameter.numel() for parameter in model.parameters()))
    for plan in group_plans(graph, f"{part.seed} {part.model} {part.index}"):
        try_plan(model, graph, plan, result)
        if result.safe == part.count:
            return result
    raise AssertionError("plans are drawn without end")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(f"error: {error}")
