"""Scores of a model on a data set's `val` images, as Ultralytics measures it."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from torch import nn

from yolo_prune_check.data.resolve import DataSet, read_data
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.network import Network, as_network
from yolo_prune_check.model.quiet import prepare_ultralytics, quietly
from yolo_prune_check.model.tasks import require_yolo
from yolo_prune_check.progress import Progress
from yolo_prune_check.scores import Accuracy, MeanAveragePrecision, Scores
from yolo_prune_check.spec.part import Part
from yolo_prune_check.train.devices import workers_of
from yolo_prune_check.train.failure import memory_told
from yolo_prune_check.train.isolation import isolated

_OWN: Final = {"detect": "B", "segment": "M", "pose": "P", "obb": "B"}
"""Ultralytics' letter for the mAP that is the task's own: of boxes (oriented ones for `obb`), masks, keypoints."""


def evaluate(
    model: nn.Module,
    *,
    data: str,
    imgsz: int,
    progress: Progress,
    batch: int = 32,
    workers: int | None = None,
    part: Part | None = None,
) -> Scores:
    """Measure, on the `val` images or a part of them, the mAP that is the task's own, or a classifier's accuracy.

    The same numbers as `YOLO.val()` gives, but for rounding: the model is neither fused nor otherwise changed, and no
    time limit cuts non-maximum suppression short on a slow machine. A model that detects nothing has mAP 0.

    Args:
        model: An Ultralytics model that detects, segments, finds poses or oriented boxes, or classifies; not modified.
            The evaluation takes place on its device, in float32.
        data: A shipped data set or an Ultralytics dataset YAML, for a classifier a folder of classes.
        imgsz: Longer side of the images, px; for a classifier the side of the square that it is shown of them.
        progress: Told of every image.
        batch: Images at a time.
        workers: Processes that read images, on which the result does not depend; see `workers_of`.
        part: Which of the val images; all by default. They are sorted by their paths.

    Raises:
        UserError: The data set or model cannot be used; the part has no image, or none with a label.
        TrainingError: Memory ran out.
    """
    task = require_yolo(model)
    results = _measure(model, data, imgsz, progress, batch, workers, part)
    if task == "classify":
        return Accuracy(results["metrics/accuracy_top1"], results["metrics/accuracy_top5"], results["majority"])
    return MeanAveragePrecision(results[f"metrics/mAP50({_OWN[task]})"], results[f"metrics/mAP50-95({_OWN[task]})"])


def val_images(data_set: DataSet, part: Part | None) -> tuple[Path, ...]:
    """The val images, sorted by their paths, or a part of them.

    Raises:
        UserError: There are none.
    """
    images = data_set.images("val")
    chosen = images if part is None else part.take(images)
    if not chosen:
        hint = f"The data set has {len(images)} val images: name a part of at most so many."
        raise UserError("the part of the val images is empty", where=str(data_set.yaml), value=str(part), hint=hint)
    return chosen


def _measure(
    model: nn.Module,
    data: str,
    imgsz: int,
    progress: Progress,
    batch: int,
    workers: int | None,
    part: Part | None,
) -> dict[str, float]:
    prepare_ultralytics()
    from yolo_prune_check.train.validator import VALIDATORS

    if imgsz < 1 or batch < 1:
        raise UserError("image size and batch must be positive", value=(imgsz, batch))
    data_set = read_data(data)
    network = as_network(model, data_set)
    images = val_images(data_set, part)
    with (
        quietly(),
        isolated(),
        tempfile.TemporaryDirectory(prefix="evaluate-") as folder,
        progress.task(f"evaluate on {len(images)} images", len(images)) as advance,
    ):
        size = -(-imgsz // network.stride) * network.stride
        validator = VALIDATORS[network.task](
            folder, task=network.task, imgsz=size, batch=batch, workers=workers_of(workers, network.device_argument)
        )
        try:
            labelled = _labelled(images, data_set, network, validator.args, batch, progress)
        except UserError as error:
            if part is None:
                raise
            what = f"part {part} of the val images cannot be used: {error.what}"
            raise UserError(what, where=error.where, value=error.value, hint=error.hint) from error
        measured = copy.deepcopy(model).float().eval()
        with memory_told("an evaluation", hint="Choose a smaller image size, or a device with more memory."):
            return validator.measure(measured, labelled, data_set, network.device, advance)


def _labelled(
    images: Sequence[Path], data_set: DataSet, network: Network, arguments: object, batch: int, progress: Progress
) -> object:
    from yolo_prune_check.data.folders import FolderImages
    from yolo_prune_check.data.labelled import LabelledImages

    if network.task == "classify":
        return FolderImages(
            images, data_set, split="val", augment=False, names=network.names, hyp=arguments, report=progress.line
        )
    return LabelledImages(
        images,
        data_set,
        task=network.task,
        hyp=arguments,
        augment=False,
        batch=batch,
        stride=network.stride,
        report=progress.line,
    )
