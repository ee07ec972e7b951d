"""Predicted against observed: random plans on every architecture, and every layer alone on some.

Run with ``make bench`` or ``python -m benchmarks.agreement [--families v8 11] [--plans 200] [--json FOLDER] …``.
Results are kept in a file for each model, and a run that was stopped goes on where it was. Exits with 3 if a prediction
was refuted.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from torch import nn

from benchmarks.agreement_page import page
from benchmarks.agreement_store import Result, totals
from benchmarks.parallel import in_processes
from benchmarks.plans import HOW, How, Steps, named, random_plans, single_layers
from benchmarks.setting import fingerprint, versions
from benchmarks.store import Store
from benchmarks.trial import Trial
from benchmarks.zoo import FAMILIES, TORCHVISION, build, randomise_norms
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.errors import UserError

PART = 40
"""Plans that a process tries before it hands its results over."""

_SMALL = re.compile(r"\d[nts]\b|tiny")


@dataclass(frozen=True)
class Part:
    """Some plans of one kind on one model: all that decides which plans these are.

    Attributes:
        kind: ``random`` or ``one layer``.
        index: Number of the part among its kind.
        count: Plans in it; of a kind that is not random, at most.
    """

    model: str
    kind: str
    index: int
    count: int
    seed: int
    imgsz: int

    @property
    def name(self) -> str:
        """Name that is unique in the model's file."""
        return f"{self.kind} {self.index} of {self.count} seed {self.seed} at {self.imgsz} px"


def main(arguments: Sequence[str] | None = None) -> int:
    """Try what is not known yet, write the page, and say by the exit code whether all agreed."""
    options = _parser().parse_args(arguments)
    unknown = [name for name in options.families or () if name not in FAMILIES]
    if unknown:
        raise UserError("no such family", value=unknown[0], hint=f"Families: {', '.join(FAMILIES)}.")
    models = options.models or _models(options.families)
    store = Store(options.json, {"code": fingerprint(), **versions()}, Result)
    parts = [part for model in models for part in _parts(model, options)]
    missing = [part for part in parts if not store.has(part.model, part.name)]
    for done, (part, results) in enumerate(in_processes(try_part, missing, options.jobs), 1):
        store.add(part.model, part.name, results)
        agreed = sum(result.agreed for result in results)
        tried = sum(result.tried for result in results)
        print(f"{done}/{len(missing)} {part.model} {part.kind} {part.index}: {agreed}/{tried} agree", file=sys.stderr)
    text, refuted = page([(model, totals(store.all_of(model))) for model in models], store.setting)
    print(text)
    if options.write:
        options.write.write_text(text + "\n", encoding="utf-8")
    return 3 if refuted else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agreement", description=__doc__)
    parser.add_argument("--families", nargs="+", metavar="NAME", help="default: all, and torchvision's classifiers")
    parser.add_argument("--models", nargs="+", metavar="NAME", help="these models instead of families")
    parser.add_argument("--plans", type=int, default=200, help="random plans for each model of scale n, t or s")
    parser.add_argument("--few", type=int, default=50, help="random plans for each larger model")
    parser.add_argument("--more", type=int, default=5000, help="random plans for each model of --thorough")
    parser.add_argument("--thorough", nargs="*", default=["yolov8n.yaml"], metavar="NAME", help="also layer by layer")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--imgsz", type=int, default=64, help="pixels")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--json", type=Path, default=Path("build/agreement"), metavar="FOLDER", help="results")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page here, too")
    return parser


def _models(families: Sequence[str] | None) -> list[str]:
    found = dict.fromkeys(model for name in families or FAMILIES for model in FAMILIES[name])
    return [*found, *(TORCHVISION if families is None else ())]


def _parts(model: str, options: argparse.Namespace) -> Iterator[Part]:
    thorough = model in options.thorough
    total = options.more if thorough else options.plans if _SMALL.search(model) else options.few
    for index in range(-(-total // PART)):
        yield Part(model, "random", index, min(PART, total - index * PART), options.seed, options.imgsz)
    if thorough:
        layers = sum(isinstance(module, nn.Conv2d) for module in build(model).modules())
        for index in range(-(-2 * layers // PART)):
            yield Part(model, "one layer", index, PART, options.seed, options.imgsz)


@lru_cache(maxsize=2)
def _trial(name: str, seed: int, imgsz: int) -> Trial:
    model = build(name)
    randomise_norms(model, seed)
    return Trial(model, ChannelGraph.trace(model, imgsz=imgsz))


def try_part(part: Part) -> list[Result]:
    """Predict, carry out and compare every plan of a part."""
    trial = _trial(part.model, part.seed, part.imgsz)
    results = {how: Result(part.kind, named(how)) for how in HOW}
    for how, steps in _plans(part, trial.graph):
        trial.run(Plan(steps, *how), results[how])
    return list(results.values())


def _plans(part: Part, graph: ChannelGraph) -> Iterable[tuple[How, Steps]]:
    if part.kind == "random":
        drawn = random_plans(graph, part.count, f"{part.seed} {part.model} {part.index}")
        first = part.index * PART
        return [(HOW[(first + number) % len(HOW)], steps) for number, steps in enumerate(drawn)]
    chosen = list(single_layers(graph))[part.index * PART : (part.index + 1) * PART]
    return [(how, steps) for steps in chosen for how in HOW]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(f"error: {error}")
