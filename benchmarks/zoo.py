"""The models that benchmarks and tests draw from: every family that Ultralytics ships, and some of torchvision's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Final

import torch
from torch import nn
from torchvision import models

from yolo_prune_check.model.load import load_model


def _scaled(pattern: str, scales: str = "ns") -> tuple[str, ...]:
    return tuple(pattern.format(scale) for scale in scales)


FAMILIES: Final[Mapping[str, tuple[str, ...]]] = {
    "v3": ("yolov3.yaml",),
    "v3-tiny": ("yolov3-tiny.yaml",),
    "v3-spp": ("yolov3-spp.yaml",),
    "v5": _scaled("yolov5{}.yaml"),
    "v5-p6": _scaled("yolov5{}-p6.yaml"),
    "v6": _scaled("yolov6{}.yaml"),
    "v8": _scaled("yolov8{}.yaml"),
    "v8-p2": _scaled("yolov8{}-p2.yaml"),
    "v8-p6": _scaled("yolov8{}-p6.yaml"),
    "v8-ghost": _scaled("yolov8{}-ghost.yaml"),
    "v8-ghost-p2": _scaled("yolov8{}-ghost-p2.yaml"),
    "v8-ghost-p6": _scaled("yolov8{}-ghost-p6.yaml"),
    "v8-seg": _scaled("yolov8{}-seg.yaml"),
    "v8-seg-p6": _scaled("yolov8{}-seg-p6.yaml"),
    "v8-pose": _scaled("yolov8{}-pose.yaml"),
    "v8-pose-p6": _scaled("yolov8{}-pose-p6.yaml"),
    "v8-obb": _scaled("yolov8{}-obb.yaml"),
    "v8-cls": _scaled("yolov8{}-cls.yaml"),
    "v8-cls-resnet50": _scaled("yolov8{}-cls-resnet50.yaml"),
    "v8-cls-resnet101": _scaled("yolov8{}-cls-resnet101.yaml"),
    "v8-world": _scaled("yolov8{}-world.yaml"),
    "v8-worldv2": _scaled("yolov8{}-worldv2.yaml"),
    "v8-rtdetr": _scaled("yolov8{}-rtdetr.yaml"),
    "v9": _scaled("yolov9{}.yaml", "tsm"),
    "v9-c": ("yolov9c.yaml",),
    "v9-e": ("yolov9e.yaml",),
    "v9-c-seg": ("yolov9c-seg.yaml",),
    "v9-e-seg": ("yolov9e-seg.yaml",),
    "v10": _scaled("yolov10{}.yaml"),
    "v10-large": _scaled("yolov10{}.yaml", "mblx"),
    "11": _scaled("yolo11{}.yaml"),
    "11-seg": _scaled("yolo11{}-seg.yaml"),
    "11-pose": _scaled("yolo11{}-pose.yaml"),
    "11-obb": _scaled("yolo11{}-obb.yaml"),
    "11-cls": _scaled("yolo11{}-cls.yaml"),
    "11-cls-resnet18": ("yolo11-cls-resnet18.yaml",),
    "12": _scaled("yolo12{}.yaml"),
    "12-seg": _scaled("yolo12{}-seg.yaml"),
    "12-pose": _scaled("yolo12{}-pose.yaml"),
    "12-obb": _scaled("yolo12{}-obb.yaml"),
    "12-cls": _scaled("yolo12{}-cls.yaml"),
    "26": _scaled("yolo26{}.yaml"),
    "26-p2": _scaled("yolo26{}-p2.yaml"),
    "26-p6": _scaled("yolo26{}-p6.yaml"),
    "26-seg": _scaled("yolo26{}-seg.yaml"),
    "26-sem": _scaled("yolo26{}-sem.yaml"),
    "26-depth": _scaled("yolo26{}-depth.yaml"),
    "26-pose": _scaled("yolo26{}-pose.yaml"),
    "26-obb": _scaled("yolo26{}-obb.yaml"),
    "26-cls": _scaled("yolo26{}-cls.yaml"),
    "e-v8": _scaled("yoloe-v8{}.yaml"),
    "e-v8-seg": _scaled("yoloe-v8{}-seg.yaml"),
    "e-11": _scaled("yoloe-11{}.yaml"),
    "e-11-seg": _scaled("yoloe-11{}-seg.yaml"),
    "e-26": _scaled("yoloe-26{}.yaml"),
    "e-26-seg": _scaled("yoloe-26{}-seg.yaml"),
    "rtdetr": ("rtdetr-l.yaml", "rtdetr-x.yaml"),
    "rtdetr-resnet": ("rtdetr-resnet50.yaml", "rtdetr-resnet101.yaml"),
}
"""Stock YAML names by family, the smallest first."""

TORCHVISION: Final[Mapping[str, Callable[[], nn.Module]]] = {
    "resnet18": partial(models.resnet18, weights=None),
    "resnext50_32x4d": partial(models.resnext50_32x4d, weights=None),
    "densenet121": partial(models.densenet121, weights=None),
    "mobilenet_v3_small": partial(models.mobilenet_v3_small, weights=None),
    "efficientnet_b0": partial(models.efficientnet_b0, weights=None),
    "convnext_tiny": partial(models.convnext_tiny, weights=None),
    "shufflenet_v2_x1_0": partial(models.shufflenet_v2_x1_0, weights=None),
    "googlenet": partial(models.googlenet, weights=None, init_weights=False),  # its own takes half a minute
}
"""Untrained classifiers, by torchvision's name."""


def build(name: str, seed: int = 0) -> nn.Module:
    """An untrained model in eval mode: a key of ``TORCHVISION`` or whatever ``load_model`` takes."""
    if name not in TORCHVISION:
        return load_model(name, seed=seed)
    with _seeded(seed):
        return TORCHVISION[name]().eval()


def randomise_norms(model: nn.Module, seed: int) -> None:
    """Give every BatchNorm random numbers: a fresh one has no shift, which hides phantom channels."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            with torch.no_grad():
                if module.affine:
                    module.weight.uniform_(0.5, 1.5, generator=generator)
                    module.bias.normal_(0, 0.5, generator=generator)
                if module.running_mean is not None and module.running_var is not None:
                    module.running_mean.normal_(0, 0.5, generator=generator)
                    module.running_var.uniform_(0.5, 1.5, generator=generator)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
