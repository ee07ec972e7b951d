"""What each criterion costs: the same share of the multiply-accumulates removed by ``group``, then trained alike.

Run with ``python -m benchmarks.criteria [--jobs 2] [--write docs/criteria.md]``, of another model with ``--model
best.pt --data data.yaml --imgsz 640``. Every criterion chooses channels in two ways, the same share of every group
and one global ranking, until 30, 50 and 70 % of the MACs are gone. The small model is measured as it is, and after
the same training for each seed. At 50 %, so are choices layer by layer, and those of separability with other
settings. The untouched model is trained alike, too: what a small one gains by more training is no merit of its
criterion. Rankings of all layers by weights are tried at the smallest share alone. What is measured is kept, so that
a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import copy
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from torch import nn

from benchmarks.by_layer import plan_by_layer
from benchmarks.criteria_page import UNTOUCHED, Point, Settings, page, picture
from benchmarks.parallel import in_processes
from benchmarks.setting import fingerprint, one_thread, versions
from benchmarks.store import Store
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.model.load import load_model
from yolo_prune_check.progress import progress
from yolo_prune_check.prune.apply import carry_out
from yolo_prune_check.select.criteria import CRITERIA
from yolo_prune_check.select.everywhere import Scope, plan_everywhere
from yolo_prune_check.select.evidence import Evidence
from yolo_prune_check.select.survivors import NOTES, Grouping
from yolo_prune_check.spec.schema import FineTune
from yolo_prune_check.train.evaluate import evaluate
from yolo_prune_check.train.finetune import fine_tune

SCOPES: tuple[Scope, ...] = ("group", "global")
ROOMS = ("channels", "data", "model", "prune", "select", "spec", "train")
CUTS, SEEDS = (0.3, 0.5, 0.7), (0, 1, 2)
BY_LAYER = ("taylor", "separability", "l1")
"""Those that are tried layer by layer, too."""
CLOSER = 0.5
"""The share of the MACs at which more is tried than criteria."""
GROUPINGS = {
    "distance fisher": Grouping(distance="fisher"),
    "distance wasserstein": Grouping(distance="wasserstein"),
    "embedding pca": Grouping(embedding="pca"),
    "embedding none": Grouping(embedding="none"),
    "survivor weight": Grouping(survivor="weight"),
    "survivor gamma": Grouping(survivor="gamma"),
}
"""Settings of separability, each changed alone."""


@dataclass(frozen=True)
class Task:
    """One model, trained once."""

    criterion: str
    scope: str
    cut: float
    seed: int
    settings: Settings
    setting: str = ""

    @property
    def part(self) -> str:
        """Its name among the results."""
        return f"{self.scope} {self.cut:g} seed {self.seed} {self.setting}".rstrip()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is not known yet, write the page."""
    options = _parser().parse_args(arguments)
    settings = settings_of(options)
    code = fingerprint(ROOMS, (Path(__file__), Path(__file__).with_name("by_layer.py")))
    setting = {"code": code, **{key: str(value) for key, value in asdict(settings).items()}}
    known = Store(options.store, {**versions(), **setting}, Point)
    wanted = list(tasks(options, settings))
    missing = [task for task in wanted if not known.has(task.criterion, task.part)]
    for task, point in in_processes(measure, missing, options.jobs):
        known.add(task.criterion, task.part, [point])
        print(point, flush=True)
    points = [point for task in wanted for point in known.of(task.criterion, task.part)]
    if options.write:
        given = sys.argv[1:] if arguments is None else arguments
        command = shlex.join(["python", "-m", "benchmarks.criteria", *given])
        image = options.write.with_suffix(".svg")
        picture(points, image)
        options.write.write_text(page(points, settings, image.name, command) + "\n", encoding="utf-8")
    return 0


def settings_of(options: argparse.Namespace) -> Settings:
    """What all points have in common."""
    return Settings(options.model, options.data, options.imgsz, options.epochs, options.fraction)


def tasks(options: argparse.Namespace, settings: Settings) -> Iterator[Task]:
    """All that is to be measured, seed by seed: a run that is stopped has compared all that it has measured."""
    for seed in options.seeds:
        yield Task(UNTOUCHED, "none", 0.0, seed, settings)
        for cut in options.cuts:
            for criterion in options.criteria:
                for scope in options.scopes:
                    if scope == "global" and cut > min(options.cuts) and _is_in_units_of_its_layer(criterion):
                        continue
                    yield Task(criterion, scope, cut, seed, settings)
                if cut == CLOSER and criterion in BY_LAYER:
                    yield Task(criterion, "layer", cut, seed, settings)
            if cut == CLOSER and "separability" in options.criteria and "group" in options.scopes:
                for setting in GROUPINGS:
                    yield Task("separability", "group", cut, seed, settings, setting)


def _is_in_units_of_its_layer(criterion: str) -> bool:
    """Whether it looks at weights alone, whose sizes say little from layer to layer: the smallest cut shows it."""
    return CRITERIA[criterion].needs == "weights" and not CRITERIA[criterion].comparable


def plan_of(task: Task, dense: nn.Module, graph: ChannelGraph) -> Plan:
    """What goes."""
    if task.criterion == UNTOUCHED:
        return Plan()
    evidence = Evidence(dense, task.settings.data, task.settings.imgsz, seed=task.seed)
    if task.scope == "layer":
        return plan_by_layer(evidence, graph, task.criterion, task.cut)
    scope: Scope = "global" if task.scope == "global" else "group"
    grouping = GROUPINGS.get(task.setting, NOTES)
    return plan_everywhere(evidence, graph, task.criterion, scope=scope, macs_cut=task.cut, grouping=grouping)


def measure(task: Task) -> Point:
    """Choose, cut, measure, train, measure."""
    one_thread()
    quiet = progress(quiet=True)
    model, data, imgsz = task.settings.model, task.settings.data, task.settings.imgsz
    dense, graph, before = _dense(model, data, imgsz)
    plan = plan_of(task, dense, graph)
    prediction = predict(graph, plan)
    small = carry_out(dense, plan, graph) if plan.steps else copy.deepcopy(dense)
    pruned = evaluate(small, data=data, imgsz=imgsz, progress=quiet)
    with tempfile.TemporaryDirectory() as folder:
        result = fine_tune(
            small,
            data=data,
            imgsz=imgsz,
            settings=FineTune(epochs=task.settings.epochs, fraction=task.settings.fraction),
            seed=task.seed,
            masks=None,
            work_dir=Path(folder),
            progress=quiet,
        )
    tuned = evaluate(result.model, data=data, imgsz=imgsz, progress=quiet)
    whole = graph.costs
    return Point(
        task.criterion,
        task.scope,
        task.cut,
        task.seed,
        macs_left=(prediction.macs or 0) / (whole.macs() or 1),
        params_left=prediction.params / whole.params(),
        before=before,
        pruned=pruned.budgeted,
        tuned=tuned.budgeted,
        setting=task.setting,
    )


@lru_cache(maxsize=1)
def _dense(name: str, data: str, imgsz: int) -> tuple[nn.Module, ChannelGraph, float]:
    """The untouched model, its graph, and its score."""
    model = load_model(name)
    before = evaluate(model, data=data, imgsz=imgsz, progress=progress(quiet=True))
    return model, ChannelGraph.trace(model, imgsz=imgsz), before.budgeted


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="yolov8n-digits")
    parser.add_argument("--data", default="digits")
    parser.add_argument("--imgsz", type=int, default=128)
    parser.add_argument("--criteria", nargs="+", default=list(CRITERIA), choices=list(CRITERIA))
    parser.add_argument("--scopes", nargs="+", default=SCOPES, choices=SCOPES)
    parser.add_argument("--cuts", type=float, nargs="+", default=CUTS)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--fraction", type=float, default=1.0, help="of the training images")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--store", type=Path, default=Path(".yolo-prune-check/criteria"))
    parser.add_argument("--write", type=Path)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
