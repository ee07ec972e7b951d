"""One plan, carried out and measured: what is handed to other processes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from yolo_prune_check.channels.plan import Plan, as_ranges
from yolo_prune_check.data.resolve import read_data
from yolo_prune_check.progress import progress
from yolo_prune_check.prune.apply import carry_out
from yolo_prune_check.run.baseline import load_baseline
from yolo_prune_check.scores import Scores
from yolo_prune_check.spec.part import Part
from yolo_prune_check.spec.schema import FineTune
from yolo_prune_check.train.devices import gpus_of, placed
from yolo_prune_check.train.evaluate import evaluate, val_images
from yolo_prune_check.train.finetune import fine_tune


@dataclass(frozen=True)
class Bench:
    """What plans are tried on.

    Attributes:
        model: As ``load_model`` takes it.
        data: A data set that fits it.
        imgsz: Image size in pixels.
        trust: Whether code in the model's file is accepted.
        device: Where it is trained and measured.
        workers: Processes that read images; see ``workers_of``.
    """

    model: str
    data: str
    imgsz: int
    trust: bool = False
    device: str = "cpu"
    workers: int | None = None

    def images(self, part: Part) -> int:
        """How many val images a part has.

        Raises:
            UserError: It has none.
        """
        return len(val_images(read_data(self.data), part))


@dataclass(frozen=True)
class Trial:
    """A plan that is predicted to be safe, or none, and on which parts of the val images it is measured.

    Attributes:
        bench: What it is tried on.
        plan: By execution ``group`` or ``mask``; one without steps is the untouched model.
        parts: Each is measured by itself.
        training: How to train it before; None for not at all. By ``group`` alone.
        seed: Of the training.
    """

    bench: Bench
    plan: Plan
    parts: tuple[Part, ...]
    training: FineTune | None = None
    seed: int = 0

    def asked(self) -> dict[str, object]:
        """All that decides what comes out, beside the bench, as JSON knows it."""
        return {
            "execution": self.plan.execution,
            "mask": self.plan.mask,
            "steps": [[step.layer, as_ranges(step.keep)] for step in self.plan.steps],
            "parts": [str(part) for part in self.parts],
            "training": None if self.training is None else {"seed": self.seed, **self.training.model_dump(mode="json")},
        }

    def __str__(self) -> str:
        layers = [step.layer for step in self.plan.steps]
        if not layers:
            return "the untouched model"
        return layers[0] if len(layers) == 1 else f"{layers[0]} and {len(layers) - 1} more layers"


@dataclass(frozen=True)
class Job:
    """A trial, and the folder in which its training goes on if it is killed; None where nothing is trained."""

    trial: Trial
    folder: Path | None = None


def measure(job: Job) -> tuple[Scores, ...]:
    """Carry a trial's plan out on a copy of the model, which is loaded once in each process, and measure it.

    Returns:
        For each part its scores.

    Raises:
        UserError: The model or the data cannot be used, or the training fails.
    """
    trial, quiet = job.trial, progress(quiet=True)
    bench = trial.bench
    baseline = load_baseline(bench.model, bench.imgsz, trust=bench.trust)
    model = carry_out(baseline.model, trial.plan, baseline.graph) if trial.plan.steps else baseline.model
    if trial.training is not None and job.folder is not None:
        result = fine_tune(
            model,
            data=bench.data,
            imgsz=bench.imgsz,
            settings=trial.training,
            seed=trial.seed,
            masks=None,
            work_dir=job.folder,
            progress=quiet,
            resume_dir=job.folder,
            devices=gpus_of(bench.device) or None,
        )
        model = result.model
    model = placed(model, bench.device)
    return tuple(
        evaluate(model, data=bench.data, imgsz=bench.imgsz, progress=quiet, workers=bench.workers, part=part)
        for part in trial.parts
    )
