"""Which of the labelled objects a model finds, of any task whose answers are boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from yolo_prune_check.model.network import classes_of
from yolo_prune_check.model.quiet import prepare_ultralytics
from yolo_prune_check.select.matching import MIN_CONFIDENCE, found_objects
from yolo_prune_check.select.objects import Objects

_NMS_IOU = 0.7  # Ultralytics' default for validation


def detected(model: nn.Module, task: str, output: Any, objects: Sequence[Objects]) -> list[NDArray[np.bool_]]:
    """For each image, which of its objects the model's answer finds; see ``found_objects``.

    Oriented boxes are compared by the upright boxes around them.

    Args:
        model: The model.
        task: `detect`, `segment`, `pose` or `obb`.
        output: What it answers in eval mode.
        objects: Of each image.
    """
    prepare_ultralytics()
    from ultralytics.utils.nms import non_max_suppression

    while isinstance(output, (list, tuple)):  # with what a loss reads, and masks of prototypes
        output = output[0]
    predictions = non_max_suppression(
        output,
        MIN_CONFIDENCE,
        _NMS_IOU,
        nc=0 if task == "detect" else classes_of(model),
        end2end=bool(getattr(model, "end2end", False)),
        rotated=task == "obb",
        max_time_img=float("inf"),  # a slow machine must find the same objects
    )
    found = []
    for own, predicted in zip(objects, predictions, strict=True):
        boxes = upright(predicted) if task == "obb" else predicted[:, :6]
        found.append(found_objects(own.boxes, own.classes, boxes.cpu().numpy()))
    return found


def upright(oriented: torch.Tensor) -> torch.Tensor:
    """The upright boxes around oriented ones.

    Args:
        oriented: [n, 7]: centre x and y, width, height, confidence, class, angle in radians.

    Returns:
        [n, 6]: left, top, right, bottom, confidence, class.
    """
    from ultralytics.utils.ops import xywhr2xyxyxyxy

    corners = xywhr2xyxyxyxy(torch.cat([oriented[:, :4], oriented[:, 6:7]], dim=1))
    return torch.cat([corners.amin(dim=1), corners.amax(dim=1), oriented[:, 4:6]], dim=1)
