"""Networks of many kinds for the confirming side, built once for each process."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
import torchvision
from torch import nn

from benchmarks.agreement import randomise_norms
from yolo_prune_check.model.quiet import prepare_ultralytics, quietly

TORCHVISION = ("resnet18", "mobilenet_v3_small", "shufflenet_v2_x1_0", "convnext_tiny")
YOLO = ("yolov6n.yaml", "yolov9t.yaml", "yolov10n.yaml", "yolo11n.yaml", "yolo12n.yaml", "rtdetr-l.yaml")


@lru_cache
def net(name: str) -> nn.Module:
    """A network of random weights and random batch norms, in eval mode."""
    torch.manual_seed(0)
    model = getattr(torchvision.models, name)(weights=None) if name in TORCHVISION else _yolo(name)
    randomise_norms(model, seed=0)
    result: nn.Module = model.eval()
    return result


def _yolo(name: str) -> Any:
    prepare_ultralytics()
    from ultralytics.nn.tasks import DetectionModel, RTDETRDetectionModel

    build: Any = RTDETRDetectionModel if name.startswith("rtdetr") else DetectionModel
    with quietly():
        return build(name, verbose=False)


def convolutions(model: nn.Module) -> dict[str, nn.Conv2d]:
    """All ``Conv2d`` by name."""
    return {name: module for name, module in model.named_modules() if isinstance(module, nn.Conv2d)}
