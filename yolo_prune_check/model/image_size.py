"""The size of the images that a model is for, where nobody names one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from torch import nn

from yolo_prune_check.model.tasks import task_of
from yolo_prune_check.spec.fields import STRIDE

USUAL: Final = 640
"""What Ultralytics trains and predicts at unless told otherwise, px; …"""
USUAL_CLASSIFIER: Final = 224
"""… and what it trains classifiers at."""


def image_size(model: nn.Module) -> int:
    """The size that a model is used at, in pixels: what it was trained at, else Ultralytics' own default for its task.

    >>> from yolo_prune_check.model.load import load_model
    >>> image_size(load_model("yolov8n-digits")), image_size(load_model("yolov8n-cls.yaml"))
    (128, 224)
    """
    usual = USUAL_CLASSIFIER if task_of(model) == "classify" else USUAL
    return trained_size(model) or usual


def trained_size(model: nn.Module) -> int | None:
    """The size that a model remembers of its training, in pixels; None if it remembers none.

    Of a height and a width it is the larger, and a size that is no multiple of 32 is rounded up, as Ultralytics does.
    """
    arguments: Any = getattr(model, "args", None)  # a namespace while it is trained, a dict in finished checkpoints
    known = arguments if isinstance(arguments, Mapping) else getattr(arguments, "__dict__", {})
    written = known.get("imgsz")
    sides = [side for side in (written if isinstance(written, list | tuple) else [written]) if type(side) is int]
    largest = max(sides, default=0)
    return -(-largest // STRIDE) * STRIDE if largest > 0 else None
