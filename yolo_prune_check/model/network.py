"""Whether a model can be trained and evaluated on a data set, and what is to be known of it for that."""

from __future__ import annotations

from collections.abc import Mapping
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
        names: What it calls the classes that it tells apart, by index.
        stride: Its largest stride, px, at least 32 (Ultralytics' own floor).
        device: Where its parameters are.
    """

    task: str
    names: Mapping[int, str]
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
            more classes than the model, a class that the model has no name for, or other keypoints.
    """
    task = require_yolo(model)
    network: Any = model
    head = network.model[-1]
    _refuse_labels(task, head, data_set)
    classes = classes_of(model)
    if len(data_set.names) > classes:
        raise UserError(
            f"the data set has {len(data_set.names)} classes, the model only {classes}",
            where=str(data_set.yaml),
            hint="Use a model that was trained on this data set.",
        )
    names = names_of(model)
    if task == "classify":
        _refuse_folders(names, data_set)
    stride = max(int(torch.as_tensor(network.stride).max()), 32)
    return Network(task, names, stride, next(model.parameters()).device)


def classes_of(model: nn.Module) -> int:
    """How many classes a model of the five tasks tells apart."""
    network: Any = model
    head = network.model[-1]
    return int(head.linear.out_features if hasattr(head, "linear") else head.nc)


def names_of(model: nn.Module) -> dict[int, str]:
    """What a model calls its classes; those of old checkpoints are lists."""
    names: Any = getattr(model, "names", {})
    pairs = names.items() if isinstance(names, Mapping) else enumerate(names)
    return {int(index): str(name) for index, name in pairs}


def _refuse_folders(names: Mapping[int, str], data_set: DataSet) -> None:
    """Folders are classes by their names; where the model has other names for all, by their order."""
    known, given = set(names.values()), set(data_set.names.values())
    unknown = sorted(given - known)
    if unknown and known & given:
        raise UserError(
            f"the model knows no class {unknown[0]!r}",
            where=str(data_set.yaml),
            hint="Name the folders as the model names its classes, or use a model that was trained on this data set.",
        )


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
