"""Ultralytics' validator, run on the very module it is given.

The stock one wraps a model in `AutoBackend`, which fuses it, moves it to another memory layout and resets PyTorch's
threads, and it looks for the data set online.

Imports Ultralytics: call `prepare_ultralytics` first.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from ultralytics.data import build_dataloader
from ultralytics.models.yolo.detect import DetectionValidator
from ultralytics.utils import nms

from yolo_prune_check.train.images import LabelledImages


class GivenModelValidator(DetectionValidator):
    """Computes Ultralytics' detection metrics; draws, writes and sends nothing.

    Args:
        folder: An existing folder; Ultralytics wants one, nothing is written there.
        imgsz: Longer side of the images, px, a multiple of the model's stride.
        batch: Images at a time.
    """

    # Ultralytics sets these to None first, which is all a type checker sees.
    device: Any
    data: Any
    dataloader: Any

    def __init__(self, folder: str, *, imgsz: int, batch: int) -> None:
        arguments = {
            "task": "detect",
            "mode": "val",
            "split": "val",
            "imgsz": imgsz,
            "batch": batch,
            "conf": 0.001,
            "rect": True,
            "plots": False,
            "verbose": False,
            "workers": 0,
        }
        super().__init__(save_dir=Path(folder), args=arguments)

    def measure(
        self, model: Any, images: LabelledImages, device: torch.device, advance: Callable[[int], None]
    ) -> dict[str, float]:
        """Run a detector over labelled images.

        Args:
            model: An Ultralytics detection model in eval mode, float32, on `device`. Its head may be changed.
            images: Not augmented.
            device: Where the batches go.
            advance: Told the number of images after every batch.

        Returns:
            Ultralytics' results by name, such as `metrics/mAP50(B)`.
        """
        self.training = False
        self.device = device
        self.data = {"val": ""}
        self.dataloader = build_dataloader(
            images, self.args.batch, workers=0, shuffle=False, rank=-1, pin_memory=False, device=device
        )
        if hasattr(model, "end2end"):
            model.end2end = False  # as the stock validator: heads of both kinds are measured with NMS
        with torch.inference_mode():
            self.init_metrics(model)
            for batch in self.dataloader:
                batch = self.preprocess(batch)
                self.update_metrics(self.postprocess(model(batch["img"])), batch)
                advance(len(batch["im_file"]))
            return {name: float(value) for name, value in self.get_stats().items()}

    def postprocess(self, preds: Any) -> list[dict[str, torch.Tensor]]:
        """Non-maximum suppression as in the stock validator, without its time limit."""
        outputs = nms.non_max_suppression(
            preds,
            self.args.conf,
            self.args.iou,
            multi_label=True,
            max_det=self.args.max_det,
            end2end=self.end2end,
            max_time_img=float("inf"),
        )
        return [{"bboxes": x[:, :4], "conf": x[:, 4], "cls": x[:, 5], "extra": x[:, 6:]} for x in outputs]
