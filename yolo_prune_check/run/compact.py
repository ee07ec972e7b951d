"""From a model to the file of a small one: predicted, carried out, proven, perhaps trained, saved, and tried."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from torch import nn

from yolo_prune_check.atomic import written_whole
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.prediction import Prediction
from yolo_prune_check.channels.removal import find_removal
from yolo_prune_check.confirm.asked import asked_for
from yolo_prune_check.confirm.check import Check
from yolo_prune_check.confirm.compare import compare
from yolo_prune_check.confirm.observe import observe
from yolo_prune_check.confirm.proof import prove
from yolo_prune_check.data.photographs import photographs
from yolo_prune_check.errors import UserError
from yolo_prune_check.images import image_channels
from yolo_prune_check.model.checkpoint import read_checkpoint
from yolo_prune_check.progress import Progress
from yolo_prune_check.prune.apply import carry_out, cuts_of, meant_by
from yolo_prune_check.prune.reference import Reference
from yolo_prune_check.prune.widened import trained_reference
from yolo_prune_check.run.checkpoint import save_checkpoint
from yolo_prune_check.run.content import file_hash, key_of
from yolo_prune_check.run.deployed import deployed
from yolo_prune_check.run.plain import to_plain
from yolo_prune_check.run.proving import recorded, sizes_of, totals
from yolo_prune_check.run.record import write_atomically
from yolo_prune_check.run.sidecar import write_sidecar
from yolo_prune_check.scores import Scores, fall
from yolo_prune_check.spec.schema import FineTune
from yolo_prune_check.train.devices import gpus_of, placed, require_training, workers_of
from yolo_prune_check.train.evaluate import evaluate
from yolo_prune_check.train.finetune import fine_tune

FILE: Final = "small.pt"
"""Name of the small model's file until it is known to be usable."""
_HASH: Final = ".sha256"


@dataclass(frozen=True)
class Compacted:
    """What came of it.

    Attributes:
        model: The small model.
        prediction: What was predicted of the plan.
        proof: Whether it computes, as it is at the end, what the masked model with the same weights does.
        differences: Where it is not as predicted.
        metrics: Scores of the model before, after pruning, and after training; of those that were asked for.
        deploy: What can be done with its file where this package is not; nothing is known where it is not proven.
    """

    model: nn.Module
    prediction: Prediction
    proof: tuple[Check, ...] = ()
    differences: tuple[str, ...] = ()
    metrics: tuple[Scores, ...] = ()
    deploy: tuple[Check, ...] = ()

    @property
    def proven(self) -> bool:
        """Whether all is as predicted and as meant."""
        return not self.differences and _holds(self.proof)

    @property
    def usable(self) -> bool:
        """Whether it is proven, and its file can be used elsewhere."""
        return self.proven and bool(self.deploy) and _holds(self.deploy)

    @property
    def worsened(self) -> str | None:
        """What training made worse than it was after pruning, in words; None if nothing, or if nothing was trained."""
        _, *pruned_and_trained = self.metrics or (None,)
        return fall(*pruned_and_trained) if len(pruned_and_trained) == 2 else None


def _holds(rows: Sequence[Check]) -> bool:
    return all(row.passed is not False for row in rows)


def compact_key(
    plan: Plan,
    *,
    source: str,
    imgsz: int,
    data: str | None,
    training: FineTune | None,
    seed: int,
    trust: bool,
    device: str,
) -> str:
    """A SHA-256, in hexadecimal, of all that decides what ``compact`` makes; see ``key_of``.

    Args:
        plan: The plan.
        source: The untouched model as ``load_model`` took it.
        imgsz: Image size in pixels.
        data: Data set.
        training: How to train.
        seed: Of the training.
        trust: Whether code in the source was accepted.
        device: Where it is trained and measured.
    """
    asked = {
        "compact": to_plain(plan),
        "imgsz": imgsz,
        "training": None if training is None else training.model_dump(mode="json"),
        "seed": seed,
        "trust": trust,
        "device": device,
        "workers": None if training is None else workers_of(training.workers, device),
        "data": data,  # its name, which the file takes by default
    }
    return key_of(asked, model=source, data=data, device=device)


def compact(
    model: nn.Module,
    graph: ChannelGraph,
    prediction: Prediction,
    *,
    imgsz: int,
    data: str | None,
    training: FineTune | None,
    seed: int,
    work_dir: Path,
    progress: Progress,
    device: str = "cpu",
    workers: int | None = None,
    trusted: Collection[str] = (),
    limit: str | None = None,
) -> Compacted:
    """Carry a safe plan by ``group`` out, prove it, save it as ``FILE`` in the work folder, and try that elsewhere.

    Args:
        model: The untouched model; it stays so.
        graph: Its graph.
        prediction: Of the plan, by execution ``group``.
        imgsz: Image size in pixels, of what is observed, of the proof (see `sizes_of`) and of what data is used for.
        data: What to measure with, and to train with; None for neither.
        training: How to train; None for not at all.
        seed: Of the training.
        work_dir: A folder of this very run, see ``compact_key``: training goes on from what is in there, and a model
            that is trained already is taken.
        progress: Where long work is shown.
        device: Where it is trained and measured: `cpu`, or GPUs such as `0,1`. All else is done on the CPU.
        workers: Processes that read images to measure; see `workers_of`. Those of the training are in `training`.
        trusted: Names beyond stock classes that were accepted in the model's file.
        limit: Where the loss is limited, for the message where none can be told; None where it is not.

    Raises:
        UserError: The data cannot be used, the device cannot train so, the training fails, or the loss is limited and
            the untouched model finds next to nothing in the data.
        ValueError: The plan is not safe.
    """
    if training is not None:
        require_training(training, device)
    if prediction.verdict != "safe":
        raise ValueError(f"the plan is {prediction.verdict}")
    plan = prediction.plan
    small, reference = carry_out(model, plan, graph), meant_by(model, plan, graph)
    found = compare(prediction, observe(reference, small, graph.imgsz))
    cuts = cuts_of(model, plan, graph)
    with progress.task("look whether what goes is what the plan asks for"):
        asked = asked_for(model, plan, cuts, imgsz=graph.imgsz)
    rows = _proven(reference, small, imgsz, data, progress)
    done = Compacted(small, prediction, (asked, *rows, *totals(found)), found.differences)
    if not done.proven:
        return done
    file, metrics = work_dir / FILE, list[Scores]()
    if data is not None:
        measure = partial(evaluate, data=data, imgsz=imgsz, progress=progress, workers=workers)
        dense = measure(placed(model, device))
        if limit is not None and dense.blind:  # before hours of training
            raise UserError(
                f"a loss cannot be judged: {dense.blindness}",
                where=limit,
                value=dense.basis,
                hint="To lose nothing says nothing where there is nothing to lose. Name data that it was trained for.",
            )
        metrics = [dense, measure(placed(small, device))]
    if data is not None and training is not None:
        earlier = _trained_earlier(file, progress, trust=bool(trusted))
        if earlier is None:
            save_checkpoint(small, file, imgsz=imgsz, data=data)  # a full disk is to be told before hours of training
            result = fine_tune(
                small,
                data=data,
                imgsz=imgsz,
                settings=training,
                seed=seed,
                masks=None,
                work_dir=work_dir,
                progress=progress,
                resume_dir=work_dir,
                devices=gpus_of(device) or None,
            )
            save_checkpoint(result.model, file, imgsz=imgsz, data=data)
            write_atomically(file.with_suffix(_HASH), file_hash(file))
        small = result.model if earlier is None else earlier
        metrics.append(measure(placed(small, device)))
        reference = trained_reference(model, cuts, small, imgsz=graph.imgsz)
        rows = _proven(reference, small, imgsz, data, progress)
        counted = totals(compare(prediction, observe(None, small, graph.imgsz)))
        done = replace(done, model=small, proof=(asked, *rows, *counted))
        if not done.proven:
            return done
    else:
        save_checkpoint(small, file, imgsz=imgsz, data=data)
    deploy = deployed(model, small, file, imgsz=imgsz, trusted=trusted, work_dir=work_dir, progress=progress)
    return replace(done, metrics=tuple(metrics), deploy=deploy)


def _proven(
    reference: Reference, small: nn.Module, imgsz: int, data: str | None, progress: Progress
) -> tuple[Check, ...]:
    real = partial(photographs, data) if image_channels(small) == 3 else None
    with progress.task("prove that it computes what the masked model does"):
        return prove(reference, small, sizes_of(small, imgsz), real)


def _trained_earlier(file: Path, progress: Progress, *, trust: bool) -> nn.Module | None:
    """The model that an interrupted run has trained to the end; None if there is none that can be read."""
    digest = file.with_suffix(_HASH)
    if not digest.is_file():
        return None
    try:
        if file_hash(file) != digest.read_text(encoding="utf-8"):  # PyTorch reads numbers that are not what was written
            raise UserError("it is not the file that was saved", where=str(file))
        model = read_checkpoint(file, trust=trust)
    except (OSError, UserError) as error:
        progress.line(f"the trained model cannot be read ({error}), it is trained anew")
        return None
    progress.line("goes on after the training, where it was interrupted")
    return model


def save(done: Compacted, path: Path, graph: ChannelGraph, *, source: str, work_dir: Path) -> None:
    """Put a small model's file in its place, with its sidecar: the plan as it was carried out, all rows, and hashes.

    A process that is killed in here leaves files that are whole, and all that it takes to write both again.

    Args:
        done: What ``compact`` gave.
        path: A ``.pt``; its sidecar is the ``.json`` beside it.
        graph: Graph of the untouched model.
        source: That model as ``load_model`` took it.
        work_dir: The folder that ``compact`` was given.

    Raises:
        UserError: A file cannot be written; the message says where the model is kept.
    """
    if not done.usable:
        raise ValueError("a model that is not proven and usable is not to be saved")
    kept = find_removal(graph, done.prediction.plan).kept
    whole = Plan([Step(layer, keep) for layer, keep in kept.items()], "group")
    record = {
        "imgsz": graph.imgsz,
        "proof": [asdict(row) for row in recorded(done.proof)],
        "deploy": [asdict(row) for row in recorded(done.deploy)],
        "metrics": [asdict(metrics) for metrics in done.metrics],
    }
    try:
        with (work_dir / FILE).open("rb") as made, written_whole(path) as target:
            shutil.copyfileobj(made, target)
        write_sidecar(path, plan=whole, source=source, record=record)
    except UserError as error:
        hint = f"The small model is kept as {work_dir / FILE}; once there is room, the same command goes on from there."
        raise UserError(error.what, where=error.where, hint=hint) from error
