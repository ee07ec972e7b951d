"""The images on which models are run to see what they do."""

from __future__ import annotations

import torch
from torch import nn

from yolo_prune_check.images import image_channels


def probe_images(model: nn.Module, imgsz: int, *, seed: int = 0, count: int = 1) -> torch.Tensor:
    """Random images in [0, 1], ``(count, C, imgsz, imgsz)``, on the model's device and in its dtype.

    Random rather than real, because every channel must get a chance to be non-zero; one by default, because PyTorch's
    error messages name the batch size.
    """
    parameter = next(model.parameters(), torch.zeros(()))
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(count, image_channels(model), imgsz, imgsz, generator=generator, dtype=torch.float64)
    return images.to(parameter.device, parameter.dtype)


def tensors_of(tree: object) -> list[torch.Tensor]:
    """All tensors in nested tuples, lists and dicts, in order."""
    if isinstance(tree, torch.Tensor):
        return [tree]
    if isinstance(tree, dict):
        return [tensor for item in tree.values() for tensor in tensors_of(item)]
    if isinstance(tree, (list, tuple)):
        return [tensor for item in tree for tensor in tensors_of(item)]
    return []
