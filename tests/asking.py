"""A checkpoint that asks for a harmless function, which no allow-list holds."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import torch

from yolo_prune_check.model.load import load_model

NAME = f"{os.getcwd.__module__}.getcwd"


class _Called:
    def __reduce__(self) -> tuple[Callable[[], str], tuple[()]]:
        return os.getcwd, ()


def write_asking(file: Path) -> Path:
    """YOLOv8n beside the call of a function: refused, unless it is trusted."""
    torch.save({"model": load_model("yolov8n.yaml"), "folder": _Called()}, file)
    return file
