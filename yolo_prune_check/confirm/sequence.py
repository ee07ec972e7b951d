"""Run an ``nn.Sequential`` over modules of a model and see whether they fit."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from yolo_prune_check.channels.prediction import Mismatch
from yolo_prune_check.confirm.errors import COMPLAINTS, read_error
from yolo_prune_check.confirm.probe import probe_images
from yolo_prune_check.prune.running import watch


def observe_sequence(model: nn.Module, modules: Sequence[str], imgsz: int) -> Mismatch | None:
    """Feed one random image through these modules, one after the other, as ``nn.Sequential`` would.

    Args:
        model: The model they belong to; it is not changed.
        modules: Qualified names.
        imgsz: Image size in pixels.

    Returns:
        The error that was raised, or None.
    """
    sequence = nn.Sequential(*(model.get_submodule(name) for name in modules))
    training = {module: module.training for module in sequence.modules()}
    sequence.eval()
    try:
        with watch(model) as running, torch.no_grad():
            try:
                sequence(probe_images(model, imgsz))
            except COMPLAINTS as error:
                return read_error(error, running.innermost)
    finally:
        for module, mode in training.items():
            module.training = mode
    return None
