"""Whether a model can be trained and evaluated on a data set, and what is to be known of it for that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from yolo_prune_check.data.resolve import DataSet
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.tasks import require_yolo


@dataclass(frozen=True)
class Network:
    """What training and evaluation need to know of a model.

    Attributes:
        task: `detect`, `segment`, `pose`, `obb` or `classify`.
        classes: How many it tells apart.
        stride: Its largest stride, px, at least 32 (Ultralytics' own floor).
        device: Where its parameters are.
    """

    task: str
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


def as_network(model: nn.Module, data_set: DataSet) -> Network:
    """Check a model against a data set.

    Raises:
        UserError: It is no YOLO model of the five tasks, or the data set has other labels than the model learns from,
            more classes than the model, or other keypoints.
    """
    task = require_yolo(model)
    network: Any = model
    head = network.model[-1]
    _refuse_labels(task, head, data_set)
    classes = int(head.linear.out_features if task == "classify" else head.nc)
    if len(data_set.names) > classes:
        raise UserError(
            f"the data set has {len(data_set.names)} classes, the model only {classes}",
            where=str(data_set.yaml),
            hint="Use a model that was trained on this data set.",
        )
    stride = max(int(torch.as_tensor(network.stride).max()), 32)
    return Network(task, classes, stride, next(model.parameters()).device)


def _refuse_labels(task: str, head: Any, data_set: DataSet) -> None:
    where = str(data_set.yaml)
    if data_set.by_folder != (task == "classify"):
        wanted = "a folder with train/CLASS/ and val/CLASS/" if task == "classify" else "a dataset YAML"
        raise UserError(f"a model for {task} needs another kind of data set", where=where, hint=f"Give {wanted}.")
    if task == "pose" and tuple(head.kpt_shape) != data_set.kpt_shape:
        raise UserError(
            f"the model finds keypoints of shape {list(head.kpt_shape)}, the data set has others",
            where=where,
            value=None if data_set.kpt_shape is None else list(data_set.kpt_shape),
            hint="Say the shape under 'kpt_shape', and use a model that was trained on this data set.",
        )
