"""Whether a module can be trained and evaluated as an Ultralytics detector on a data set, and where it lives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from yolo_prune_check.data.resolve import DataSet
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.tasks import require_detector


@dataclass(frozen=True)
class Detector:
    """What training and evaluation need to know of a model.

    Attributes:
        classes: How many it tells apart.
        stride: Its largest stride, px, at least 32 (Ultralytics' own floor).
        device: Where its parameters are.
    """

    classes: int
    stride: int
    device: torch.device

    @property
    def device_argument(self) -> str:
        """The device in Ultralytics' notation.

        Raises:
            UserError: Neither CPU nor CUDA.
        """
        if self.device.type == "cpu":
            return "cpu"
        if self.device.type == "cuda":
            return str(self.device.index if self.device.index is not None else torch.cuda.current_device())
        raise UserError("only CPU and CUDA are supported", value=str(self.device))


def as_detector(model: nn.Module, data_set: DataSet) -> Detector:
    """Check a model against a data set.

    Raises:
        UserError: It is no YOLO detection model, or the data set has more classes than the model.
    """
    require_detector(model)
    network: Any = model
    classes = int(network.model[-1].nc)
    if len(data_set.names) > classes:
        raise UserError(
            f"the data set has {len(data_set.names)} classes, the model only {classes}",
            where=str(data_set.yaml),
            hint="Use a model that was trained on this data set.",
        )
    stride = max(int(torch.as_tensor(network.stride).max()), 32)
    return Detector(classes, stride, next(model.parameters()).device)
