"""Ultralytics' validators, run on the very module they are given.

The stock ones wrap a model in `AutoBackend`, which fuses it, moves it to another memory layout and resets PyTorch's
threads, and they look for the data set online.

Imports Ultralytics: call `prepare_ultralytics` first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import torch
from ultralytics.data import build_dataloader
from ultralytics.engine.validator import BaseValidator
from ultralytics.models.yolo.classify import ClassificationValidator
from ultralytics.models.yolo.detect import DetectionValidator
from ultralytics.models.yolo.obb import OBBValidator
from ultralytics.models.yolo.pose import PoseValidator
from ultralytics.models.yolo.segment import SegmentationValidator
from ultralytics.utils import nms

from yolo_prune_check.data.labelled import as_ultralytics
from yolo_prune_check.data.resolve import DataSet


class GivenModelValidator(BaseValidator):
    """Computes Ultralytics' metrics; draws, writes and sends nothing.

    Stands before the stock validator of a task among the bases of a class.

    Args:
        folder: An existing folder; Ultralytics wants one, nothing is written there.
        task: The model's task.
        imgsz: Longer side of the images, px, a multiple of the model's stride.
        batch: Images at a time.
        workers: Processes that read them; 0 for this one. The result does not depend on it.
    """

    # Ultralytics sets these to None first, which is all a type checker sees.
    args: Any
    device: Any
    data: Any
    dataloader: Any

    def __init__(self, folder: str, *, task: str, imgsz: int, batch: int, workers: int) -> None:
        arguments = {
            "task": task,
            "mode": "val",
            "split": "val",
            "imgsz": imgsz,
            "batch": batch,
            "conf": 0.001,
            "rect": True,
            "plots": False,
            "verbose": False,
            "workers": workers,
        }
        super().__init__(save_dir=Path(folder), args=arguments)

    def measure(
        self, model: Any, images: Any, data: DataSet, device: torch.device, advance: Callable[[int], None]
    ) -> dict[str, float]:
        """Run a model over labelled images.

        Args:
            model: An Ultralytics model in eval mode, float32, on `device`. Its head may be changed.
            images: `LabelledImages` or `FolderImages`, not augmented.
            data: Their set.
            device: Where the batches go.
            advance: Told the number of images after every batch.

        Returns:
            Ultralytics' results by name, such as `metrics/mAP50(B)`.
        """
        self.training = False
        self.device = device
        # The place of the images is left out: some names of folders make Ultralytics write files for a server.
        self.data = {**as_ultralytics(data), "val": ""}
        self.dataloader = build_dataloader(
            images, self.args.batch, workers=self.args.workers, shuffle=False, rank=-1, pin_memory=False, device=device
        )
        if hasattr(model, "end2end"):
            model.end2end = False  # as the stock validator: heads of both kinds are measured with NMS
        with torch.inference_mode():
            self.init_metrics(model)
            for batch in self.dataloader:
                batch = self.preprocess(batch)
                self.update_metrics(self.postprocess(model(batch["img"])), batch)
                advance(len(batch["img"]))
            return {name: float(value) for name, value in self.get_stats().items()}


class _Untimed(DetectionValidator):
    """Stands behind the stock validator of a task and before that of detection, whose part it takes."""

    def postprocess(self, preds: Any) -> list[dict[str, torch.Tensor]]:
        """Non-maximum suppression as in the stock validator, without its time limit."""
        outputs = nms.non_max_suppression(
            preds,
            self.args.conf,
            self.args.iou,
            nc=0 if self.args.task == "detect" else self.nc,
            multi_label=True,
            max_det=self.args.max_det,
            end2end=self.end2end,
            rotated=self.args.task == "obb",
            max_time_img=float("inf"),
        )
        return [{"bboxes": x[:, :4], "conf": x[:, 4], "cls": x[:, 5], "extra": x[:, 6:]} for x in outputs]


class _Detection(GivenModelValidator, _Untimed):
    """Boxes."""


class _Segmentation(GivenModelValidator, SegmentationValidator, _Untimed):
    """Boxes and masks."""


class _Pose(GivenModelValidator, PoseValidator, _Untimed):
    """Boxes and keypoints."""


class _OBB(GivenModelValidator, OBBValidator, _Untimed):
    """Oriented boxes."""


class _Classification(GivenModelValidator, ClassificationValidator):
    """Classes."""

    def get_stats(self) -> dict[str, float]:
        """The stock accuracies, and `majority`: the share of the images that are of the most frequent class."""
        counts = torch.cat(self.targets).bincount()
        return {**super().get_stats(), "majority": int(counts.max()) / int(counts.sum())}


VALIDATORS: Final[Mapping[str, type[GivenModelValidator]]] = {
    "detect": _Detection,
    "segment": _Segmentation,
    "pose": _Pose,
    "obb": _OBB,
    "classify": _Classification,
}
"""The validator of each task."""
