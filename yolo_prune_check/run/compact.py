"""From a model to the small model that it can be cut down to: predicted, carried out, proven, perhaps trained."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from torch import nn

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.channels.prediction import Prediction
from yolo_prune_check.channels.removal import find_removal
from yolo_prune_check.confirm.check import Check
from yolo_prune_check.confirm.compare import compare
from yolo_prune_check.confirm.observe import observe
from yolo_prune_check.confirm.proof import prove
from yolo_prune_check.data.photographs import photographs
from yolo_prune_check.images import image_channels
from yolo_prune_check.progress import Progress
from yolo_prune_check.prune.apply import carry_out, meant_by
from yolo_prune_check.run.checkpoint import save_checkpoint
from yolo_prune_check.run.proving import sizes_of
from yolo_prune_check.run.sidecar import write_sidecar
from yolo_prune_check.spec.schema import FineTune
from yolo_prune_check.train.devices import gpus_of, placed, require_training
from yolo_prune_check.train.evaluate import Metrics, evaluate
from yolo_prune_check.train.finetune import fine_tune


@dataclass(frozen=True)
class Compacted:
    """What came of it.

    Attributes:
        model: The small model; None where the plan is unsafe.
        prediction: What was predicted of the plan.
        proof: Whether it computes what the masked model does, before it was trained.
        differences: Where it is not as predicted.
        metrics: mAP of the model before, after pruning, and after training; of those that were asked for.
    """

    model: nn.Module | None
    prediction: Prediction
    proof: tuple[Check, ...] = ()
    differences: tuple[str, ...] = ()
    metrics: tuple[Metrics, ...] = ()

    @property
    def proven(self) -> bool:
        """Whether all is as predicted and as meant."""
        return not self.differences and all(row.passed is not False for row in self.proof)


def compact(
    model: nn.Module,
    graph: ChannelGraph,
    plan: Plan,
    *,
    imgsz: int,
    data: str | None,
    training: FineTune | None,
    seed: int,
    work_dir: Path,
    progress: Progress,
    device: str = "cpu",
) -> Compacted:
    """Carry a plan by ``group`` out and prove it.

    Args:
        model: The untouched model; it stays so.
        graph: Its graph.
        plan: By execution ``group``.
        imgsz: Image size in pixels, of the proof and of what data is used for.
        data: What to measure mAP on, and to train with; None for neither.
        training: How to train; None for not at all.
        seed: Of the training.
        work_dir: Where the training may keep files.
        progress: Where long work is shown.
        device: Where it is trained and measured: `cpu`, or GPUs such as `0,1`. All else is done on the CPU.

    Raises:
        UserError: The data cannot be used, the device cannot train so, or the training fails.
    """
    if training is not None:
        require_training(training, device)
    prediction = predict(graph, plan)
    if prediction.verdict != "safe":
        return Compacted(None, prediction)
    small, reference = carry_out(model, plan, graph), meant_by(model, plan, graph)
    found = compare(prediction, observe(reference, small, graph.imgsz))
    real = partial(photographs, data) if image_channels(model) == 3 else None
    with progress.task("prove that it computes what the masked model does"):
        proof = prove(reference, small, sizes_of(small, imgsz), real)
    done = Compacted(small, prediction, proof, found.differences)
    if data is None or not done.proven:
        return done
    measure = partial(evaluate, data=data, imgsz=imgsz, progress=progress)
    metrics = [measure(placed(model, device)), measure(placed(small, device))]
    if training is not None:
        result = fine_tune(
            small,
            data=data,
            imgsz=imgsz,
            settings=training,
            seed=seed,
            masks=None,
            work_dir=work_dir,
            progress=progress,
            devices=gpus_of(device) or None,
        )
        small = result.model
        metrics.append(measure(placed(small, device)))
    return Compacted(small, prediction, proof, (), tuple(metrics))


def save(done: Compacted, path: Path, graph: ChannelGraph, *, source: str, imgsz: int, data: str | None) -> None:
    """Save a small model that was proven, with its sidecar: the plan as it was carried out, the proof, and hashes.

    Args:
        done: What ``compact`` gave.
        path: A ``.pt``; its sidecar is the ``.json`` beside it.
        graph: Graph of the untouched model.
        source: That model as ``load_model`` took it.
        imgsz: Image size in pixels that the file takes by default.
        data: Data set that it takes by default.
    """
    if done.model is None:
        raise TypeError("there is no model to save")
    kept = find_removal(graph, done.prediction.plan).kept
    whole = Plan([Step(layer, keep) for layer, keep in kept.items()], "group")
    record = {"proof": [asdict(row) for row in done.proof], "metrics": [asdict(metrics) for metrics in done.metrics]}
    save_checkpoint(done.model, path, imgsz=imgsz, data=data)
    write_sidecar(path, plan=whole, source=source, record=record)
