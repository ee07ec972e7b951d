"""Accuracy of a detector on a data set's `val` images, as Ultralytics measures it."""

from __future__ import annotations

import copy
import tempfile
from dataclasses import dataclass

from torch import nn

from yolo_prune_check.data.resolve import read_data
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.quiet import prepare_ultralytics, quietly
from yolo_prune_check.model.tasks import require_detector
from yolo_prune_check.progress import Progress
from yolo_prune_check.train.isolation import isolated
from yolo_prune_check.train.network import as_network


@dataclass(frozen=True)
class Metrics:
    """Mean average precision over classes, between 0 and 1.

    Attributes:
        map50: At an IoU of 0.5.
        map50_95: Averaged over IoUs of 0.50, 0.55, … 0.95.
    """

    map50: float
    map50_95: float


def evaluate(model: nn.Module, *, data: str, imgsz: int, progress: Progress, batch: int = 32) -> Metrics:
    """Measure mAP on the `val` images.

    The same numbers as `YOLO.val()` gives, but for rounding: the model is neither fused nor otherwise changed, and no
    time limit cuts non-maximum suppression short on a slow machine. A model that detects nothing has mAP 0.

    Args:
        model: An Ultralytics detection model; not modified. The evaluation takes place on its device, in float32.
        data: A shipped data set or an Ultralytics dataset YAML.
        imgsz: Longer side of the images, px.
        progress: Told of every image.
        batch: Images at a time.

    Raises:
        UserError: The data set or model cannot be used.
    """
    prepare_ultralytics()
    from yolo_prune_check.train.images import LabelledImages
    from yolo_prune_check.train.validator import GivenModelValidator

    if imgsz < 1 or batch < 1:
        raise UserError("image size and batch must be positive", value=(imgsz, batch))
    data_set = read_data(data)
    require_detector(model)
    network = as_network(model, data_set)
    images = data_set.images("val")
    with (
        quietly(),
        isolated(),
        tempfile.TemporaryDirectory(prefix="evaluate-") as folder,
        progress.task(f"evaluate on {len(images)} images", len(images)) as advance,
    ):
        validator = GivenModelValidator(folder, imgsz=-(-imgsz // network.stride) * network.stride, batch=batch)
        labelled = LabelledImages(
            images,
            data_set,
            hyp=validator.args,
            task="detect",
            augment=False,
            batch=batch,
            stride=network.stride,
            report=progress.line,
        )
        measured = copy.deepcopy(model).float().eval()
        results = validator.measure(measured, labelled, network.device, advance)
    return Metrics(results["metrics/mAP50(B)"], results["metrics/mAP50-95(B)"])
